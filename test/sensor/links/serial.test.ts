import { EventEmitter } from 'node:events';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { SerialPort } from 'serialport';
import { describe, expect, it } from 'vitest';
import type { LinkError, LinkHandlers, OpenLink } from '../../../src/sensor/links/link.js';
import { explainOpenError, SerialLink } from '../../../src/sensor/links/serial.js';
import { VirtualPort } from '../../../src/simulator/virtual-port.js';
import { afterwards, pause, temporaryFolder, until } from '../../e2e/support/world.js';

const SETTINGS = { baudRate: 115_200, dataBits: 8, parity: 'none', stopBits: 1 } as const;

async function plug(): Promise<VirtualPort> {
  const port = await VirtualPort.open({ link: join(temporaryFolder(), 'sensor') });
  afterwards(() => port.close());
  return port;
}

/** Hears everything a link says. */
function listener() {
  const heard = { bytes: Buffer.alloc(0), closes: [] as string[] };
  const handlers: LinkHandlers = {
    onBytes: (bytes) => {
      heard.bytes = Buffer.concat([heard.bytes, bytes]);
    },
    onClose: (reason) => heard.closes.push(reason),
  };
  return { heard, handlers };
}

async function open(link: SerialLink, handlers: LinkHandlers): Promise<OpenLink> {
  const opened = await link.open(handlers);
  afterwards(() => opened.close());
  return opened;
}

const refusal = (path: string): Promise<LinkError> =>
  new SerialLink({ ...SETTINGS, path }).open(listener().handlers).then(
    () => {
      throw new Error('it opened');
    },
    (error: LinkError) => error,
  );

describe('SerialLink on a port', () => {
  it('passes bytes unchanged both ways', async () => {
    const port = await plug();
    const fromHost: Uint8Array[] = [];
    port.onData((bytes) => fromHost.push(bytes));
    const { heard, handlers } = listener();
    const link = await open(new SerialLink({ ...SETTINGS, path: port.path }), handlers);
    const all = Uint8Array.from({ length: 256 }, (_, i) => i);
    port.write(all);
    link.write(all);
    await until('bytes both ways', () => heard.bytes.length >= 256 && Buffer.concat(fromHost).length >= 256);
    expect(heard.bytes).toEqual(Buffer.from(all));
    expect(Buffer.concat(fromHost)).toEqual(Buffer.from(all));
    expect(heard.closes).toEqual([]);
  });

  it('tells of an unplug once, and not of its own close', async () => {
    const port = await plug();
    const { heard, handlers } = listener();
    const link = await open(new SerialLink({ ...SETTINGS, path: port.path }), handlers);
    await pause(20);
    port.unplug();
    await until('the close', () => heard.closes.length > 0);
    link.write(Uint8Array.of(1, 2, 3));
    await link.close();
    await link.close();
    await pause(50);
    expect(heard.closes).toEqual(['unplugged']);

    await port.replug();
    const second = listener();
    const again = await open(new SerialLink({ ...SETTINGS, path: port.path }), second.handlers);
    await again.close();
    port.unplug();
    await pause(50);
    expect(second.heard.closes).toEqual([]);
  });

  // serialport 13 by itself misses about one such unplug in ten, and all of the first millisecond: see hang-up.ts.
  it('notices every unplug at once, while data flows and in the very moment of opening', async () => {
    const port = await plug();
    for (let round = 0; round < 40; round++) {
      const { heard, handlers } = listener();
      const link = await open(new SerialLink({ ...SETTINGS, path: port.path }), handlers);
      if (round % 2 === 0) {
        const sending = setInterval(() => port.write(Buffer.alloc(20, 0x41)), 1);
        await pause(8 + (round % 5));
        clearInterval(sending);
      }
      port.unplug();
      await until(`the close in round ${round}`, () => heard.closes.length > 0, 2000);
      await link.close();
      await port.replug();
    }
  });

  it('never sends a former connection’s bytes after a reopen', async () => {
    const port = await plug();
    const fromHost: Uint8Array[] = [];
    port.onData((bytes) => fromHost.push(bytes));
    const ports: SerialPort[] = [];
    const create: ConstructorParameters<typeof SerialLink>[1] = (options) => {
      const made = new SerialPort(options);
      ports.push(made);
      return made;
    };
    const link = new SerialLink({ ...SETTINGS, path: port.path }, create);
    const first = listener();
    const former = await open(link, first.handlers);
    await pause(20);
    port.unplug();
    // Written into the void: before and after the link knows.
    former.write(Buffer.from('STALE'));
    await until('the close', () => first.heard.closes.length > 0);
    former.write(Buffer.from('STALE'));
    await former.close();
    await port.replug();
    const second = listener();
    const fresh = await open(link, second.handlers);
    former.write(Buffer.from('STALE'));
    fresh.write(Buffer.from('fresh'));
    await until('the fresh bytes', () => Buffer.concat(fromHost).length >= 5);
    await pause(30);
    expect(Buffer.concat(fromHost).toString()).toBe('fresh');
    expect(ports).toHaveLength(2);
    expect(ports[0]).not.toBe(ports[1]);
  });

  it('gives a lost write to onClose, never to a throw', async () => {
    const port = await plug();
    const { heard, handlers } = listener();
    const link = await open(new SerialLink({ ...SETTINGS, path: port.path }), handlers);
    port.unplug();
    for (let i = 0; i < 20; i++) link.write(Buffer.alloc(4096, i));
    await until('the close', () => heard.closes.length > 0);
    expect(heard.closes).toHaveLength(1);
  });

  it('is resolved anew at each opening: a stable name follows the device', async () => {
    const port = await plug();
    const link = new SerialLink({ ...SETTINGS, path: port.path });
    const device = port.devicePath;
    const first = listener();
    await open(link, first.handlers);
    await pause(20);
    // Held by another opening, the old number cannot be given out again: the new device has another one.
    const other = await plug();
    port.unplug();
    await until('the close', () => first.heard.closes.length > 0);
    const third = await plug();
    await port.replug();
    const second = listener();
    await open(link, second.handlers);
    port.write(Buffer.from('here'));
    await until('bytes', () => second.heard.bytes.toString() === 'here');
    expect([device, other.devicePath, third.devicePath]).not.toContain('');
    expect(port.devicePath).not.toBe(other.devicePath);
  });
});

describe('SerialLink on what is no free port', () => {
  it('a second opener is told that the port is held, and by what means to see by whom', async () => {
    const port = await plug();
    await open(new SerialLink({ ...SETTINGS, path: port.path }), listener().handlers);
    const error = await refusal(port.path);
    expect(error.reason).toBe('busy');
    expect(error.message).toContain(`${port.path} is held by another program`);
    expect(error.message).toContain(`fuser -v ${port.path}`);
  });

  it('an absent port is told by the name in the config', async () => {
    const path = join(temporaryFolder(), 'usb-nothing');
    const error = await refusal(path);
    expect(error.reason).toBe('absent');
    expect(error.message).toContain(`${path} is not there`);
    expect(error.message).toContain('slothd ports');
  });

  it('a file and a folder are not ports', async () => {
    const folder = temporaryFolder();
    const file = join(folder, 'notes.txt');
    writeFileSync(file, 'not a port\n');
    mkdirSync(join(folder, 'sub'));
    for (const path of [file, join(folder, 'sub')]) {
      const error = await refusal(path);
      expect(error.reason).toBe('not-a-port');
      expect(error.message).toBe(`${path} is not a serial port.`);
    }
  });
});

describe('the lines that reset boards', () => {
  /** A port that opens and writes down what is asked of it. */
  async function asked(lines: { dtr?: boolean; rts?: boolean }) {
    const said: object[] = [];
    const port = Object.assign(new EventEmitter(), {
      isOpen: true,
      open: (done: (error: Error | null) => void) => queueMicrotask(() => done(null)),
      set: (flags: object) => said.push(flags),
      write: (bytes: Buffer) => said.push(bytes),
      close: (done: () => void) => done(),
    });
    const options = { ...SETTINGS, path: '/dev/ttyACM0', ...lines };
    const link = new SerialLink(options, () => port as unknown as SerialPort);
    const opened = await link.open(listener().handlers);
    await opened.close();
    return said;
  }

  it('stay as the kernel raises them unless config says otherwise, and nothing is written by opening', async () => {
    expect(await asked({})).toEqual([{ dtr: true, rts: true, lowLatency: true }]);
    expect(await asked({ dtr: false })).toEqual([{ dtr: false, rts: true, lowLatency: true }]);
    expect(await asked({ dtr: false, rts: false })).toEqual([{ dtr: false, rts: false, lowLatency: true }]);
  });
});

describe('explainOpenError', () => {
  it.each([
    ['Error: No such file or directory, cannot open /dev/ttyUSB0', 'absent', 'plugged in'],
    ['Error: Permission denied, cannot open /dev/ttyUSB0', 'forbidden', 'usermod -aG dialout'],
    ['Error: Operation not permitted, cannot open /dev/ttyUSB0', 'forbidden', 'DeviceAllow='],
    ['Error Resource temporarily unavailable Cannot lock port', 'busy', 'fuser -v /dev/ttyUSB0'],
    ['Error: Device or resource busy, cannot open /dev/ttyUSB0', 'busy', 'fuser -v /dev/ttyUSB0'],
    ['Error: Inappropriate ioctl for device, cannot open /dev/ttyUSB0', 'not-a-port', 'not a serial port'],
    ['Error: Is a directory, cannot open /dev/ttyUSB0', 'not-a-port', 'not a serial port'],
    ['Error: Not a directory, cannot open /dev/ttyUSB0', 'absent', 'plugged in'],
    ['Error: No such device, cannot open /dev/ttyUSB0', 'absent', 'plugged in'],
    ['Error: No such device or address, cannot open /dev/ttyUSB0', 'absent', 'plugged in'],
    ['Error: Input/output error, cannot open /dev/ttyUSB0', 'failed', 'Input/output error'],
  ])('%s -> %s', (message, reason, hint) => {
    const error = explainOpenError(new Error(message), '/dev/ttyUSB0');
    expect(error.reason).toBe(reason);
    expect(error.message).toContain('/dev/ttyUSB0');
    expect(error.message).toContain(hint);
    expect(error.name).toBe('LinkError');
  });
});

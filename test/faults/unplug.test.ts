import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { expect, it } from 'vitest';
import { scaledTime } from '../../src/cli/demo/scaled-time.js';
import { systemClock, systemTimers } from '../../src/daemon/system-clock.js';
import { SerialLink } from '../../src/sensor/links/serial.js';
import { LinkSupervisor } from '../../src/sensor/supervisor.js';
import { VirtualPort } from '../../src/simulator/virtual-port.js';
import { afterwards, pause, temporaryFolder, until } from '../e2e/support/world.js';

/** Story 2: the cable comes out and goes in again, for ever, and nothing is left over each time. */

const START = Buffer.from('START');
/** A frame of this test's wire: what it must hear to call a connection alive. */
const FRAME = Buffer.alloc(20, 0x41);
const ROUNDS = 50;
/** Rounds until caches, pools and code are warm; growth counts from there. */
const WARM_UP = 12;

interface Figures {
  readonly descriptors: number;
  /** Timers and handles that keep the process alive. */
  readonly resources: number;
  readonly listeners: number;
  readonly bytes: number;
}

async function figures(): Promise<Figures> {
  setFlagsFromString('--expose-gc');
  const gc = runInNewContext('gc') as () => void;
  await pause(60);
  gc();
  await pause(10);
  gc();
  const { heapUsed, external } = process.memoryUsage();
  return {
    descriptors: readdirSync('/proc/self/fd').length,
    resources: process.getActiveResourcesInfo().length,
    listeners: process.eventNames().reduce((sum, name) => sum + process.listenerCount(name), 0),
    bytes: heapUsed + external,
  };
}

it(`${ROUNDS} rounds of unplug and replug: always back, nothing grows`, async () => {
  const port = await VirtualPort.open({ link: join(temporaryFolder(), 'sensor') });
  afterwards(() => port.close());
  const time = scaledTime(systemClock, systemTimers, 40);
  const link = new SerialLink({ path: port.path, baudRate: 115_200, dataBits: 8, parity: 'none', stopBits: 1 });
  let opens = 0;
  let heard = 0;
  const supervisor = new LinkSupervisor({
    link,
    silenceMs: 20_000,
    commands: { start: START },
    clock: time,
    timers: time,
    random: () => 0.5,
    events: {
      onOpen: () => opens++,
      onBytes: (bytes) => {
        heard += bytes.length;
        supervisor.frame();
      },
      onDown: () => undefined,
      onSilent: () => undefined,
    },
  });
  afterwards(() => supervisor.stop());
  const commands: Buffer[] = [];
  port.onData((bytes) => commands.push(Buffer.from(bytes)));
  supervisor.start();

  const round = async (number: number) => {
    const opensBefore = opens;
    const heardBefore = heard;
    await until(`round ${number}: the port to open`, () => supervisor.isOpen);
    const sending = setInterval(() => port.write(FRAME), 1);
    // Every fifth time in the very moment of opening; else in the middle of data.
    if (number % 5 !== 0) await until(`round ${number}: data`, () => heard > heardBefore);
    port.unplug();
    clearInterval(sending);
    await until(`round ${number}: the close`, () => !supervisor.isOpen);
    await port.replug();
    await until(`round ${number}: the port to open again`, () => opens > opensBefore);
  };

  for (let number = 0; number < WARM_UP; number++) await round(number);
  const before = await figures();
  const openedBefore = opens;
  commands.length = 0;
  for (let number = 0; number < ROUNDS; number++) await round(number);
  await until('the last start command', () => Buffer.concat(commands).toString().endsWith('START'));
  const after = await figures();

  expect(after.descriptors).toBe(before.descriptors);
  expect(after.listeners).toBe(before.listeners);
  expect(after.resources).toBeLessThanOrEqual(before.resources + 1);
  // One port object holds a read pool of 64 kB: fifty of them left over would be 3.2 MB.
  expect(after.bytes - before.bytes).toBeLessThan(1_000_000);
  expect(opens - openedBefore).toBeGreaterThanOrEqual(ROUNDS);
  // Each connection sends its own start command at most once: an old one's would come on top, stale.
  const starts = Buffer.concat(commands).toString();
  expect(starts).toMatch(/^(START)+$/);
  expect(starts.length / START.length).toBeLessThanOrEqual(opens - openedBefore);
  // None of the fifty needed the silence watch.
  expect([...supervisor.reopens.keys()].sort()).not.toContain('silence');
});

it('absent at the start and unplugged in the middle of a write', async () => {
  const port = await VirtualPort.open({ link: join(temporaryFolder(), 'sensor') });
  afterwards(() => port.close());
  port.unplug();
  const time = scaledTime(systemClock, systemTimers, 40);
  const link = new SerialLink({ path: port.path, baudRate: 115_200, dataBits: 8, parity: 'none', stopBits: 1 });
  const log: string[] = [];
  const supervisor = new LinkSupervisor({
    link,
    silenceMs: 20_000,
    // Sent all the time and far more than a pty holds, so that a write is under way when the plug is pulled.
    commands: { start: START, keepAlive: { bytes: Buffer.alloc(50_000, 0x42), everyMs: 20 } },
    clock: time,
    timers: time,
    random: () => 0.5,
    events: {
      onOpen: () => log.push('open'),
      onBytes: () => supervisor.frame(),
      onDown: (reason) => log.push(`down ${reason}`),
      onSilent: () => undefined,
    },
  });
  afterwards(() => supervisor.stop());
  supervisor.start();
  await until('two refusals', () => log.filter((line) => line === 'down absent').length >= 2);
  expect(log).not.toContain('open');
  await port.replug();
  await until('the opening', () => log.includes('open'));
  await pause(20);
  port.unplug();
  await until('the close', () => log.includes('down closed'));
  await port.replug();
  await until('the second opening', () => log.filter((line) => line === 'open').length === 2);
});

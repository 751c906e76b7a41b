import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { probe, snippet } from '../../src/cli/probe.js';
import { parseConfig } from '../../src/config/load.js';
import { checkSensors } from '../../src/daemon/check-sensors.js';
import { deviceStream } from '../../src/lab/fuzz/device-stream.js';
import { FORMATS, findFormat, serialSettings } from '../../src/sensor/formats/registry.js';
import { VirtualPort } from '../../src/simulator/virtual-port.js';

let folder: string;
let port: VirtualPort;
let written: number;
let playing: NodeJS.Timeout | undefined;

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'slothd-probe-'));
  port = await VirtualPort.open({ link: join(folder, 'port') });
  written = 0;
  port.onData((bytes) => {
    written += bytes.length;
  });
});
afterEach(() => {
  clearInterval(playing);
  port.close();
  rmSync(folder, { recursive: true, force: true });
  process.exitCode = 0;
});

/** The device speaks on the port, over and over. */
function play(bytes: Uint8Array): void {
  let at = 3;
  playing = setInterval(() => {
    port.write(bytes.subarray(at, at + 700));
    at = at + 700 >= bytes.length ? 0 : at + 700;
  }, 10);
}

async function run(flags: Parameters<typeof probe>[1]) {
  const lines: string[] = [];
  const found = await probe(port.path, flags, (line) => lines.push(line));
  return { found, lines };
}

describe('slothd probe', () => {
  it.each(['ad8232', 'nonin-df2', 'openbci-cyton', 'pulsesensor-processing'])(
    'finds %s by listening, writes nothing, and its snippet is a config',
    async (id) => {
      play(deviceStream(findFormat(id), {}, 60));
      const { found, lines } = await run({ seconds: 0.4 });
      expect(found?.guess.format).toBe(id);
      expect(written).toBe(0);
      const config = parseConfig(lines.filter((line) => !line.startsWith('#')).join('\n'), 'snippet');
      expect(config.sensors[0]).toMatchObject({ format: id, link: { type: 'serial', path: port.path } });
    },
    15_000,
  );

  it('says why it cannot tell, at each setting, and leaves exit code 1', async () => {
    const { found, lines } = await run({ seconds: 0.05, baud: 9600 });
    expect(found).toBeNull();
    expect(lines.join('\n')).toMatch(/nothing was heard.*waits for a command/);
    expect(process.exitCode).toBe(1);
  });

  it("puts the port's settings back", async () => {
    const settings = () => execFileSync('stty', ['-F', port.devicePath, '-g']).toString();
    execFileSync('stty', ['-F', port.devicePath, '19200']);
    const before = settings();
    await run({ seconds: 0.05, baud: 9600 });
    expect(settings()).toBe(before);
  });

  it("writes only when told to, and then that device's start command", async () => {
    await expect(run({ seconds: 0.05, active: true })).rejects.toThrow(/--active needs --format/);
    await run({ seconds: 0.2, active: true, format: 'openbci-cyton' });
    expect(written).toBeGreaterThan(0);
  });

  it('a port that is not there is a clear error', async () => {
    await expect(probe(join(folder, 'none'), { seconds: 0.05 }, () => {})).rejects.toThrow(/is not there/);
  });
});

it('the snippet of every format passes the checks of the config', () => {
  for (const [id, format] of FORMATS) {
    const config = parseConfig(snippet('/dev/ttyUSB0', id, serialSettings(format, {})), id);
    expect(() => checkSensors(config, id)).not.toThrow();
  }
  expect(snippet('/dev/ttyUSB0', 'ad8232', { ...findFormat('ad8232').serial, baudRate: 57_600 })).toMatch(
    /baudRate: 57600/,
  );
});

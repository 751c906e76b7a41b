import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { record } from '../../src/cli/record.js';
import { replaySource } from '../../src/cli/replay/run.js';
import { openCapture } from '../../src/cli/replay/source-capture.js';
import { alarmSettingsSchema } from '../../src/config/alarms.js';
import { sensorSchema } from '../../src/config/sensors.js';
import { systemClock, systemTimers } from '../../src/daemon/system-clock.js';
import { decodeCapture, RECORD } from '../../src/sensor/capture/container.js';
import { CaptureWriter } from '../../src/sensor/capture/writer.js';
import { findFormat } from '../../src/sensor/formats/registry.js';
import type { Link, LinkHandlers } from '../../src/sensor/links/link.js';
import { makeScenario } from '../../src/simulator/scenario.js';
import { SimulatedSensor } from '../../src/simulator/sensor.js';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'slothd-record-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const settings = sensorSchema.parse({
  name: 'heart',
  format: 'ad8232',
  options: { rateHz: 250 },
  link: { type: 'serial', path: '/dev/x' },
});

/** A link whose far side is the test. */
function fakeLink() {
  const opens: LinkHandlers[] = [];
  const link: Link = {
    name: 'fake',
    open(handlers) {
      opens.push(handlers);
      return Promise.resolve({ write() {}, close: () => Promise.resolve() });
    },
  };
  return { link, opens };
}

describe('slothd record', () => {
  it('keeps bytes, times, openings and losses, and says what it saw', async () => {
    const { link, opens } = fakeLink();
    const stop = new AbortController();
    const said: string[] = [];
    const out = join(folder, 'a.slothrec');
    const done = record(
      settings,
      findFormat('ad8232'),
      { out, partMb: 1, maxMb: 10 },
      {
        link,
        clock: systemClock,
        timers: { after: (delayMs, run) => systemTimers.after(delayMs / 50, run) },
        say: (line) => said.push(line),
        stop: stop.signal,
      },
    );
    await expect.poll(() => opens.length).toBe(1);
    opens[0]!.onBytes(Buffer.from('512\r\n513\r\n514\r\n'));
    opens[0]!.onClose('unplugged');
    await expect.poll(() => opens.length).toBe(2);
    opens[1]!.onBytes(Buffer.from('5'));
    stop.abort();
    await done;
    const { header, records } = decodeCapture(readFileSync(out));
    expect(header).toMatchObject({ format: 'ad8232', options: { rateHz: 250 }, link: 'fake' });
    expect(records.map(({ type }) => type)).toEqual([
      RECORD.opened,
      RECORD.bytes,
      RECORD.down,
      RECORD.opened,
      RECORD.bytes,
    ]);
    expect(Buffer.from(records[1]!.payload).toString()).toBe('512\r\n513\r\n514\r\n');
    expect(records.every(({ tMs }, i) => i === 0 || tMs >= records[i - 1]!.tMs)).toBe(true);
    expect(said.join('\n')).toMatch(/valid ad8232 frames/);
  });

  it('does not overwrite', async () => {
    const { link } = fakeLink();
    const stop = AbortSignal.abort();
    const world = { link, clock: systemClock, timers: systemTimers, say() {}, stop };
    const out = join(folder, 'a.slothrec');
    await record(settings, findFormat('ad8232'), { out, partMb: 1, maxMb: 10 }, world);
    await expect(record(settings, findFormat('ad8232'), { out, partMb: 1, maxMb: 10 }, world)).rejects.toThrow(
      /there already/,
    );
  });

  const built = join(import.meta.dirname, '../../dist/cli/record.js');
  it.runIf(existsSync(built))(
    'survives a kill: all that came is there',
    async () => {
      const out = join(folder, 'killed.slothrec');
      const main = join(import.meta.dirname, '../../dist/main.js');
      const { VirtualPort } = await import('../../src/simulator/virtual-port.js');
      const port = await VirtualPort.open({ link: join(folder, 'port') });
      const child = spawn(process.execPath, [main, 'record', port.path, '--format', 'ad8232', '-o', out], {
        stdio: 'ignore',
      });
      try {
        await expect.poll(() => existsSync(out) && statSync(out).size > 200, { timeout: 15_000 }).toBe(true);
        for (let i = 0; i < 20; i++) port.write(Buffer.from('500\r\n'));
        const heard = () =>
          decodeCapture(readFileSync(out)).records.reduce(
            (sum, { type, payload }) => sum + (type === RECORD.bytes ? payload.length : 0),
            0,
          );
        await expect.poll(heard, { timeout: 5000 }).toBe(100);
        child.kill('SIGKILL');
        await new Promise((resolve) => child.once('exit', resolve));
        expect(heard()).toBe(100);
        expect(readdirSync(folder)).toContain('killed.slothrec');
      } finally {
        child.kill('SIGKILL');
        port.close();
      }
    },
    30_000,
  );
});

describe('replay of a capture', () => {
  /** A capture of a simulated ECG: bursts of 16 ms, a hole of 20 s in the middle, a torn end. */
  async function captured(seconds: number, rhythm: string) {
    const file = join(folder, `${rhythm}.slothrec`);
    const format = findFormat('ad8232');
    const writer = new CaptureWriter({
      file,
      header: { format: 'ad8232', options: {}, link: 'x', startedAt: '', recordedBy: '' },
      partBytes: 1e9,
      totalBytes: 1e9,
    });
    let pending: Buffer[] = [];
    let samples = 0;
    const sensor = new SimulatedSensor({
      scenario: makeScenario({ episodes: [{ rhythm, seconds }] }),
      format,
      options: { rateHz: 250 },
      write: (bytes) => {
        pending.push(Buffer.from(bytes));
        for (const byte of bytes) if (byte === 10) samples++;
      },
    });
    writer.opened(1000);
    for (let t = 16; t <= seconds * 1000; t += 16) {
      sensor.renderTo(t);
      const hole = t > 30_000 && t < 50_000;
      if (pending.length > 0 && !hole) writer.chunk(1000 + t, Buffer.concat(pending));
      if (Math.abs(t - 50_000) < 8) writer.opened(1000 + t);
      pending = [];
    }
    writer.close();
    return { file, rateHz: samples / seconds };
  }

  async function lines(file: string) {
    const source = await openCapture(file, { format: undefined, options: {}, rateHz: undefined });
    const events: { type: string; t: number; state?: string; kind?: string; rrMs?: number | null }[] = [];
    await replaySource(source, {
      alarms: alarmSettingsSchema.parse({}),
      version: 'test',
      createClassifier: null,
      rhythmModel: null,
      shockableModel: null,
      anomalyModel: null,
      modelInfo: () => null,
      stages: { record() {} },
      speed: null,
      write: (line) => events.push(JSON.parse(line)),
    });
    return { source, events };
  }

  it('finds format, rate and beats by itself, and a silence is a silence', async () => {
    const { file, rateHz } = await captured(80, 'sinus');
    const { source, events } = await lines(file);
    expect(Math.abs(source.rateHz / rateHz - 1)).toBeLessThan(0.01);
    const beats = events.filter(({ type }) => type === 'beat');
    expect(beats.filter(({ t }) => t > 5 && t < 30).length).toBeGreaterThan(20);
    expect(beats.filter(({ t }) => t > 31 && t < 49.5)).toEqual([]);
    expect(beats.filter(({ t }) => t > 55 && t < 79).length).toBeGreaterThan(20);
    const kinds = events.filter(({ type }) => type === 'alert').map(({ kind }) => kind);
    for (const kind of ['asystole', 'pause', 'extreme-bradycardia', 'bradycardia']) expect(kinds).not.toContain(kind);
  });

  it('what is no capture says so', async () => {
    await expect(
      openCapture(join(folder, 'none'), { format: undefined, options: {}, rateHz: undefined }),
    ).rejects.toThrow(/no capture that can be read/);
  });
});

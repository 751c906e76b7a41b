import { mkdtempSync, rmSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parse } from 'csv-parse/sync';
import { afterAll, describe, expect, it } from 'vitest';
import { encodeEdf } from '../../../src/cli/export/edf.js';
import { type ExportRecording, Gatherer } from '../../../src/cli/export/recording.js';
import { writeExport } from '../../../src/cli/export/write.js';
import { alertRecording } from '../../../src/cli/export.js';
import { replaySource } from '../../../src/cli/replay/run.js';
import { waveformSource } from '../../../src/cli/replay/source-wfdb.js';
import { UsageError } from '../../../src/cli/usage-error.js';
import { alarmSettingsSchema } from '../../../src/config/alarms.js';
import { readAnnotations, readRecord } from '../../../src/lab/wfdb/index.js';
import { Heart } from '../../../src/simulator/heart/heart.js';
import { makeScenario } from '../../../src/simulator/scenario.js';

const folder = mkdtempSync(join(tmpdir(), 'slothd-export-'));
afterAll(() => rmSync(folder, { recursive: true }));

const NONE = { beatFlags: false, rr: false, heartRate: false, spo2: false, contact: false, battery: false };

/** A minute of a heart that comes to race, through the pipeline. */
async function racing(rateHz: number): Promise<ExportRecording> {
  const samples = new Float32Array(rateHz * 60);
  const heart = new Heart({
    scenario: makeScenario({
      episodes: [
        { rhythm: 'sinus', bpm: 75, seconds: 25 },
        { rhythm: 'sinus-tachycardia', bpm: 170, seconds: 35, rampSeconds: 0 },
      ],
    }),
    seed: 5,
    rateHz,
    waveform: 'ecg',
  });
  for (let i = 0; i < samples.length; i++) {
    heart.step();
    samples[i] = heart.value;
  }
  const waveform = {
    kind: 'ecg',
    rateHz: null,
    unit: 'mV',
    nominal: { offset: 0, perUnit: 1 },
    range: { min: -Infinity, max: Infinity },
  } as const;
  const carries = { ...NONE, waveform };
  const gatherer = new Gatherer();
  await replaySource(waveformSource('heart', rateHz, 'ECG', samples, carries, null), {
    alarms: alarmSettingsSchema.parse({}),
    version: 'test',
    createClassifier: null,
    rhythmModel: null,
    shockableModel: null,
    anomalyModel: null,
    modelInfo: () => null,
    stages: { record() {} },
    speed: null,
    write: () => {},
    tap: gatherer,
  });
  return gatherer.recording({ name: 'heart', startedAt: new Date('2026-03-02T08:09:10.000Z'), rateHz, carries });
}

/** An EDF+ reader after the specification, apart from the writer. */
function readEdf(bytes: Buffer) {
  let at = 0;
  const take = (width: number) => {
    at += width;
    return bytes.toString('latin1', at - width, at).trimEnd();
  };
  const head = {
    version: take(8),
    patient: take(80),
    recording: take(80),
    date: take(8),
    time: take(8),
    bytes: Number(take(8)),
    reserved: take(44),
    records: Number(take(8)),
    recordS: Number(take(8)),
    signals: Number(take(4)),
  };
  const each = (width: number) => Array.from({ length: head.signals }, () => take(width));
  const labels = each(16);
  each(80);
  const units = each(8);
  const physical = [each(8), each(8)].map((row) => row.map(Number));
  const digital = [each(8), each(8)].map((row) => row.map(Number));
  each(80);
  const counts = each(8).map(Number);
  each(32);
  expect(at).toBe(head.bytes);
  const values: number[] = [];
  const annotations: { atS: number; durationS: number | null; text: string }[] = [];
  for (let r = 0; r < head.records; r++) {
    for (let i = 0; i < counts[0]!; i++, at += 2) {
      const share = (bytes.readInt16LE(at) - digital[0]![0]!) / (digital[1]![0]! - digital[0]![0]!);
      values.push(physical[0]![0]! + share * (physical[1]![0]! - physical[0]![0]!));
    }
    at += 2 * counts[1]!;
    const list = bytes.toString('utf8', at - 2 * counts[1]!, at);
    const entries = list.split('\x14\0').filter((entry) => entry.replaceAll('\0', '') !== '');
    for (const [k, entry] of entries.entries()) {
      const [times, text = ''] = entry.replaceAll('\0', '').split('\x14');
      const [onset, duration] = times!.split('\x15');
      expect(onset, JSON.stringify(entry)).toMatch(/^\+\d+(\.\d+)?$/);
      // The first of each record says when it begins and nothing else.
      if (k === 0) {
        expect(Number(onset)).toBeCloseTo(r * head.recordS, 6);
        expect(text).toBe('');
      } else annotations.push({ atS: Number(onset), durationS: duration ? Number(duration) : null, text });
    }
  }
  expect(at).toBe(bytes.length);
  return { head, labels, units, values, annotations };
}

describe('export', () => {
  it('EDF+: header, samples and annotations as the specification has them', async () => {
    const recording = await racing(250);
    const [file] = await writeExport(recording, 'edf', join(folder, 'a.edf'), 'slothd test');
    const { head, labels, units, values, annotations } = readEdf(await readFile(file!));
    expect(head).toMatchObject({
      version: '0',
      patient: 'X X X X',
      date: '02.03.26',
      time: '08.09.10',
      reserved: 'EDF+C',
    });
    expect(head.recording).toBe('Startdate 02-MAR-2026 heart slothd_test X');
    expect([labels, units[0], head.records, head.recordS]).toEqual([['ECG', 'EDF Annotations'], 'mV', 60, 1]);
    let worst = 0;
    for (const [i, value] of recording.signal.samples.entries()) worst = Math.max(worst, Math.abs(value - values[i]!));
    expect(worst).toBeLessThan(0.001);
    const beats = annotations.filter(({ text }) => text === 'N');
    expect(beats.length).toBe(recording.beats.length);
    // Each beat stands on its R wave: nothing within 40 ms is higher by more than the noise.
    for (const { atS } of beats.slice(5)) {
      const around = values.slice(Math.round((atS - 0.04) * 250), Math.round((atS + 0.04) * 250));
      expect(values[Math.round(atS * 250)]!).toBeGreaterThan(Math.max(...around) - 0.25);
    }
    const alert = annotations.find(({ text }) => text.startsWith('alert extreme-tachycardia (high): rateBpm'));
    expect(alert?.atS).toBeGreaterThan(20);
    expect(alert?.atS).toBeLessThan(30);
    expect(alert?.durationS).toBeGreaterThan(20);
  });

  it('EDF+: rates that are no whole number, missing samples, texts with anything in them', () => {
    const samples = Float32Array.from({ length: 1000 }, (_, i) =>
      i > 300 && i <= 400 ? Number.NaN : 2000 + 100 * Math.sin(i),
    );
    const recording: ExportRecording = {
      name: 'x',
      startedAt: null,
      rateHz: 62.37,
      signal: { name: 'Pleth', unit: 'nu', samples },
      beats: [],
      marks: [{ atS: 3, text: 'a\x14b\0c \u00e9' }],
    };
    const { head, values, annotations } = readEdf(Buffer.from(encodeEdf(recording, 's')));
    expect(head).toMatchObject({ date: '01.01.85', time: '00.00.00' });
    expect(62 / head.recordS).toBeCloseTo(62.37, 4);
    expect(values[500]).toBeCloseTo(samples[500]!, 1);
    expect(annotations.map(({ text }) => text)).toEqual(['abc \u00e9', 'signal missing']);
    expect(annotations[1]!.atS).toBeCloseTo(301 / 62.37, 3);
  });

  it('WFDB: our own reader has it back, beats and alerts beside it', async () => {
    const recording = await racing(360);
    await writeExport(recording, 'wfdb', join(folder, 'b'), 'slothd test');
    const record = await readRecord(join(folder, 'b'));
    expect(record.rateHz).toBe(360);
    const { samples } = record.signals[0]!;
    expect(samples.length).toBe(recording.signal.samples.length);
    for (let i = 0; i < samples.length; i += 97) expect(samples[i]).toBeCloseTo(recording.signal.samples[i]!, 2);
    const annotations = await readAnnotations(join(folder, 'b.atr'));
    expect(annotations.filter(({ symbol }) => symbol === 'N').length).toBe(recording.beats.length);
    expect(annotations.some(({ symbol, aux }) => symbol === '"' && aux.startsWith('alert extreme-tachycardia'))).toBe(
      true,
    );
  });

  it('CSV: a row a sample, beats and alerts in theirs', async () => {
    const recording = await racing(125);
    const [file] = await writeExport(recording, 'csv', join(folder, 'c.csv'), 'slothd test');
    const rows = parse(await readFile(file!, 'utf8'), { columns: true }) as Record<string, string>[];
    expect(rows).toHaveLength(125 * 60);
    expect(Object.keys(rows[0]!)).toEqual(['t_s', 'ecg_mV', 'beat', 'rr_ms', 'event']);
    expect(rows.filter(({ beat }) => beat === 'N')).toHaveLength(recording.beats.length);
    expect(rows.some(({ event }) => event!.startsWith('alert extreme-tachycardia'))).toBe(true);
  });

  it('an alert whose recording is gone: the seconds that were sent with it, and a clear word where there are none', async () => {
    const alert = { id: 'a-1', kind: 'pause', priority: 'medium', raisedAt: '2026-03-02T08:00:10.000Z', evidence: {} };
    const daemon = (details: object) => ({
      ask: async (path: string) => (path.startsWith('alerts?') ? [details] : details),
      download: async () => {
        throw new UsageError('no recording of this alert');
      },
    });
    const signal = { startAtMs: 0, rateHz: 100, unit: 'mV', samples: Array.from({ length: 500 }, (_, i) => i / 500) };
    const recording = await alertRecording(daemon({ ...alert, evidence: { signal } }), 'a-1');
    expect(recording.startedAt?.toISOString()).toBe('2026-03-02T08:00:05.000Z');
    expect(recording.signal.samples).toHaveLength(500);
    await expect(alertRecording(daemon(alert), 'a-1')).rejects.toThrow('neither a recording nor a waveform is kept');
  });
});

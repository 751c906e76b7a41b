import { mkdtemp, readdir, readFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { resample } from '../../../src/lab/signal/resample.js';
import {
  openRecord,
  readAnnotations,
  readRecord,
  writeAnnotationsCsv,
  writeRecord,
  writeSignalsCsv,
} from '../../../src/lab/wfdb/index.js';

const fixtures = join(import.meta.dirname, '../../fixtures/wfdb');
const folder = () => mkdtemp(join(tmpdir(), 'slothd-csv-'));
const rowsOf = async (file: string) =>
  (await readFile(file, 'utf8'))
    .trimEnd()
    .split('\n')
    .map((line) => line.split(','));

describe('signals as CSV', () => {
  it('are the samples of the record, with their time and unit', async () => {
    const file = join(await folder(), '208.csv');
    const record = await openRecord(join(fixtures, '208'));
    const whole = await readRecord(join(fixtures, '208'));
    expect(await writeSignalsCsv(file, record)).toBe(whole.lengthSamples);
    await record.close();
    const [head, ...rows] = await rowsOf(file);
    expect(head).toEqual(['time_s', 'MLII_mV', 'V1_mV']);
    expect(rows).toHaveLength(whole.lengthSamples);
    for (const at of [0, 1, 7777, rows.length - 1]) {
      const [time, first, second] = rows[at]!.map(Number);
      expect(time).toBeCloseTo(at / 360, 6);
      expect(first).toBeCloseTo(whole.signals[0]!.samples[at]!, 4);
      expect(second).toBeCloseTo(whole.signals[1]!.samples[at]!, 4);
    }
  });

  it('at another rate are what the resampler makes of them, whatever the chunks', async () => {
    const file = join(await folder(), 'slow.csv');
    const record = await openRecord(join(fixtures, '208'));
    await writeSignalsCsv(file, record, { signals: [1], rateHz: 128, fromSample: 3600, toSample: 7200 });
    await record.close();
    const [head, ...rows] = await rowsOf(file);
    expect(head).toEqual(['time_s', 'V1_mV']);
    const { signals } = await readRecord(join(fixtures, '208'));
    const wanted = resample(signals[1]!.samples.subarray(3600, 7200), 16, 45, { edges: 'hold' });
    expect(rows.map((row) => Number(row[1]!)).slice(0, wanted.length)).toEqual(
      Array.from(wanted, (value) => expect.closeTo(value, 3)),
    );
    expect(rows[128]![0]).toBe('11');
  });

  it('have empty cells where nothing was recorded, resampled or not', async () => {
    const dir = await folder();
    const samples = Float32Array.from({ length: 400 }, (_, i) => (i >= 100 && i < 200 ? Number.NaN : 1));
    const signals = [{ name: 'a, b', unit: 'mV', gainPerUnit: 200, baseline: 0, samples }];
    await writeRecord(join(dir, 'gap'), { rateHz: 100, signals });
    const record = await openRecord(join(dir, 'gap'));
    await writeSignalsCsv(join(dir, 'gap.csv'), record);
    await writeSignalsCsv(join(dir, 'half.csv'), record, { rateHz: 50 });
    await record.close();
    const text = await readFile(join(dir, 'gap.csv'), 'utf8');
    expect(text.split('\n')[0]).toBe('time_s,"a,_b_mV"');
    const empty = (rows: string[][]) => rows.slice(1).flatMap((row, i) => (row[1] === '' ? [i] : []));
    const gap = empty(await rowsOf(join(dir, 'gap.csv')));
    expect([gap[0], gap.at(-1), gap.length]).toEqual([100, 199, 100]);
    const half = empty(await rowsOf(join(dir, 'half.csv')));
    expect([half[0], half.at(-1), half.length]).toEqual([50, 99, 50]);
  });

  it('are not left half written', async () => {
    const dir = await folder();
    const record = await openRecord(join(fixtures, '208'));
    const stop = () => {
      throw new Error('enough');
    };
    await expect(writeSignalsCsv(join(dir, 'x.csv'), record, { onProgress: stop })).rejects.toThrow('enough');
    await expect(writeSignalsCsv(join(dir, 'x.csv'), record, { fromSample: 1e9 })).rejects.toThrow(/no samples/);
    await record.close();
    expect(await readdir(dir)).toEqual([]);
  });
});

describe('annotations as CSV', () => {
  it('are one a row, text quoted where it must be', async () => {
    const dir = await folder();
    const annotations = await readAnnotations(join(fixtures, '208.atr'));
    await writeAnnotationsCsv(join(dir, 'a.csv'), annotations, 360);
    const [head, ...rows] = await rowsOf(join(dir, 'a.csv'));
    expect(head!.join()).toBe('sample,time_s,symbol,subtype,chan,num,aux');
    expect(rows).toHaveLength(annotations.length);
    expect(rows[0]).toEqual([String(annotations[0]!.sample), expect.any(String), '+', '0', '0', '0', '(N']);
    await writeAnnotationsCsv(join(dir, 'b.csv'), [{ ...annotations[0]!, symbol: '"', aux: 'a,"b"' }], 360);
    expect((await readFile(join(dir, 'b.csv'), 'utf8')).split('\n')[1]).toMatch(/,"""",0,0,0,"a,""b"""$/);
  });
});

import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { decodeCapture, isCapture, RECORD } from '../../../src/sensor/capture/container.js';
import { CaptureWriter } from '../../../src/sensor/capture/writer.js';

const header = {
  format: 'ad8232',
  options: { rateHz: 250 },
  link: 'serial:x',
  startedAt: '2026-01-01T00:00:00.000Z',
  recordedBy: 'test',
};
let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'slothd-capture-'));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

async function written(chunks: readonly Uint8Array[]): Promise<Buffer> {
  const file = join(folder, `c${Math.random()}.slothrec`);
  const writer = new CaptureWriter({ file, header, partBytes: 1e9, totalBytes: 1e9 });
  writer.opened(0);
  for (const [i, chunk] of chunks.entries()) writer.chunk(10.25 * (i + 1), chunk);
  writer.close();
  return readFile(file);
}

describe('capture container', () => {
  it('gives back what was written, with its times', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(fc.uint8Array({ maxLength: 300 }), { maxLength: 10 }), async (chunks) => {
        const { header: found, records, damagedBytes } = decodeCapture(await written(chunks));
        expect(found).toMatchObject({ ...header, version: 1, part: 1 });
        expect(damagedBytes).toBe(0);
        const bytes = records.filter(({ type }) => type === RECORD.bytes);
        expect(bytes.map(({ payload }) => [...payload])).toEqual(chunks.map((chunk) => [...chunk]));
        expect(bytes.map(({ tMs }) => tMs)).toEqual(chunks.map((_, i) => 10.25 * (i + 1)));
      }),
      { numRuns: 25 },
    );
  });

  it('cut at any byte after its header, it keeps every whole record', async () => {
    const chunks = Array.from({ length: 5 }, (_, i) => Uint8Array.from({ length: 20 }, (_, k) => i * 20 + k));
    const whole = await written(chunks);
    const ends: number[] = [];
    for (let i = 1; i <= chunks.length; i++) ends.push((await written(chunks.slice(0, i))).length);
    const firstEnd = (await written([])).length;
    for (let cut = firstEnd; cut <= whole.length; cut++) {
      const { records } = decodeCapture(whole.subarray(0, cut));
      const expected = ends.filter((end) => end <= cut).length;
      expect(records.filter(({ type }) => type === RECORD.bytes)).toHaveLength(expected);
    }
  });

  it('a flipped bit costs one record and yields no wrong one', async () => {
    const chunks = Array.from({ length: 4 }, (_, i) => new Uint8Array(16).fill(i + 1));
    const whole = await written(chunks);
    const firstEnd = (await written([])).length;
    for (let bit = firstEnd * 8; bit < whole.length * 8; bit++) {
      const damaged = Buffer.from(whole);
      damaged[bit >> 3]! ^= 1 << (bit & 7);
      const { records, damagedBytes } = decodeCapture(damaged);
      const values = records.filter(({ type }) => type === RECORD.bytes).map(({ payload }) => payload[0]);
      expect(values).toHaveLength(3);
      expect(damagedBytes).toBeGreaterThan(0);
      for (const value of values) expect([1, 2, 3, 4]).toContain(value);
    }
  });

  it('rotates, keeps below its cap, and each part stands alone', async () => {
    const file = join(folder, 'cap.slothrec');
    const writer = new CaptureWriter({ file, header, partBytes: 1000, totalBytes: 3500 });
    for (let i = 0; i < 100; i++) writer.chunk(i, new Uint8Array(100).fill(i));
    writer.close();
    const parts = await readdir(folder);
    expect(parts).not.toContain('cap.slothrec');
    const read = await Promise.all(parts.map(async (name) => decodeCapture(await readFile(join(folder, name)))));
    const total = (await Promise.all(parts.map((name) => readFile(join(folder, name))))).reduce(
      (sum, b) => sum + b.length,
      0,
    );
    expect(total).toBeLessThanOrEqual(3500);
    expect(read.flatMap(({ records }) => records).some(({ tMs }) => tMs === 99)).toBe(true);
    expect(new Set(read.map(({ header: { part } }) => part)).size).toBe(parts.length);
  });

  it('never overwrites, and refuses what is no capture', async () => {
    const options = { file: join(folder, 'x.slothrec'), header, partBytes: 1e6, totalBytes: 1e6 };
    new CaptureWriter(options).close();
    expect(() => new CaptureWriter(options)).toThrow(/EEXIST/);
    expect(isCapture(Buffer.from('SLOTH'))).toBe(false);
    expect(() => decodeCapture(Buffer.from('RIFF....'))).toThrow(/SLOTHREC/);
    expect(() => decodeCapture(Buffer.from('SLOTHREC'))).toThrow(/header/);
  });
});

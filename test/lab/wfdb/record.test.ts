import { copyFile, mkdtemp, readFile, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { loadBeatRecord } from '../../../src/lab/data/beat-records.js';
import { SIGNAL_FORMATS } from '../../../src/lab/wfdb/formats.js';
import { readHeader, readRecord, readSoundRecord, WfdbError, writeRecord } from '../../../src/lab/wfdb/index.js';

const fixtures = join(import.meta.dirname, '../../fixtures/wfdb');
const folder = () => mkdtemp(join(tmpdir(), 'slothd-wfdb-'));

describe('readRecord', () => {
  it('reads a MITDB excerpt in millivolts, with its leads, comments and checksums', async () => {
    const record = await readRecord(join(fixtures, '100'));
    expect(record).toMatchObject({ name: '100', rateHz: 360, lengthSamples: 21600 });
    expect(record.signals.map(({ name, unit, gainPerUnit, baseline }) => [name, unit, gainPerUnit, baseline])).toEqual([
      ['MLII', 'mV', 200, 1024],
      ['V5', 'mV', 200, 1024],
    ]);
    expect(record.signals.map((signal) => signal.checksumOk)).toEqual([true, true]);
    // First sample 995, 1011 in the database's own header: (995 - 1024) / 200.
    expect(record.signals[0]!.samples[0]).toBeCloseTo(-0.145, 6);
    expect(record.signals[1]!.samples[0]).toBeCloseTo(-0.065, 6);
    expect(record.comments[0]).toBe('69 M 1085 1629 x1');
  });

  it('reads a .mat with a byte offset (16+24), as CinC 2017 has them', async () => {
    const dir = await folder();
    const bytes = Buffer.alloc(24 + 8);
    for (const [i, value] of [-127, 0, 1000, -32768].entries()) bytes.writeInt16LE(value, 24 + 2 * i);
    await writeFile(join(dir, 'A1.mat'), bytes);
    await writeFile(join(dir, 'A1.hea'), 'A1 1 300 4 05:05:15 1/05/2000 \nA1.mat 16+24 1000/mV 16 0 -127 0 0 ECG \n');
    const record = await readRecord(join(dir, 'A1'));
    const samples = [...record.signals[0]!.samples];
    expect(samples[0]).toBeCloseTo(-0.127, 6);
    expect(samples.slice(1)).toEqual([0, 1, Number.NaN]);
    expect(record.startTime).toBe('05:05:15');
  });

  it('undoes skew, and has no value where the skewed signal ends', async () => {
    const dir = await folder();
    const bytes = Buffer.alloc(2 * 2 * 4);
    for (let frame = 0; frame < 4; frame++) {
      bytes.writeInt16LE(frame, 4 * frame);
      bytes.writeInt16LE(frame === 0 ? 99 : frame - 1, 4 * frame + 2);
    }
    await writeFile(join(dir, 's.dat'), bytes);
    await writeFile(join(dir, 's.hea'), 's 2 100 4\ns.dat 16 1\ns.dat 16:1 1\n');
    const { signals } = await readRecord(join(dir, 's'));
    expect([...signals[0]!.samples]).toEqual([0, 1, 2, 3]);
    expect([...signals[1]!.samples]).toEqual([0, 1, 2, Number.NaN]);
  });

  it('averages signals that are sampled several times a frame', async () => {
    const dir = await folder();
    const bytes = Buffer.alloc(2 * 3 * 2);
    for (const [i, value] of [1, 3, 10, 5, -32768, 20].entries()) bytes.writeInt16LE(value, 2 * i);
    await writeFile(join(dir, 'm.dat'), bytes);
    await writeFile(join(dir, 'm.hea'), 'm 2 125 2\nm.dat 16x2 1 16 0 0 0 0 fast\nm.dat 16 1 16 0 0 0 0 slow\n');
    const { signals } = await readRecord(join(dir, 'm'));
    expect([...signals[0]!.samples]).toEqual([2, 5]);
    expect([...signals[1]!.samples]).toEqual([10, 20]);
  });

  it('takes the length from the file where the header gives none', async () => {
    const dir = await folder();
    await writeFile(join(dir, 'n.dat'), Buffer.alloc(2 * 7));
    await writeFile(join(dir, 'n.hea'), 'n 1 250\nn.dat 16\n');
    expect((await readRecord(join(dir, 'n'))).lengthSamples).toBe(7);
  });

  it('reads a header without signals, as RR databases have', async () => {
    const dir = await folder();
    await writeFile(join(dir, 'rr.hea'), 'rr 0 128 0\n# Age: 64 Sex: F\n');
    expect(await readRecord(join(dir, 'rr'))).toMatchObject({ rateHz: 128, lengthSamples: 0, signals: [] });
  });
});

describe('records that cannot be used are named with what is wrong', () => {
  const cases: readonly [string, string | Buffer, RegExp][] = [
    ['binary garbage', Buffer.from([0, 1, 2, 250, 7]), /not a WFDB header/],
    ['text garbage', 'hello world, this is no header\n', /not a WFDB header/],
    ['nothing', '', /no record line/],
    ['missing signal lines', 'x 2 360 100\nx.dat 212\n', /truncated: 2 signals promised, 1 described/],
    ['a rate of nought', 'x 1 0 100\nx.dat 212\n', /no usable sampling rate/],
    [
      'an unknown format',
      'x 1 360 100\nx.dat 508\n',
      /format 508 is not supported \(supported: 16, 61, 80, 212, 310, 311\)/,
    ],
    ['a path outside its folder', 'x 1 360 100\n../../etc/passwd 16\n', /not a plain file name/],
    ['a missing signal file', 'x 1 360 100\nx.dat 16\n', /x\.dat: signal file cannot be read \(ENOENT\)/],
  ];
  it.each(cases)('%s', async (_, header, message) => {
    const dir = await folder();
    await writeFile(join(dir, 'x.hea'), header);
    const attempt = readRecord(join(dir, 'x'));
    await expect(attempt).rejects.toBeInstanceOf(WfdbError);
    await expect(attempt).rejects.toThrow(message);
  });

  it('a missing header', async () => {
    await expect(readHeader('/nonexistent/record')).rejects.toThrow(/record\.hea: cannot be read \(ENOENT\)/);
  });

  it('a truncated signal file', async () => {
    const dir = await folder();
    await copyFile(join(fixtures, '100.hea'), join(dir, '100.hea'));
    await writeFile(join(dir, '100.dat'), (await readFile(join(fixtures, '100.dat'))).subarray(0, 1000));
    await expect(readRecord(join(dir, '100'))).rejects.toThrow(/promises 21600 samples a signal, the file holds 333/);
  });

  it('a changed sample shows in the checksum', async () => {
    const dir = await folder();
    await copyFile(join(fixtures, '100.hea'), join(dir, '100.hea'));
    const bytes = await readFile(join(fixtures, '100.dat'));
    bytes[600] = bytes[600]! ^ 1;
    await writeFile(join(dir, '100.dat'), bytes);
    const { signals } = await readRecord(join(dir, '100'));
    expect(signals.map((signal) => signal.checksumOk)).toEqual([false, true]);
    // Training takes none of it.
    await expect(readSoundRecord(join(dir, '100'))).rejects.toThrow(/signal MLII does not add up to its checksum/);
    await copyFile(join(fixtures, '100.atr'), join(dir, '100.atr'));
    await expect(loadBeatRecord(dir, '100', null)).rejects.toThrow(/signal MLII does not add up to its checksum/);
  });
});

describe('signal formats', () => {
  // Byte for byte as signal(5) describes them.
  const vectors: readonly [number, number[], number[]][] = [
    [16, [0x34, 0x12, 0xff, 0xff], [0x1234, -1]],
    [61, [0x12, 0x34, 0xff, 0xff], [0x1234, -1]],
    [80, [0, 128, 255], [-128, 0, 127]],
    [212, [0xe3, 0x33, 0xf3], [995, 1011]],
    [212, [0x00, 0x08], [-2048]],
    [310, [0xff, 0x0f, 0x00, 0xf8], [-1, 0, -31]],
    [311, [0xff, 0x03, 0xf0, 0x1f], [-1, 0, 511]],
  ];
  it.each(vectors)('format %i decodes its vector', (id, bytes, expected) => {
    const out = new Int32Array(expected.length);
    SIGNAL_FORMATS.get(id)!.decode(Uint8Array.from(bytes), out);
    expect([...out]).toEqual(expected);
  });

  it.each([...SIGNAL_FORMATS.values()])('format $id: decode undoes encode, for any samples and any count', (format) => {
    const sample = fc.integer({ min: format.min - 1, max: format.max });
    fc.assert(
      fc.property(fc.array(sample, { maxLength: 40 }), (samples) => {
        const bytes = format.encode(Int32Array.from(samples));
        expect(bytes.length).toBe(format.byteLength(samples.length));
        expect(format.sampleCount(bytes.length)).toBeGreaterThanOrEqual(samples.length);
        const out = new Int32Array(samples.length);
        format.decode(bytes, out);
        expect([...out]).toEqual(samples);
      }),
    );
  });

  it('writeRecord gives back the very bytes of an excerpt', async () => {
    const dir = await folder();
    const record = await readRecord(join(fixtures, '208'));
    await writeRecord(join(dir, '208'), record, { format: 212 });
    expect(await readFile(join(dir, '208.dat'))).toEqual(await readFile(join(fixtures, '208.dat')));
    expect(await readRecord(join(dir, '208'))).toEqual(record);
  });
});

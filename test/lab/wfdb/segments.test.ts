import { mkdtemp, open, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { openRecord, readHeader, readRecord, WfdbError, writeRecord } from '../../../src/lab/wfdb/index.js';

const folder = () => mkdtemp(join(tmpdir(), 'slothd-segments-'));
const signal = (name: string, samples: number[], gainPerUnit = 100) => ({
  ...{ name, unit: 'mV', gainPerUnit, baseline: 0, samples: Float32Array.from(samples) },
});
const gone = Number.NaN;

describe('a record in segments of fixed layout', () => {
  it('is its segments in a row, each with its own gain and format, and nothing where nothing was recorded', async () => {
    const dir = await folder();
    await writeRecord(join(dir, 'a_1'), { rateHz: 250, signals: [signal('I', [1, 2, 3]), signal('V5', [4, 5, 6])] });
    await writeRecord(
      join(dir, 'a_2'),
      { rateHz: 250, signals: [signal('I', [7, 8], 50), signal('V5', [9, 10], 50)] },
      { format: 212 },
    );
    await writeFile(join(dir, 'a.hea'), 'a/3 2 250 7 10:00:00\na_1 3\n~ 2\na_2 2\n# a person\n');
    const record = await readRecord(join(dir, 'a'));
    expect(record).toMatchObject({ name: 'a', rateHz: 250, lengthSamples: 7, startTime: '10:00:00' });
    expect(record.comments).toEqual(['a person']);
    expect(record.signals.map(({ name, unit }) => [name, unit])).toEqual([
      ['I', 'mV'],
      ['V5', 'mV'],
    ]);
    expect([...record.signals[0]!.samples]).toEqual([1, 2, 3, gone, gone, 7, 8]);
    expect([...record.signals[1]!.samples]).toEqual([4, 5, 6, gone, gone, 9, 10]);
    expect((await readHeader(join(dir, 'a'))).signals).toHaveLength(2);
  });
});

describe('a record in segments of variable layout', () => {
  it('puts each segment‘s signals where the layout has them', async () => {
    const dir = await folder();
    await writeFile(
      join(dir, 'v_layout.hea'),
      'v_layout 3 125 0\n~ 0 200/mV 12 0 0 0 0 II\n~ 0 200/mV 12 0 0 0 0 V\n~ 0 10/mmHg 12 0 0 0 0 ABP\n',
    );
    await writeRecord(join(dir, 'v_1'), { rateHz: 125, signals: [signal('ABP', [90, 91]), signal('II', [1, 2])] });
    await writeRecord(join(dir, 'v_2'), { rateHz: 125, signals: [signal('V', [5])] });
    await writeFile(join(dir, 'v.hea'), 'v/4 3 125 6\nv_layout 0\nv_1 2\n~ 3\nv_2 1\n');
    const { signals } = await readRecord(join(dir, 'v'));
    expect(signals.map(({ name, unit }) => [name, unit])).toEqual([
      ['II', 'mV'],
      ['V', 'mV'],
      ['ABP', 'mmHg'],
    ]);
    expect([...signals[0]!.samples]).toEqual([1, 2, gone, gone, gone, gone]);
    expect([...signals[1]!.samples]).toEqual([gone, gone, gone, gone, gone, 5]);
    expect([...signals[2]!.samples]).toEqual([90, 91, gone, gone, gone, gone]);
  });
});

describe('records in segments that cannot be used are named with what is wrong', () => {
  const cases: readonly [string, string, RegExp][] = [
    ['a missing segment', 'x/2 1 250 5\nx_1 3\nx_2 2\n', /x_2\.hea: cannot be read \(ENOENT\)/],
    ['fewer segments than promised', 'x/3 1 250 5\nx_1 3\nx_1 2\n', /truncated: 3 segments promised, 2 listed/],
    ['another length', 'x/1 1 250 5\nx_1 3\n', /promises 5 samples a signal, its segments have 3/],
    ['another number of signals', 'x/1 2 250 3\nx_1 3\n', /promises 2 signals, segment x_1 has 1/],
    ['another rate', 'x/1 1 360 3\nx_1 3\n', /has 250 Hz, the record has 360 Hz/],
    ['itself', 'x/1 1 250 3\nx 3\n', /segment x is itself a record in segments|is itself/],
    ['a path', 'x/1 1 250 3\n../x_1 3\n', /is not the name of a record beside this one/],
    ['a file that is shorter', 'x/1 1 250 9\nx_1 9\n', /promises 9 samples a signal, the file holds 3/],
    ['no count', 'x/two 1 250 3\nx_1 3\n', /no usable number of segments/],
    ['an endless gap', 'x/2 1 250\nx_1 3\n~ 999999999999\n', /too many to read at once/],
  ];
  it.each(cases)('%s', async (_, header, message) => {
    const dir = await folder();
    await writeRecord(join(dir, 'x_1'), { rateHz: 250, signals: [signal('I', [1, 2, 3])] });
    await writeFile(join(dir, 'x.hea'), header);
    const attempt = readRecord(join(dir, 'x'));
    await expect(attempt).rejects.toBeInstanceOf(WfdbError);
    await expect(attempt).rejects.toThrow(message);
  });
});

describe('openRecord', () => {
  it('gives the same samples in chunks of any size as at once, in every format', async () => {
    const dir = await folder();
    const samples = Array.from({ length: 101 }, (_, i) => ((i * 37) % 90) / 100 - 0.4);
    for (const format of [16, 61, 80, 212, 310, 311]) {
      const signals = [signal('I', samples), signal('II', samples.toReversed()), signal('III', samples)];
      await writeRecord(join(dir, 'r'), { rateHz: 250, signals }, { format });
      const whole = await readRecord(join(dir, 'r'));
      expect(whole.signals.map(({ checksumOk }) => checksumOk)).toEqual([true, true, true]);
      for (const chunkSamples of [1, 7, 64]) {
        const record = await openRecord(join(dir, 'r'));
        const got: number[][] = [[], [], []];
        for await (const { firstSample, signals: parts } of record.chunks({ chunkSamples, fromSample: 5 })) {
          expect(firstSample).toBe(5 + got[0]!.length);
          parts.forEach((part, i) => {
            got[i]!.push(...part);
          });
        }
        await record.close();
        expect(got).toEqual(whole.signals.map((one) => [...one.samples.subarray(5)]));
      }
    }
  });

  it('undoes skew across chunks', async () => {
    const dir = await folder();
    const bytes = Buffer.alloc(2 * 2 * 6);
    for (let frame = 0; frame < 6; frame++) {
      bytes.writeInt16LE(frame, 4 * frame);
      bytes.writeInt16LE(frame - 2, 4 * frame + 2);
    }
    await writeFile(join(dir, 's.dat'), bytes);
    await writeFile(join(dir, 's.hea'), 's 2 100 6\ns.dat 16 1\ns.dat 16:2 1\n');
    const record = await openRecord(join(dir, 's'));
    const second: number[] = [];
    for await (const { signals } of record.chunks({ chunkSamples: 3 })) second.push(...signals[1]!);
    await record.close();
    expect(second).toEqual([0, 1, 2, 3, gone, gone]);
  });

  it('reads 24 hours of twelve leads at 500 Hz in little memory', async () => {
    const dir = await folder();
    const frames = 24 * 3600 * 500;
    // A file with a hole is as long as a real one and takes no room on the disk: 778 MB that reading at once would not bear.
    const file = await open(join(dir, 'day.dat'), 'w');
    await file.truncate((frames * 12 * 3) / 2);
    await file.close();
    const lines = Array.from({ length: 12 }, (_, i) => `day.dat 212 200 12 0 0 0 0 lead${i}`);
    await writeFile(join(dir, 'day.hea'), `day 12 500 ${frames}\n${lines.join('\n')}\n`);
    await expect(readRecord(join(dir, 'day'))).rejects.toThrow(/too many to read at once/);
    const record = await openRecord(join(dir, 'day'));
    expect(record.lengthSamples).toBe(frames);
    const before = process.memoryUsage.rss();
    let most = 0;
    let seen = 0;
    // Every sixteenth minute: where it reads does not change what it needs.
    for (let minute = 0; minute < 24 * 60; minute += 16) {
      const range = { fromSample: minute * 30_000, toSample: (minute + 1) * 30_000 };
      for await (const { signals } of record.chunks(range)) seen += signals[11]!.length;
      most = Math.max(most, process.memoryUsage.rss() - before);
    }
    await record.close();
    expect(seen).toBe(90 * 30_000);
    expect(most).toBeLessThan(300e6);
  });
});

import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  AF,
  FLUTTER,
  loadRhythmRecord,
  OTHER,
  rhythmArrays,
  UNLABELLED,
} from '../../../src/lab/data/rhythm-records.js';
import { type Annotation, writeAnnotations } from '../../../src/lab/wfdb/index.js';

const mark = (sample: number, symbol: string, aux = ''): Annotation => ({
  sample,
  symbol,
  subtype: 0,
  chan: 0,
  num: 0,
  aux,
});

/** A beat every 200 ticks of 250 Hz. */
const beats = (count: number, from = 0) => Array.from({ length: count }, (_, i) => mark(from + 200 * i, 'N'));

describe('intervals of an annotated record', () => {
  it('carry the rhythm in force at the beat that ends them', () => {
    const rhythm = [mark(1000, '+', '(N'), mark(3000, '+', '(AFIB'), mark(5000, '+', '(AFL'), mark(7000, '+', '(SVTA')];
    const { count, labels, tMs, episodes } = rhythmArrays(beats(50), rhythm, 250);
    expect(count).toBe(49);
    const at = (sample: number) => labels[tMs.indexOf((sample * 1000) / 250)];
    expect([at(800), at(1000), at(2800), at(3000), at(5000), at(7000)]).toEqual([
      UNLABELLED,
      OTHER,
      OTHER,
      AF,
      FLUTTER,
      OTHER,
    ]);
    expect(episodes).toEqual([
      { label: AF, startMs: 12_000, endMs: 20_000 },
      { label: FLUTTER, startMs: 20_000, endMs: 28_000 },
    ]);
  });

  it('an episode open at the end ends with the record, one said twice is one', () => {
    const { episodes } = rhythmArrays(beats(50), [mark(3000, '+', '(AFIB'), mark(4000, '+', '(AFIB')], 250);
    expect(episodes).toEqual([{ label: AF, startMs: 12_000, endMs: 39_200 }]);
  });

  it('are cleaned as the daemon cleans them: a missed beat is no interval, a hole breaks the row', () => {
    const missing = [...beats(30), ...beats(30, 31 * 200)];
    const { count, unbroken, rrMs } = rhythmArrays(missing, null, 250);
    expect(count).toBe(58);
    expect(Math.max(...rrMs)).toBe(800);
    expect(unbroken[57]).toBe(58);
    const holed = rhythmArrays([...beats(30), ...beats(30, 60_000)], null, 250);
    expect(holed.count).toBe(58);
    expect(holed.unbroken[28]).toBe(29);
    expect(holed.unbroken[29]).toBe(1);
  });

  it('without rhythm annotations everything is normal rhythm; ectopic beats are told', () => {
    const row = beats(20);
    row[10] = mark(2000, 'V');
    const { labels, ectopic } = rhythmArrays(row, null, 250);
    expect(new Set(labels)).toEqual(new Set([OTHER]));
    expect(ectopic.indexOf(1)).toBe(9);
  });
});

describe('a record on the disk', () => {
  let folder: string;
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'slothd-rhythm-'));
  });
  afterAll(() => rm(folder, { recursive: true, force: true }));

  it('is read from the files of its database, and from the cache the same', async () => {
    const afdb = join(folder, 'afdb');
    await mkdir(afdb);
    await writeAnnotations(join(afdb, '1.qrs'), beats(100));
    await writeAnnotations(join(afdb, '1.atr'), [mark(0, '+', '(N'), mark(10_000, '+', '(AFIB')]);
    const read = await loadRhythmRecord(afdb, '1', join(folder, 'cache'));
    expect(read.database).toBe('afdb');
    expect(read.count).toBe(99);
    expect(read.episodes).toHaveLength(1);
    await writeFile(join(afdb, '1.qrs'), 'gone');
    expect(await loadRhythmRecord(afdb, '1', join(folder, 'cache'))).toEqual(read);
  });

  it('of an unknown database is refused', async () => {
    await expect(loadRhythmRecord('/data/vfdb', '418', null)).rejects.toThrow('rhythm is read of');
  });
});

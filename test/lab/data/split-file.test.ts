import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { LabDataError } from '../../../src/lab/data/find.js';
import {
  foldsByPatient,
  parseSplit,
  readSplit,
  SHIPPED_SPLITS,
  sharedPatients,
  shippedSplitFile,
} from '../../../src/lab/data/split-file.js';
import { MITDB_DS1, MITDB_DS2, SVDB } from '../../../src/lab/data/splits.js';

describe('the splits that are shipped', () => {
  it('are all in config/splits, read without a fault', async () => {
    const files = await readdir(join(import.meta.dirname, '../../../config/splits'));
    expect(files.sort()).toEqual(SHIPPED_SPLITS.map((name) => `${name}.json`).sort());
    for (const name of SHIPPED_SPLITS) expect(readSplit(shippedSplitFile(name)).name).toBe(name);
  });

  it('has the halves of de Chazal, whose 44 records share one person', () => {
    expect([MITDB_DS1.length, MITDB_DS2.length, SVDB.length]).toEqual([22, 22, 78]);
    expect(MITDB_DS1.filter((record) => MITDB_DS2.includes(record))).toEqual([]);
    expect([...MITDB_DS1, ...MITDB_DS2].filter((record) => ['102', '104', '107', '217'].includes(record))).toEqual([]);
    expect(sharedPatients(readSplit(shippedSplitFile('beat-ecg')))).toEqual([['mitdb/201', 'mitdb/202']]);
    const folds = Object.values(readSplit(shippedSplitFile('shockable-ecg')).parts);
    expect(folds.map((records) => records.length)).toEqual([5, 5, 4, 4, 4]);
  });
});

describe('a split that cannot be used is named with what is wrong', () => {
  const cases: readonly [string, string, RegExp][] = [
    ['no JSON', 'train: mitdb/100', /x\.json: is not JSON/],
    ['no parts', '{}', /has no "parts"/],
    ['null', 'null', /has no "parts"/],
    ['no records', '{"parts":{"train":["100"]}}', /part "train" is not a list of records such as "mitdb\/100"/],
    ['a record twice', '{"parts":{"a":["m/1"],"b":["m/1"]}}', /record m\/1 is in part "a" and in part "b"/],
    ['no patients', '{"parts":{},"patients":["m/1"]}', /"patients" is not a list of lists/],
  ];
  it.each(cases)('%s', (_, text, message) => {
    expect(() => parseSplit('x.json', text)).toThrow(message);
    expect(() => parseSplit('x.json', text)).toThrow(LabDataError);
  });

  it('a missing file', () => {
    expect(() => readSplit('/nonexistent/split.json')).toThrow(/cannot be read \(ENOENT\)/);
  });
});

describe('folds by patient', () => {
  const records = (count: number) => Array.from({ length: count }, (_, i) => `${i % 3 === 0 ? 'a' : 'b'}/${i}`);

  it('never part a person, use every fold, and spread each database evenly, for any seed', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 12, max: 60 }),
        fc.integer({ min: 2, max: 5 }),
        fc.nat(1000),
        (count, folds, seed) => {
          const all = records(count);
          const patients = [
            ['b/1', 'b/2', 'b/4'],
            ['a/0', 'b/5'],
          ];
          const foldOf = foldsByPatient(all, folds, { patients, seed });
          expect(foldsByPatient(all, folds, { patients, seed })).toEqual(foldOf);
          for (const own of patients) expect(new Set(own.map((record) => foldOf[all.indexOf(record)])).size).toBe(1);
          for (const database of ['a/', 'b/']) {
            const counts = new Array<number>(folds).fill(0);
            all.forEach((record, i) => {
              if (record.startsWith(database)) counts[foldOf[i]!]!++;
            });
            expect(Math.max(...counts) - Math.min(...counts)).toBeLessThanOrEqual(3);
          }
        },
      ),
      { numRuns: 200 },
    );
    expect(foldsByPatient(records(30), 3, { seed: 1 })).not.toEqual(foldsByPatient(records(30), 3, { seed: 2 }));
  });

  it('need two folds, and as many people', () => {
    expect(() => foldsByPatient(records(9), 1)).toThrow(/two at least/);
    expect(() => foldsByPatient(['a/1', 'a/2', 'a/3'], 2, { patients: [['a/1', 'a/2', 'a/3']] })).toThrow(
      /1 people cannot be dealt to 2 folds/,
    );
  });
});

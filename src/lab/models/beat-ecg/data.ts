import { access, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { type BeatEcgPreprocessing, standardise } from '../../../inference/windows/beat-ecg.js';
import { BeatSignal, MODEL_RATE_HZ } from '../../../inference/windows/beat-signal.js';
import { loadRecordedNoise, type RecordedNoise } from '../../augment/recorded-noise.js';
import { type BeatRecord, FEATURE_COUNT, loadBeatRecord } from '../../data/beat-records.js';
import { type IntervalRecord, loadIntervalRecord } from '../../data/interval-records.js';
import { MITDB_DS1, MITDB_DS2, SVDB } from '../../data/splits.js';
import type { BeatEcgRecipe } from './recipe.js';

export interface BeatEcgDataOptions {
  /** Folder that holds mitdb/ and svdb/. */
  readonly dataFolder: string;
  /** Where prepared records are kept between runs; null keeps nothing. */
  readonly cacheFolder: string | null;
  onProgress?(done: number, of: number, what: string): void;
}

/** DS1 and the records of svdb that are present: all that training, calibration and choices may see. */
export async function loadTrainingRecords(options: BeatEcgDataOptions): Promise<BeatRecord[]> {
  const { dataFolder } = options;
  const svdb: [string, string][] = [];
  for (const record of SVDB) {
    const present = await access(join(dataFolder, 'svdb', `${record}.hea`)).then(
      () => true,
      () => false,
    );
    if (present) svdb.push(['svdb', record]);
  }
  return loadAll([...MITDB_DS1.map((record): [string, string] => ['mitdb', record]), ...svdb], options);
}

/**
 * The other lead of the same people: trained on, for other places of the electrodes, and never judged on.
 * @param of records that may be trained on; those with one lead have no other
 */
export async function loadOtherLeads(
  of: readonly BeatRecord[],
  { dataFolder, cacheFolder, onProgress }: BeatEcgDataOptions,
): Promise<BeatRecord[]> {
  const leads: BeatRecord[] = [];
  for (const [i, { database, record }] of of.entries()) {
    leads.push(await loadBeatRecord(join(dataFolder, database), record, cacheFolder, 'other'));
    onProgress?.(i + 1, of.length, `${database}/${record}, other lead`);
  }
  return leads.filter(({ count }) => count > 0);
}

/** Those of `others` whose people are among `records`. */
export function ofSamePeople(others: readonly BeatRecord[], records: readonly BeatRecord[]): BeatRecord[] {
  const people = new Set(records.map(({ database, record }) => `${database}/${record}`));
  return others.filter(({ database, record }) => people.has(`${database}/${record}`));
}

/** ltafdb and nsr2db, as far as they are present: beats without a signal, for the branch that sees intervals alone. */
export async function loadIntervalRecords(options: BeatEcgDataOptions): Promise<IntervalRecord[]> {
  const records: IntervalRecord[] = [];
  for (const database of ['ltafdb', 'nsr2db']) {
    const folder = join(options.dataFolder, database);
    const files = await readdir(folder).catch(() => []);
    const names = files.filter((file) => file.endsWith('.hea')).map((file) => file.slice(0, -4));
    for (const [i, name] of names.sort().entries()) {
      records.push(await loadIntervalRecord(folder, name, options.cacheFolder));
      options.onProgress?.(i + 1, names.length, `${database}/${name}`);
    }
  }
  return records;
}

/** DS2, for the final evaluation and nothing else. */
export async function loadTestRecords(options: BeatEcgDataOptions): Promise<BeatRecord[]> {
  return loadAll(
    MITDB_DS2.map((record): [string, string] => ['mitdb', record]),
    options,
  );
}

async function loadAll(names: [string, string][], options: BeatEcgDataOptions): Promise<BeatRecord[]> {
  const records: BeatRecord[] = [];
  for (const [database, record] of names) {
    records.push(await loadBeatRecord(join(options.dataFolder, database), record, options.cacheFolder));
    options.onProgress?.(records.length, names.length, `${database}/${record}`);
  }
  return records;
}

/** What the recipe's augmentation needs of nstdb, through the filters that the beats went through; undefined where it needs none. */
export async function noiseOf(recipe: BeatEcgRecipe, dataFolder: string): Promise<RecordedNoise | undefined> {
  const { muscle = 0, baseline = 0 } = recipe.augmentation;
  if (muscle === 0 && baseline === 0) return undefined;
  return loadRecordedNoise(dataFolder, MODEL_RATE_HZ, (samples) => {
    const signal = new BeatSignal(MODEL_RATE_HZ);
    return samples.map((value) => {
      signal.push(value);
      return signal.at(signal.length - 1);
    });
  });
}

/** Mean and deviation of each feature, every record counting the same. */
export function featureConstants(records: readonly BeatRecord[]): BeatEcgPreprocessing {
  const mean = new Array<number>(FEATURE_COUNT).fill(0);
  const square = new Array<number>(FEATURE_COUNT).fill(0);
  for (const { count, features } of records) {
    const weight = 1 / (Math.max(1, count) * records.length);
    for (let i = 0; i < features.length; i++) {
      mean[i % FEATURE_COUNT]! += weight * features[i]!;
      square[i % FEATURE_COUNT]! += weight * features[i]! ** 2;
    }
  }
  // Six digits: what the manifest carries is exactly what the training used.
  const round = (value: number) => Number(value.toPrecision(6));
  return {
    featureMean: mean.map(round),
    featureDeviation: square.map((sum, i) => round(Math.max(0.01, Math.sqrt(Math.max(0, sum - mean[i]! ** 2))))),
  };
}

/** Records with features as the model takes them; windows are shared with the originals. */
export function standardised(records: readonly BeatRecord[], constants: BeatEcgPreprocessing): BeatRecord[] {
  return records.map((record) => {
    const features = record.features.slice();
    for (let at = 0; at < features.length; at += FEATURE_COUNT) {
      standardise(features.subarray(at, at + FEATURE_COUNT), constants);
    }
    return { ...record, features };
  });
}

/**
 * Folds over patients: each record is in the test part of exactly one, both databases spread evenly.
 * @returns for each record the number of its fold
 */
export function patientFolds(records: readonly BeatRecord[], folds: number): number[] {
  const seen = new Map<string, number>();
  return records.map(({ database }) => {
    const index = seen.get(database) ?? 0;
    seen.set(database, index + 1);
    return index % folds;
  });
}

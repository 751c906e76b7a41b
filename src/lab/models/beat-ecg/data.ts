import { access, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { type BeatEcgPreprocessing, standardise } from '../../../inference/windows/beat-ecg.js';
import { BeatSignal, MODEL_RATE_HZ } from '../../../inference/windows/beat-signal.js';
import { loadRecordedNoise, type RecordedNoise } from '../../augment/recorded-noise.js';
import { type BeatRecord, FEATURE_COUNT, loadBeatRecord } from '../../data/beat-records.js';
import { type IntervalRecord, loadIntervalRecord } from '../../data/interval-records.js';
import type { BeatEcgRecipe } from './recipe.js';
import { type BeatSplit, databasesOf, shippedSplit } from './split.js';

export interface BeatEcgDataOptions {
  /** Folder that holds mitdb/ and svdb/, or the databases of a split of one's own. */
  readonly dataFolder: string;
  /** Whom to train and test on; slothd's own split unless told. */
  readonly split?: BeatSplit;
  /** Where prepared records are kept between runs; null keeps nothing. */
  readonly cacheFolder: string | null;
  onProgress?(done: number, of: number, what: string): void;
}

/** All that training, calibration and choices may see. Of the shipped split's svdb the records that are present. */
export async function loadTrainingRecords(options: BeatEcgDataOptions): Promise<BeatRecord[]> {
  const { dataFolder, split = shippedSplit() } = options;
  const present: string[] = [];
  for (const record of split.train) {
    const mayLack = split.own === null && record.startsWith('svdb/');
    if (!mayLack || (await isPresent(join(dataFolder, `${record}.hea`)))) present.push(record);
  }
  return loadAll(present, options);
}

async function isPresent(file: string): Promise<boolean> {
  return access(file).then(
    () => true,
    () => false,
  );
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

/**
 * ltafdb and nsr2db, as far as they are present: beats without a signal, for the branch that sees intervals alone. A database
 * that a split of somebody's own names is left out whole: its people may be those who are tested on.
 */
export async function loadIntervalRecords(options: BeatEcgDataOptions): Promise<IntervalRecord[]> {
  const { split = shippedSplit() } = options;
  const named = databasesOf([...split.train, ...split.test]);
  const records: IntervalRecord[] = [];
  for (const database of ['ltafdb', 'nsr2db'].filter((name) => !named.includes(name))) {
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

/** The people tested on (DS2, unless the split is somebody's own), for the final evaluation and nothing else. */
export async function loadTestRecords(options: BeatEcgDataOptions): Promise<BeatRecord[]> {
  const { split = shippedSplit() } = options;
  return loadAll(split.test, options);
}

/** @param names as `database/record` */
async function loadAll(names: readonly string[], options: BeatEcgDataOptions): Promise<BeatRecord[]> {
  const records: BeatRecord[] = [];
  for (const name of names) {
    const [database, record] = name.split('/') as [string, string];
    records.push(await loadBeatRecord(join(options.dataFolder, database), record, options.cacheFolder));
    options.onProgress?.(records.length, names.length, name);
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

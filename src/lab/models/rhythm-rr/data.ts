import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { RhythmRrPreprocessing } from '../../../inference/windows/rhythm-rr.js';
import { LabDataError } from '../../data/find.js';
import { loadRhythmRecord, type RhythmRecord } from '../../data/rhythm-records.js';
import { FEATURE_VALUES, RhythmSampler } from './sampling.js';

export interface RhythmRrDataOptions {
  /** Folder that holds ltafdb/ and nsr2db/ (training), afdb/ and mitdb/ (test). */
  readonly dataFolder: string;
  /** Where prepared records are kept between runs; null keeps nothing. */
  readonly cacheFolder: string | null;
  onProgress?(done: number, of: number, what: string): void;
}

/** ltafdb and nsr2db: all that training, calibration and choices may see. */
export async function loadTrainingRecords(options: RhythmRrDataOptions): Promise<RhythmRecord[]> {
  return [...(await loadAll('ltafdb', 'atr', options)), ...(await loadAll('nsr2db', 'ecg', options))];
}

/** afdb and mitdb, for the final evaluation and nothing else. */
export async function loadTestRecords(options: RhythmRrDataOptions): Promise<RhythmRecord[]> {
  return [...(await loadAll('afdb', 'qrs', options)), ...(await loadAll('mitdb', 'atr', options))];
}

async function loadAll(database: string, extension: string, options: RhythmRrDataOptions): Promise<RhythmRecord[]> {
  const folder = join(options.dataFolder, database);
  const files = await readdir(folder).catch(() => []);
  const names = files.filter((file) => file.endsWith(`.${extension}`)).map((file) => file.slice(0, -4));
  if (names.length === 0) {
    throw new LabDataError(`there are no recordings in ${folder}: \`slothd data get ${database}\` downloads them`);
  }
  const records: RhythmRecord[] = [];
  for (const name of names.sort()) {
    records.push(await loadRhythmRecord(folder, name, options.cacheFolder));
    options.onProgress?.(records.length, names.length, `${database}/${name}`);
  }
  return records;
}

/** Windows that the features' mean and deviation are taken over. */
const CONSTANTS_WINDOWS = 8192;

/** Mean and deviation of each feature over undisturbed windows, every record counting the same. */
export function featureConstants(records: readonly RhythmRecord[], seed: number): RhythmRrPreprocessing {
  const options = { seed, batchSize: CONSTANTS_WINDOWS, half: 'features', preprocessing: null } as const;
  const [values] = new RhythmSampler(records, null, options).next().inputs as [Float32Array];
  const mean = new Array<number>(FEATURE_VALUES).fill(0);
  const square = new Array<number>(FEATURE_VALUES).fill(0);
  values.forEach((value, i) => {
    mean[i % FEATURE_VALUES]! += value / CONSTANTS_WINDOWS;
    square[i % FEATURE_VALUES]! += value ** 2 / CONSTANTS_WINDOWS;
  });
  // Six digits: what the manifest carries is exactly what the training used.
  const round = (value: number) => Number(value.toPrecision(6));
  return {
    featureMean: mean.map(round),
    featureDeviation: square.map((sum, i) => round(Math.max(1e-4, Math.sqrt(Math.max(0, sum - mean[i]! ** 2))))),
  };
}

/**
 * Folds over patients: each record is in the test part of exactly one, both databases dealt out evenly.
 * @returns for each record the number of its fold
 */
export function patientFolds(records: readonly RhythmRecord[], folds: number): number[] {
  const seen = new Map<string, number>();
  return records.map(({ database }) => {
    const index = seen.get(database) ?? 0;
    seen.set(database, index + 1);
    return index % folds;
  });
}

import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type BeatEcgPreprocessing, parsePreprocessing } from '../../../inference/windows/beat-ecg.js';
import { LabError } from '../../error.js';
import { loadModel, saveModel } from '../../train/model-files.js';
import type { LogitOffsets } from './decide.js';
import type { Fitted } from './fit.js';

/** What a trained model's folder says beside its weights (`training.json`): all that an export needs of it. */
export interface BeatEcgTraining {
  readonly model: 'beat-ecg';
  readonly seed: number;
  readonly backend: string;
  /** Share of zeros among the kernels' weights; 0 where it was not pruned. */
  readonly sparsity: number;
  readonly preprocessing: BeatEcgPreprocessing;
  readonly logitOffsets: LogitOffsets;
  readonly recipe: unknown;
  /** `database/record` of every recording that was trained on. */
  readonly trainedOn: readonly string[];
  /** The same of the recordings without a signal whose intervals it was trained on. */
  readonly intervalsOf?: readonly string[];
  /** Figures by cross-validation over the training patients, and how the offsets were chosen. */
  readonly validation: unknown;
}

/** Cross-validated figures of one of several seeds, by name: part of `validation`. */
export interface SeedFigures {
  readonly seed: number;
  readonly figures: Readonly<Record<string, number>>;
}

const FILE = 'training.json';

export async function saveTraining(folder: string, fitted: Fitted, training: BeatEcgTraining): Promise<void> {
  await saveModel(fitted.model, folder);
  await writeFile(join(folder, FILE), `${JSON.stringify(training, null, 1)}\n`);
}

/** @throws LabError that names the folder's file which is missing or wrong */
export async function loadTraining(folder: string): Promise<{ fitted: Fitted; training: BeatEcgTraining }> {
  const file = join(folder, FILE);
  let training: BeatEcgTraining;
  try {
    training = JSON.parse(await readFile(file, 'utf8')) as BeatEcgTraining;
    parsePreprocessing({ ...training.preprocessing });
  } catch (error) {
    throw new LabError(`${file}: no training of beat-ecg can be read (${(error as Error).message})`, { cause: error });
  }
  return { fitted: { model: await loadModel(folder), preprocessing: training.preprocessing }, training };
}

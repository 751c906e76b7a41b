import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parseRhythmPreprocessing, type RhythmRrPreprocessing } from '../../../inference/windows/rhythm-rr.js';
import { LabError } from '../../error.js';
import { loadModel, saveModel } from '../../train/model-files.js';
import type { Fitted } from './fit.js';

/** What a trained model's folder says beside its weights (`training.json`): all that an export needs of it. */
export interface RhythmRrTraining {
  readonly model: 'rhythm-rr';
  readonly seed: number;
  readonly backend: string;
  /** Share of zeros among the kernels' weights; 0 where it was not pruned. */
  readonly sparsity: number;
  readonly preprocessing: RhythmRrPreprocessing;
  readonly recipe: unknown;
  /** `database/record` of every recording that was trained on. */
  readonly trainedOn: readonly string[];
  /** Figures by cross-validation over the training patients; null where there was none. */
  readonly validation: unknown;
}

const FILE = 'training.json';

export async function saveTraining(folder: string, fitted: Fitted, training: RhythmRrTraining): Promise<void> {
  await saveModel(fitted.model, folder);
  await writeFile(join(folder, FILE), `${JSON.stringify(training, null, 1)}\n`);
}

/** @throws LabError that names the folder's file which is missing or wrong */
export async function loadTraining(folder: string): Promise<{ fitted: Fitted; training: RhythmRrTraining }> {
  const file = join(folder, FILE);
  let training: RhythmRrTraining;
  try {
    training = JSON.parse(await readFile(file, 'utf8')) as RhythmRrTraining;
    parseRhythmPreprocessing({ ...training.preprocessing });
  } catch (error) {
    throw new LabError(`${file}: no training of rhythm-rr can be read (${(error as Error).message})`, { cause: error });
  }
  return { fitted: { model: await loadModel(folder), preprocessing: training.preprocessing }, training };
}

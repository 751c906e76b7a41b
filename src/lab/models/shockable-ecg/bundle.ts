import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parseShockablePreprocessing, type ShockablePreprocessing } from '../../../inference/windows/shockable-ecg.js';
import { LabError } from '../../error.js';
import { loadModel, saveModel } from '../../train/model-files.js';
import type { Fitted } from './fit.js';

/** What a trained model's folder says beside its weights (`training.json`): all that an export needs of it. */
export interface ShockableTraining {
  readonly model: 'shockable-ecg';
  readonly seed: number;
  readonly backend: string;
  /** Share of zeros among the kernels' weights; 0 where it was not pruned. */
  readonly sparsity: number;
  readonly preprocessing: ShockablePreprocessing;
  readonly recipe: unknown;
  /** `database/record` of every recording that was trained on. */
  readonly trainedOn: readonly string[];
  /** Figures by cross-validation over the training records; null where there was none. */
  readonly validation: unknown;
}

const FILE = 'training.json';

export async function saveTraining(folder: string, fitted: Fitted, training: ShockableTraining): Promise<void> {
  await saveModel(fitted.model, folder);
  await writeFile(join(folder, FILE), `${JSON.stringify(training, null, 1)}\n`);
}

/** @throws LabError that names the folder's file which is missing or wrong */
export async function loadTraining(folder: string): Promise<{ fitted: Fitted; training: ShockableTraining }> {
  const file = join(folder, FILE);
  let training: ShockableTraining;
  try {
    training = JSON.parse(await readFile(file, 'utf8')) as ShockableTraining;
    parseShockablePreprocessing({ ...training.preprocessing });
  } catch (error) {
    throw new LabError(`${file}: no training of shockable-ecg can be read (${(error as Error).message})`, {
      cause: error,
    });
  }
  return { fitted: { model: await loadModel(folder), preprocessing: training.preprocessing }, training };
}

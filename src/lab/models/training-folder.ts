import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type * as tf from '@tensorflow/tfjs';
import { LabError } from '../error.js';
import { loadModel, saveModel } from '../train/model-files.js';

/** What every trained model's folder says beside its weights (`training.json`): all that an export needs of it. */
export interface Training<Preprocessing> {
  readonly seed: number;
  readonly backend: string;
  /** Share of zeros among the kernels' weights; 0 where it was not pruned. */
  readonly sparsity: number;
  readonly preprocessing: Preprocessing;
  readonly recipe: unknown;
  /** `database/record` of every recording that was trained on. */
  readonly trainedOn: readonly string[];
  /** Cross-validated figures; null where there were none. */
  readonly validation: unknown;
}

/** A network with the constants it was trained with. */
export interface Trained<Preprocessing> {
  readonly model: tf.LayersModel;
  readonly preprocessing: Preprocessing;
}

const FILE = 'training.json';

/**
 * Reads and writes the folders of one model's trainings.
 * @param parse checks the constants, throws where they are wrong
 */
export function trainingFolders<T extends Training<P>, P extends object>(
  model: string,
  parse: (preprocessing: Readonly<Record<string, unknown>>) => P,
) {
  /** @throws LabError that names the folder's file which is missing or wrong */
  async function readTraining(folder: string): Promise<T> {
    const file = join(folder, FILE);
    try {
      const training = JSON.parse(await readFile(file, 'utf8')) as T;
      parse(Object.fromEntries(Object.entries(training.preprocessing)));
      return training;
    } catch (error) {
      throw new LabError(`${file}: no training of ${model} can be read (${(error as Error).message})`, {
        cause: error,
      });
    }
  }

  /** @throws LabError that names the folder's file which is missing or wrong */
  async function loadTraining(folder: string): Promise<{ fitted: Trained<P>; training: T }> {
    const training = await readTraining(folder);
    return { fitted: { model: await loadModel(folder), preprocessing: training.preprocessing }, training };
  }

  async function saveTraining(folder: string, fitted: Trained<P>, training: T): Promise<void> {
    await saveModel(fitted.model, folder);
    await writeFile(join(folder, FILE), `${JSON.stringify(training, null, 1)}\n`);
  }

  return { readTraining, loadTraining, saveTraining };
}

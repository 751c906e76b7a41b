import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type BeatEcgPreprocessing, parsePreprocessing } from '../../../inference/windows/beat-ecg.js';
import { type Split, splitFrom } from '../../data/split-file.js';
import { LabError } from '../../error.js';
import { loadModel, saveModel } from '../../train/model-files.js';
import type { LogitOffsets } from './decide.js';
import type { Fitted } from './fit.js';
import { inPresentShape, type Validation } from './validation.js';

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
  /** The split of somebody's own that it was made with; every later step follows it. None with slothd's own. */
  readonly split?: Split;
  /** Folds of the cross-validation; not told by trainings of earlier versions. */
  readonly folds?: number;
  /** Figures by cross-validation over the training patients, and how the offsets were chosen; null where none was made. */
  readonly validation: Validation | null;
}

const FILE = 'training.json';

export async function saveTraining(folder: string, fitted: Fitted, training: BeatEcgTraining): Promise<void> {
  await saveModel(fitted.model, folder);
  await writeFile(join(folder, FILE), `${JSON.stringify(training, null, 1)}\n`);
}

/**
 * What a folder's `training.json` says, without its network.
 * @throws LabError that names the file which is missing or wrong
 */
export async function readTraining(folder: string): Promise<BeatEcgTraining> {
  const file = join(folder, FILE);
  try {
    const training = JSON.parse(await readFile(file, 'utf8')) as BeatEcgTraining;
    parsePreprocessing({ ...training.preprocessing });
    const { split } = training;
    return {
      ...training,
      ...(split !== undefined && { split: splitFrom('its split', split) }),
      validation: inPresentShape(training.validation),
    };
  } catch (error) {
    throw new LabError(`${file}: no training of beat-ecg can be read (${(error as Error).message})`, { cause: error });
  }
}

/** @throws LabError that names the folder's file which is missing or wrong */
export async function loadTraining(folder: string): Promise<{ fitted: Fitted; training: BeatEcgTraining }> {
  const training = await readTraining(folder);
  return { fitted: { model: await loadModel(folder), preprocessing: training.preprocessing }, training };
}

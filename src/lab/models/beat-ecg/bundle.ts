import { type BeatEcgPreprocessing, parsePreprocessing } from '../../../inference/windows/beat-ecg.js';
import { type Split, splitFrom } from '../../data/split-file.js';
import { type Training, trainingFolders } from '../training-folder.js';
import type { LogitOffsets } from './decide.js';
import { inPresentShape, type Validation } from './validation.js';

/** A training of beat-ecg. */
export interface BeatEcgTraining extends Training<BeatEcgPreprocessing> {
  readonly model: 'beat-ecg';
  readonly logitOffsets: LogitOffsets;
  /** `database/record` of the recordings without a signal whose intervals it was trained on. */
  readonly intervalsOf?: readonly string[];
  /** The split of somebody's own that it was made with; every later step follows it. None with slothd's own. */
  readonly split?: Split;
  /** Folds of the cross-validation; not told by trainings of earlier versions. */
  readonly folds?: number;
  /** Figures by cross-validation over the training patients, and how the offsets were chosen; null where none was made. */
  readonly validation: Validation | null;
}

const folders = trainingFolders<BeatEcgTraining, BeatEcgPreprocessing>('beat-ecg', parsePreprocessing);

export const { saveTraining } = folders;

/**
 * What a folder's `training.json` says, without its network.
 * @throws LabError that names the file which is missing or wrong; LabDataError for a split that is none
 */
export async function readTraining(folder: string): Promise<BeatEcgTraining> {
  return checked(folder, await folders.readTraining(folder));
}

/** As `readTraining`, with its network. */
export async function loadTraining(folder: string) {
  const { fitted, training } = await folders.loadTraining(folder);
  return { fitted, training: checked(folder, training) };
}

function checked(folder: string, training: BeatEcgTraining): BeatEcgTraining {
  const { split, validation } = training;
  return {
    ...training,
    ...(split !== undefined && { split: splitFrom(`the split in ${folder}`, split) }),
    validation: inPresentShape(validation),
  };
}

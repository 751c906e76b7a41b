import { parseShockablePreprocessing, type ShockablePreprocessing } from '../../../inference/windows/shockable-ecg.js';
import { type Training, trainingFolders } from '../training-folder.js';

/** A training of shockable-ecg; validated by cross-validation over its training records. */
export interface ShockableTraining extends Training<ShockablePreprocessing> {
  readonly model: 'shockable-ecg';
}

export const { readTraining, loadTraining, saveTraining } = trainingFolders<ShockableTraining, ShockablePreprocessing>(
  'shockable-ecg',
  parseShockablePreprocessing,
);

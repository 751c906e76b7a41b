import { parseRhythmPreprocessing, type RhythmRrPreprocessing } from '../../../inference/windows/rhythm-rr.js';
import { type Training, trainingFolders } from '../training-folder.js';

/** A training of rhythm-rr; validated by cross-validation over its training patients. */
export interface RhythmRrTraining extends Training<RhythmRrPreprocessing> {
  readonly model: 'rhythm-rr';
}

export const { readTraining, loadTraining, saveTraining } = trainingFolders<RhythmRrTraining, RhythmRrPreprocessing>(
  'rhythm-rr',
  parseRhythmPreprocessing,
);

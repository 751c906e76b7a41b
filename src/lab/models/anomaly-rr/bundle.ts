import { type AnomalyPreprocessing, parseAnomalyPreprocessing } from '../../../inference/windows/anomaly-rr.js';
import { type Training, trainingFolders } from '../training-folder.js';

/** A training of anomaly-rr; validated by cross-validation over the people of nsr2db, and on patients. */
export interface AnomalyTraining extends Training<AnomalyPreprocessing> {
  readonly model: 'anomaly-rr';
}

export const { readTraining, loadTraining, saveTraining } = trainingFolders<AnomalyTraining, AnomalyPreprocessing>(
  'anomaly-rr',
  parseAnomalyPreprocessing,
);

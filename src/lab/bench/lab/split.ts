import type { BeatRecord } from '../../data/beat-records.js';
import { loadTrainingRecords, standardised } from '../../models/beat-ecg/data.js';
import { itemsOf } from '../../models/beat-ecg/quantize.js';
import { patientFolds } from '../../models/beat-ecg/split.js';
import type { ModelItem } from '../../quantize/index.js';

/** One split for every variant and seed: a fifth of the patients of DS1 and svdb are validated on. DS2 is never read. */
export const FOLDS = 5;
export const VALIDATION_FOLD = 0;

/** Beats of each training record in the representative dataset. */
const CALIBRATION_BEATS = 40;

export interface Split {
  readonly train: readonly BeatRecord[];
  readonly validation: readonly BeatRecord[];
}

export async function loadSplit(dataFolder: string, cacheFolder: string): Promise<Split> {
  const records = await loadTrainingRecords({ dataFolder, cacheFolder });
  const foldOf = patientFolds(records, FOLDS);
  return {
    train: records.filter((_, i) => foldOf[i] !== VALIDATION_FOLD),
    validation: records.filter((_, i) => foldOf[i] === VALIDATION_FOLD),
  };
}

/** Items of training patients to calibrate with. */
export function calibrationItems(train: readonly BeatRecord[], preprocessing: Parameters<typeof standardised>[1]) {
  return itemsOf(standardised(train, preprocessing), ({ count }) => Math.floor(count / CALIBRATION_BEATS));
}

/** All beats of the validation patients. */
export function validationItems(
  records: readonly BeatRecord[],
  preprocessing: Parameters<typeof standardised>[1],
): ModelItem[] {
  return [...itemsOf(standardised(records, preprocessing))];
}

import { type AlarmSettings, alarmSettingsSchema } from '../../../config/alarms.js';
import { type BackendName, openBackend } from '../../backend.js';
import type { ShockableRecord } from '../../data/shockable-records.js';
import type { LabProgress } from '../../progress.js';
import type { EpochReport } from '../../train/loop.js';
import { alertsOf, type ShockableSetting, shockableAlarmFigures } from './alarm-level.js';
import { type ShockableTraining, saveTraining } from './bundle.js';
import { crossValidate } from './cross-validate.js';
import { FOLDS, foldsOf, loadTrainingData, type ShockableDataOptions } from './data.js';
import { crossFittedFigures, shockableWindowFigures } from './figures.js';
import { fitEpochs, fitNetwork } from './fit.js';
import { SHOCKABLE_RECIPE, type ShockableRecipe } from './recipe.js';
import type { ScoredRecord } from './score.js';

export interface TrainShockableOptions extends Omit<ShockableDataOptions, 'onProgress'> {
  /** Where the model goes: `model.json`, `weights.bin`, `training.json`. */
  readonly outFolder: string;
  readonly seed?: number;
  readonly recipe?: Partial<ShockableRecipe>;
  readonly backend?: BackendName | 'auto';
  /** false trains the shipped model only. */
  readonly crossValidates?: boolean;
  onProgress?(progress: LabProgress): void;
}

/**
 * Trains shockable-ecg on vfdb and svdb. Cross-validation by record first, for figures of people not trained on and for
 * the choice of the alarm's setting; then one model is trained on all of them and saved. mitdb and cinc2017 are never read.
 */
export async function trainShockable(options: TrainShockableOptions): Promise<ShockableTraining> {
  const { outFolder, seed = 0, crossValidates = true, onProgress } = options;
  const recipe: ShockableRecipe = { ...SHOCKABLE_RECIPE, ...options.recipe };
  const { description } = await openBackend(options.backend ?? 'auto');
  const data = await loadTrainingData({
    ...options,
    onProgress: (done, of, what) => onProgress?.({ stage: `reading ${what}`, done, of }),
  });
  const epochs = fitEpochs(recipe);
  const folds = crossValidates ? FOLDS : 0;
  const progress = (stage: string, before: number) => (epoch: EpochReport) =>
    onProgress?.({ stage, done: before + epoch.epoch, of: (folds + 1) * epochs, epoch });
  let validation: unknown = null;
  if (crossValidates) {
    const { float } = await crossValidate({
      ...{ data, recipe, seed },
      onEpoch: (fold, epoch) => progress(`fold ${fold + 1} of ${folds}`, fold * epochs)(epoch),
    });
    validation = validationOf(float);
  }
  const fitted = await fitNetwork(data.records, data.noise, recipe, seed, progress('all records', folds * epochs));
  const training: ShockableTraining = {
    model: 'shockable-ecg',
    seed,
    backend: description,
    sparsity: 0,
    preprocessing: fitted.preprocessing,
    recipe,
    trainedOn: names(data.records),
    validation,
  };
  await saveTraining(outFolder, fitted, training);
  fitted.model.dispose();
  return training;
}

/** The setting that the daemon ships with. */
export function shippedSetting(): AlarmSettings['ventricular-fibrillation'] {
  return alarmSettingsSchema.parse({})['ventricular-fibrillation'];
}

/** Settings among which the shipped one was chosen, on cross-validated scores alone. */
export const SETTINGS: readonly ShockableSetting[] = [0.5, 0.6, 0.7, 0.8, 0.9].flatMap((on) =>
  [2, 3, 4].map((verdicts) => ({ on, off: 0.5, verdicts, clearMs: 5_000 })),
);

export const THRESHOLDS = [0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9] as const;

/** Cross-validated figures as they go into `training.json` and the card. */
export function validationOf(scored: readonly ScoredRecord[]) {
  const vfdb = scored.filter(({ record }) => record.database === 'vfdb');
  const svdb = scored.filter(({ record }) => record.database === 'svdb');
  const alarms = (some: readonly ScoredRecord[], setting: ShockableSetting) => {
    const byRecord = new Map(some.map((one) => [one.record, one]));
    return shockableAlarmFigures([...byRecord.keys()], setting, (record) => alertsOf(byRecord.get(record)!, setting));
  };
  return {
    method: `${FOLDS} folds by record over vfdb and svdb; a window every second`,
    windows: THRESHOLDS.map((threshold) => shockableWindowFigures(vfdb, threshold)),
    crossFitted: crossFittedFigures(vfdb, foldsOf(vfdb.map(({ record }) => record))),
    svdbSpecificity: shockableWindowFigures(svdb, 0.5).specificity,
    alarms: SETTINGS.map((setting) => ({
      vfdb: alarms(vfdb, setting),
      svdbFalseAlerts: alarms(svdb, setting).falseAlerts,
      svdbHours: alarms(svdb, setting).hoursOutside,
    })),
  };
}

export function names(records: readonly ShockableRecord[]): string[] {
  return records.map(({ database, record }) => `${database}/${record}`);
}

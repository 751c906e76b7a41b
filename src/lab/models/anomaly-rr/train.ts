import { type AlarmSettings, alarmSettingsSchema } from '../../../config/alarms.js';
import { type BackendName, openBackend } from '../../backend.js';
import type { AnomalyRecord } from '../../data/anomaly-records.js';
import type { LabProgress } from '../../progress.js';
import type { EpochReport } from '../../train/loop.js';
import { type AnomalyTraining, saveTraining } from './bundle.js';
import { type AnomalyDataOptions, FOLDS, loadNormal } from './data.js';
import { episodeFigures, normalFigures } from './figures.js';
import { fitNetwork } from './fit.js';
import { ANOMALY_RECIPE, type AnomalyRecipe } from './recipe.js';
import { type AnomalySetting, type JudgedRecord, judgeRecord, rebuildOf } from './score.js';
import { withRateSteps } from './step.js';

export interface TrainAnomalyOptions extends Omit<AnomalyDataOptions, 'onProgress'> {
  readonly outFolder: string;
  readonly seed?: number;
  readonly recipe?: Partial<AnomalyRecipe>;
  readonly backend?: BackendName | 'auto';
  /** false trains the shipped model only. */
  readonly crossValidates?: boolean;
  onProgress?(progress: LabProgress): void;
}

/** How much the rate jumps in the made-up episodes of rate change. */
const STEP_FACTOR = 1.6;

/**
 * Trains anomaly-rr on the normal rhythm of nsr2db. Cross-validation by person first: false alerts on people not trained on,
 * and sudden changes of rate put into their recordings. No patient is ever read.
 */
export async function trainAnomaly(options: TrainAnomalyOptions): Promise<AnomalyTraining> {
  const { outFolder, seed = 0, crossValidates = true, onProgress } = options;
  const recipe: AnomalyRecipe = { ...ANOMALY_RECIPE, ...options.recipe };
  const { description } = await openBackend(options.backend ?? 'auto');
  const records = await loadNormal({
    ...options,
    onProgress: (done, of, what) => onProgress?.({ stage: `reading ${what}`, done, of }),
  });
  const folds = crossValidates ? FOLDS : 0;
  const progress = (stage: string, before: number) => (epoch: EpochReport) =>
    onProgress?.({ stage, done: before + epoch.epoch, of: (folds + 1) * recipe.epochs, epoch });
  const judged: JudgedRecord[] = [];
  const stepped: JudgedRecord[] = [];
  for (let fold = 0; fold < folds; fold++) {
    const train = records.filter((_, i) => i % folds !== fold);
    const fitted = await fitNetwork(
      train,
      recipe,
      seed + fold,
      progress(`fold ${fold + 1} of ${folds}`, fold * recipe.epochs),
    );
    const rebuild = rebuildOf(fitted.model);
    for (const record of records.filter((_, i) => i % folds === fold)) {
      judged.push(await judgeRecord(record, fitted.preprocessing, rebuild));
      stepped.push(await judgeRecord(withRateSteps(record, STEP_FACTOR), fitted.preprocessing, rebuild));
    }
    fitted.model.dispose();
  }
  const fitted = await fitNetwork(records, recipe, seed, progress('all people', folds * recipe.epochs));
  const training: AnomalyTraining = {
    model: 'anomaly-rr',
    seed,
    backend: description,
    sparsity: 0,
    preprocessing: fitted.preprocessing,
    recipe,
    trainedOn: names(records),
    validation: crossValidates ? validationOf(judged, stepped) : null,
  };
  await saveTraining(outFolder, fitted, training);
  fitted.model.dispose();
  return training;
}

/** The setting that the daemon ships with. */
export function shippedSetting(): AlarmSettings['anomaly'] {
  return alarmSettingsSchema.parse({}).anomaly;
}

/** The curve: how far a rhythm must depart, and for how long. */
export const SETTINGS: readonly AnomalySetting[] = [30_000, 60_000, 90_000].flatMap((sustainMs) =>
  [1.2, 1.4, 1.6, 1.8, 2, 2.3, 2.6].map((on) => ({ on, off: 1, sustainMs, clearMs: 120_000 })),
);

export function validationOf(judged: readonly JudgedRecord[], stepped: readonly JudgedRecord[]) {
  return {
    method: `${FOLDS} folds by person over nsr2db; rate changes: their rate raised by ${STEP_FACTOR} for 5 min every 2 h`,
    curve: SETTINGS.map((setting) => ({
      setting,
      normal: normalFigures(judged, setting),
      rateChanges: episodeFigures(stepped, setting, 2),
    })),
  };
}

export function names(records: readonly AnomalyRecord[]): string[] {
  return records.map(({ database, record }) => `${database}/${record}`);
}

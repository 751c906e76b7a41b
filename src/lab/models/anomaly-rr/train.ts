import { type AlarmSettings, alarmSettingsSchema } from '../../../config/alarms.js';
import { type BackendName, openBackend } from '../../backend.js';
import type { AnomalyRecord } from '../../data/anomaly-records.js';
import type { LabProgress } from '../../progress.js';
import type { EpochReport } from '../../train/loop.js';
import { type AnomalyTraining, saveTraining } from './bundle.js';
import { type AnomalyDataOptions, FOLDS, loadNormal, loadValidation } from './data.js';
import { episodeFigures, normalFigures } from './figures.js';
import { fitNetwork } from './fit.js';
import { ANOMALY_RECIPE, type AnomalyRecipe } from './recipe.js';
import { type AnomalySetting, answerOf, type JudgedRecord, judgeRecord } from './score.js';
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
 * Trains anomaly-rr on the normal rhythm of nsr2db and on made-up rhythms. Cross-validation by person first: false alerts on
 * people not trained on, and sudden changes of rate put into their recordings. Then the model of all of them on the
 * validation people (half of ltafdb, half of mmash): the alarm's setting is chosen from both. Nobody kept for the test is read.
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
    const answer = answerOf(fitted.model);
    for (const record of records.filter((_, i) => i % folds === fold)) {
      judged.push(await judgeRecord(record, fitted.preprocessing, answer));
      stepped.push(await judgeRecord(withRateSteps(record, STEP_FACTOR), fitted.preprocessing, answer));
    }
    fitted.model.dispose();
  }
  const fitted = await fitNetwork(records, recipe, seed, progress('all people', folds * recipe.epochs));
  const chosenOn: JudgedRecord[] = [];
  if (crossValidates) {
    const answer = answerOf(fitted.model);
    const records = await loadValidation({ ...options, onProgress: undefined });
    for (const record of records) chosenOn.push(await judgeRecord(record, fitted.preprocessing, answer));
  }
  const training: AnomalyTraining = {
    model: 'anomaly-rr',
    seed,
    backend: description,
    sparsity: 0,
    preprocessing: fitted.preprocessing,
    recipe,
    trainedOn: names(records),
    validation: crossValidates ? validationOf(judged, stepped, chosenOn) : null,
  };
  await saveTraining(outFolder, fitted, training);
  fitted.model.dispose();
  return training;
}

/** The setting that the daemon ships with. */
export function shippedSetting(): AlarmSettings['anomaly'] {
  return alarmSettingsSchema.parse({}).anomaly;
}

/** The curve: how far a rhythm must depart, and for how long. Ten minutes of the usual end an alert: what comes and goes is one. */
export const SETTINGS: readonly AnomalySetting[] = [60_000, 120_000].flatMap((sustainMs) =>
  [1, 1.2, 1.4, 1.7, 2, 2.4].map((on) => ({ on, off: 0.7, sustainMs, clearMs: 600_000 })),
);

export function validationOf(
  judged: readonly JudgedRecord[],
  stepped: readonly JudgedRecord[],
  chosenOn: readonly JudgedRecord[],
) {
  const of = (database: string) => chosenOn.filter(({ record }) => record.database === database);
  return {
    method: `${FOLDS} folds by person over ${judged.length} people of nsr2db (false alerts, and rate changes: their rate raised by ${STEP_FACTOR} for 5 min every 2 h); the model of all of them on the validation people, ${of('ltafdb').length} of ltafdb and ${of('mmash').length} straps of mmash`,
    curve: SETTINGS.map((setting) => ({
      setting,
      normal: normalFigures(judged, setting),
      rateChanges: episodeFigures(stepped, setting, 2),
      ltafdb: episodeFigures(of('ltafdb'), setting, 2),
      straps: normalFigures(of('mmash'), setting),
    })),
  };
}

export function names(records: readonly AnomalyRecord[]): string[] {
  return records.map(({ database, record }) => `${database}/${record}`);
}

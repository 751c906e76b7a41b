import { type AlarmSettings, alarmSettingsSchema } from '../../../config/alarms.js';
import { type BackendName, openBackend } from '../../backend.js';
import type { RhythmRecord } from '../../data/rhythm-records.js';
import type { LabProgress } from '../../progress.js';
import { type PhaseHistory, saveHistory } from '../../train/history.js';
import { Checkpoints } from '../../train/keeper.js';
import type { EpochReport } from '../../train/loop.js';
import { type AlarmSetting, alarmFigures } from './alarm-level.js';
import { type RhythmRrTraining, saveTraining } from './bundle.js';
import { crossValidate } from './cross-validate.js';
import { loadTrainingRecords, type RhythmRrDataOptions } from './data.js';
import { falsePositivesByEctopy, windowFigures } from './figures.js';
import { fitEpochs, fitNetwork } from './fit.js';
import { RHYTHM_RR_RECIPE, type RhythmRrRecipe } from './recipe.js';
import type { ScoredRhythm } from './score.js';
import { DAEMON_EVERY } from './score.js';

export interface TrainRhythmRrOptions extends Omit<RhythmRrDataOptions, 'onProgress'> {
  /** Where the model goes: `model.json`, `weights.bin`, `training.json`. */
  readonly outFolder: string;
  readonly seed?: number;
  readonly recipe?: Partial<RhythmRrRecipe>;
  readonly backend?: BackendName | 'auto';
  /** Folds of the cross-validation by patient; 0 trains the shipped model only. */
  readonly folds?: number;
  /** Go on with a training of the same settings that was stopped. */
  readonly resume?: boolean;
  onProgress?(progress: LabProgress): void;
}

export const DEFAULT_FOLDS = 3;
/** As often as the daemon asks: a coarser grid lengthens the sustain time unseen, and flatters the false alerts. */
export const VALIDATION_EVERY = DAEMON_EVERY;

/**
 * Trains rhythm-rr on ltafdb and nsr2db. Cross-validation by patient first, for figures of people not trained on and for
 * the choice of the alarm's setting; then one model is trained on all of them and saved. afdb and mitdb are never read.
 */
export async function trainRhythmRr(options: TrainRhythmRrOptions): Promise<RhythmRrTraining> {
  const { outFolder, seed = 0, folds = DEFAULT_FOLDS, resume = false, onProgress } = options;
  const recipe: RhythmRrRecipe = { ...RHYTHM_RR_RECIPE, ...options.recipe };
  const { description } = await openBackend(options.backend ?? 'auto');
  const records = await loadTrainingRecords({
    ...options,
    onProgress: (done, of, what) => onProgress?.({ stage: `reading ${what}`, done, of }),
  });
  const epochs = fitEpochs(recipe);
  const progress = (stage: string, before: number) => (epoch: EpochReport) =>
    onProgress?.({ stage, done: before + epoch.epoch, of: (folds + 1) * epochs, epoch });
  const checkpoints = new Checkpoints(outFolder, resume, { seed, recipe, folds, records: names(records) });
  await checkpoints.begin();
  const history: PhaseHistory[] = [];
  let validation: unknown = null;
  if (folds > 0) {
    const { float, history: ofFolds } = await crossValidate({
      ...{ records, recipe, seed, folds, everyBeats: VALIDATION_EVERY, checkpoints },
      onEpoch: (fold, epoch) => progress(`fold ${fold + 1} of ${folds}`, fold * epochs)(epoch),
    });
    history.push(...ofFolds);
    validation = validationOf(float, folds);
  }
  const fitted = await fitNetwork(records, recipe, seed, progress('all patients', folds * epochs), (half) =>
    checkpoints.of(`model-${half}`),
  );
  history.push({ phase: 'all patients', epochs: fitted.history ?? [] });
  const training: RhythmRrTraining = {
    model: 'rhythm-rr',
    seed,
    backend: description,
    sparsity: 0,
    preprocessing: fitted.preprocessing,
    recipe,
    trainedOn: names(records),
    validation,
  };
  await saveTraining(outFolder, fitted, training);
  await saveHistory(outFolder, history);
  await checkpoints.clear();
  fitted.model.dispose();
  return training;
}

/** The setting that the daemon ships with. */
export function shippedSetting(): AlarmSettings['atrial-fibrillation'] {
  return alarmSettingsSchema.parse({})['atrial-fibrillation'];
}

/** Settings to choose among, on cross-validated scores alone. */
export const SETTINGS: readonly AlarmSetting[] = [0.8, 0.9, 0.95, 0.965].flatMap((on) =>
  [20_000, 30_000].flatMap((sustainMs) =>
    [0.5, 0.3].flatMap((off) => [60_000, 120_000].map((clearMs) => ({ on, off, sustainMs, clearMs }))),
  ),
);

/** Cross-validated figures as they go into `training.json` and the card. */
export function validationOf(scored: readonly ScoredRhythm[], folds: number) {
  const patients = scored.filter(({ record }) => record.database === 'ltafdb');
  const normal = scored.filter(({ record }) => record.database === 'nsr2db');
  return {
    method: `${folds} folds by patient over ltafdb and nsr2db; a window every ${VALIDATION_EVERY} beats`,
    ltafdb: windowFigures(patients, 'other'),
    nsr2db: windowFigures(normal, 'other'),
    falsePositivesByEctopy: falsePositivesByEctopy(patients),
    alarms: SETTINGS.map((setting) => {
      const onPatients = alarmFigures(patients, setting, false);
      const onNormal = alarmFigures(normal, setting, false);
      return {
        setting,
        normalFalsePer24h: onNormal.falsePer24h,
        normalSubjectsWithFalse: onNormal.recordsWithFalse,
        patientsFalsePer24h: onPatients.falsePer24h,
        episodes: onPatients.episodes,
      };
    }),
  };
}

export function names(records: readonly RhythmRecord[]): string[] {
  return records.map(({ database, record }) => `${database}/${record}`);
}

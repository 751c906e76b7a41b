import { type BackendName, openBackend } from '../../backend.js';
import type { BeatRecord } from '../../data/beat-records.js';
import type { LabProgress } from '../../progress.js';
import { type PhaseHistory, saveHistory } from '../../train/history.js';
import { Checkpoints } from '../../train/keeper.js';
import type { EpochReport } from '../../train/loop.js';
import { type BeatEcgTraining, type SeedFigures, saveTraining } from './bundle.js';
import { crossValidate } from './cross-validate.js';
import {
  type BeatEcgDataOptions,
  loadIntervalRecords,
  loadOtherLeads,
  loadTrainingRecords,
  noiseOf,
  ofSamePeople,
  patientFolds,
} from './data.js';
import { balance, chooseOffsets, composite, type LogitOffsets, NO_OFFSETS, type ScoredRecord } from './decide.js';
import { figuresOf } from './evaluate.js';
import { fitNetwork } from './fit.js';
import { foldsFolder } from './kept-folds.js';
import { BEAT_ECG_RECIPE, type BeatEcgRecipe } from './recipe.js';

export interface TrainBeatEcgOptions extends Omit<BeatEcgDataOptions, 'onProgress'> {
  /** Where the model goes: `model.json`, `weights.bin`, `training.json`. */
  readonly outFolder: string;
  readonly seed?: number;
  /** Seeds cross-validated, from `seed` on, to tell what is chance; the first is trained on all patients. 1 unless told. */
  readonly seeds?: number;
  readonly recipe?: Partial<BeatEcgRecipe>;
  readonly backend?: BackendName | 'auto';
  /** Folds of the cross-validation that chooses the offsets; 0 trains the shipped model only, offsets all 0. */
  readonly folds?: number;
  /** Go on with a training of the same settings that was stopped. */
  readonly resume?: boolean;
  /**
   * Epochs without a better validation loss after which a training stops, keeping its best epoch. The model itself then
   * leaves out one fold's patients, to validate on; null, the default, trains all epochs of the recipe on all patients.
   */
  readonly patience?: number | null;
  onProgress?(progress: LabProgress): void;
}

export const DEFAULT_FOLDS = 5;

type SeedRun = { readonly seed: number; readonly logitOffsets: LogitOffsets } & ReturnType<typeof validationOf>;

/**
 * Trains beat-ecg on DS1 and svdb. Patient-wise cross-validation first: it chooses the logit offsets and gives figures
 * for patients not trained on; then one model is trained on all of them and saved. DS2 is never read.
 */
export async function trainBeatEcg(options: TrainBeatEcgOptions): Promise<BeatEcgTraining> {
  const { outFolder, folds = DEFAULT_FOLDS, resume = false, patience, onProgress } = options;
  const { seed = 0, seeds = 1 } = options;
  const recipe = { ...BEAT_ECG_RECIPE, ...options.recipe };
  const { description } = await openBackend(options.backend ?? 'auto');
  const records = await loadTrainingRecords({
    ...options,
    onProgress: (done, of, what) => onProgress?.({ stage: `reading ${what}`, done, of }),
  });

  const leadsOf = recipe.otherLeads ? records : [];
  const otherLeads = await loadOtherLeads(leadsOf, {
    ...options,
    onProgress: (done, of, what) => onProgress?.({ stage: `reading ${what}`, done, of }),
  });
  const intervals = await loadIntervalRecords({
    ...options,
    onProgress: (done, of, what) => onProgress?.({ stage: `reading ${what}`, done, of }),
  });
  const noise = await noiseOf(recipe, options.dataFolder);
  const checkpoints = new Checkpoints(outFolder, resume, {
    seed,
    seeds,
    recipe,
    folds,
    records: names(records),
  });
  await checkpoints.begin();
  const stopping = typeof patience === 'number' ? { patience } : {};
  const history: PhaseHistory[] = [];
  const epochs = (folds * seeds + 1) * recipe.epochs;
  const progress = (stage: string, before: number) => (epoch: EpochReport) =>
    onProgress?.({ stage, done: before + epoch.epoch, of: epochs, epoch });
  const runs: SeedRun[] = [];
  for (let own = seed; folds > 0 && own < seed + seeds; own++) {
    const before = (own - seed) * folds;
    const { float, history: ofFolds } = await crossValidate({
      ...{ records, otherLeads, intervals, noise, recipe, seed: own, folds, checkpoints, ...stopping },
      foldsFolder: foldsFolder(outFolder, own),
      onEpoch: (fold, epoch) =>
        progress(`seed ${own}, fold ${fold + 1} of ${folds}`, (before + fold) * recipe.epochs)(epoch),
    });
    history.push(...ofFolds);
    const offsets = chooseOffsets(float);
    runs.push({ seed: own, logitOffsets: offsets, ...validationOf(float, folds, offsets) });
  }
  const logitOffsets = runs[0]?.logitOffsets ?? NO_OFFSETS;
  const validationFold = patientFolds(records, Math.max(2, folds || DEFAULT_FOLDS));
  const leftOut = records.filter((_, i) => stopping.patience !== undefined && validationFold[i] === 0);
  const trainedOn = records.filter((record) => !leftOut.includes(record));
  const all = [...trainedOn, ...ofSamePeople(otherLeads, trainedOn)];
  const fitted = await fitNetwork(all, recipe, seed, progress('all patients', folds * seeds * recipe.epochs), {
    checkpoint: checkpoints.of('model'),
    intervals,
    ...(noise && { noise }),
    ...(leftOut.length > 0 && { validateOn: leftOut, ...stopping }),
  });
  history.push({ phase: 'all patients', epochs: fitted.history ?? [] });
  const training: BeatEcgTraining = {
    model: 'beat-ecg',
    seed,
    backend: description,
    sparsity: 0,
    preprocessing: fitted.preprocessing,
    logitOffsets,
    recipe,
    trainedOn: names(trainedOn),
    intervalsOf: names(intervals),
    validation: runs[0] ? { ...runs[0], ...(seeds > 1 && { seeds: runs.map(seedFigures) }) } : null,
  };
  await saveTraining(outFolder, fitted, training);
  await saveHistory(outFolder, history);
  await checkpoints.clear();
  fitted.model.dispose();
  return training;
}

/** Cross-validated figures as they go into `training.json` and the card. */
export function validationOf(scored: readonly ScoredRecord[], folds: number, offsets: LogitOffsets) {
  const of = (database: string) => {
    const { pooled, insideAf, outsideAf } = figuresOf(
      scored.filter(({ record }) => record.database === database),
      offsets,
    );
    return database === 'mitdb' ? { pooled, insideAf, outsideAf } : { pooled };
  };
  return {
    method: `${folds} folds by patient over DS1 and svdb; offsets chosen on the same folds (not nested)`,
    balance: balance(scored, offsets),
    composite: composite(scored, offsets),
    compositeWithoutOffsets: composite(scored, NO_OFFSETS),
    mitdb: of('mitdb'),
    svdb: of('svdb'),
  };
}

/** What is told of each seed that was tried. */
function seedFigures({ seed, composite, mitdb, svdb }: SeedRun): SeedFigures {
  return {
    seed,
    figures: {
      composite,
      'accuracy DS1': mitdb.pooled.accuracy,
      'S F1 DS1': mitdb.pooled.S.f1,
      'S F1 DS1 outside AF': mitdb.outsideAf!.S.f1,
      'V F1 DS1': mitdb.pooled.V.f1,
      'accuracy svdb': svdb.pooled.accuracy,
      'S F1 svdb': svdb.pooled.S.f1,
      'V F1 svdb': svdb.pooled.V.f1,
    },
  };
}

export function names(records: readonly Pick<BeatRecord, 'database' | 'record'>[]): string[] {
  return records.map(({ database, record }) => `${database}/${record}`);
}

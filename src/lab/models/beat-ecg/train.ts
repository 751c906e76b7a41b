import { type BackendName, openBackend } from '../../backend.js';
import type { BeatRecord } from '../../data/beat-records.js';
import type { Split } from '../../data/split-file.js';
import type { LabProgress } from '../../progress.js';
import { type PhaseHistory, saveHistory } from '../../train/history.js';
import { Checkpoints } from '../../train/keeper.js';
import type { EpochReport } from '../../train/loop.js';
import { type BeatEcgTraining, saveTraining } from './bundle.js';
import { crossValidate } from './cross-validate.js';
import {
  type BeatEcgDataOptions,
  loadIntervalRecords,
  loadOtherLeads,
  loadTrainingRecords,
  noiseOf,
  ofSamePeople,
} from './data.js';
import { chooseOffsets, type LogitOffsets, NO_OFFSETS } from './decide.js';
import { fitNetwork } from './fit.js';
import { foldsFolder } from './kept-folds.js';
import { BEAT_ECG_RECIPE, type BeatEcgRecipe } from './recipe.js';
import { beatSplit, foldCount, foldsOf, needClasses } from './split.js';
import { seedFigures, type Validation, validationOf } from './validation.js';

export interface TrainBeatEcgOptions extends Omit<BeatEcgDataOptions, 'onProgress' | 'split'> {
  /** Whom to train and test on, as `checkedSplit` gave it; slothd's own split unless told. */
  readonly split?: Split;
  /** Where the model goes: `model.json`, `weights.bin`, `training.json`. */
  readonly outFolder: string;
  readonly seed?: number;
  /** Seeds cross-validated, from `seed` on, to tell what is chance; the first is trained on all patients. 1 unless told. */
  readonly seeds?: number;
  readonly recipe?: Partial<BeatEcgRecipe>;
  readonly backend?: BackendName | 'auto';
  /** Folds of the cross-validation that chooses the offsets, if not the split's; 0 trains the model only, offsets all 0. */
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

type SeedRun = { readonly seed: number; readonly logitOffsets: LogitOffsets } & Validation;

/**
 * Trains beat-ecg on the training people of a split (DS1 and svdb, unless it is somebody's own). Patient-wise cross-validation
 * first: it chooses the logit offsets and gives figures for patients not trained on; then one model is trained on all of them
 * and saved. The people who are tested on are never read.
 */
export async function trainBeatEcg(options: TrainBeatEcgOptions): Promise<BeatEcgTraining> {
  const { outFolder, resume = false, patience, onProgress } = options;
  const { seed = 0, seeds = 1 } = options;
  const split = beatSplit(options.split);
  const folds = options.folds ?? foldCount(split);
  // What is known of svdb, that it is half of the S beats, is not known of anybody's own recordings.
  const recipe = { ...BEAT_ECG_RECIPE, ...(split.own && { svdbShare: null }), ...options.recipe };
  const { description } = await openBackend(options.backend ?? 'auto');
  const reading = {
    ...options,
    split,
    onProgress: (done: number, of: number, what: string) => onProgress?.({ stage: `reading ${what}`, done, of }),
  };
  const records = await loadTrainingRecords(reading);
  const foldOf = folds > 0 ? foldsOf(split, records, folds) : [];
  needClasses(records, foldOf);
  const otherLeads = await loadOtherLeads(recipe.otherLeads ? records : [], reading);
  const intervals = await loadIntervalRecords(reading);
  const noise = await noiseOf(recipe, options.dataFolder);
  const checkpoints = new Checkpoints(outFolder, resume, {
    seed,
    seeds,
    recipe,
    folds,
    records: names(records),
    ...(split.own && { split: split.own }),
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
      ...{ records, foldOf, otherLeads, intervals, noise, recipe, seed: own, folds, checkpoints, ...stopping },
      foldsFolder: foldsFolder(outFolder, own),
      onEpoch: (fold, epoch) =>
        progress(`seed ${own}, fold ${fold + 1} of ${folds}`, (before + fold) * recipe.epochs)(epoch),
    });
    history.push(...ofFolds);
    const offsets = chooseOffsets(float);
    runs.push({ seed: own, logitOffsets: offsets, ...validationOf(float, folds, offsets, split) });
  }
  const logitOffsets = runs[0]?.logitOffsets ?? NO_OFFSETS;
  const validationFold =
    stopping.patience === undefined ? [] : foldsOf(split, records, Math.max(2, folds || foldCount(split)));
  const leftOut = records.filter((_, i) => validationFold[i] === 0);
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
    ...(split.own && { split: split.own }),
    folds,
    validation: runs[0]
      ? { ...runs[0], ...(seeds > 1 && { seeds: runs.map((run) => seedFigures(run.seed, run, split)) }) }
      : null,
  };
  await saveTraining(outFolder, fitted, training);
  await saveHistory(outFolder, history);
  await checkpoints.clear();
  fitted.model.dispose();
  return training;
}

export function names(records: readonly Pick<BeatRecord, 'database' | 'record'>[]): string[] {
  return records.map(({ database, record }) => `${database}/${record}`);
}

import * as tf from '@tensorflow/tfjs';
import { type BackendName, openBackend } from '../../backend.js';
import type { LabProgress } from '../../progress.js';
import { type PruningRow, pruningTable } from '../../prune/table.js';
import { pruningProgress } from '../pruning-progress.js';
import { loadTraining } from './bundle.js';
import { loadTrainingRecords, patientFolds, type RhythmRrDataOptions } from './data.js';
import { windowFigures } from './figures.js';
import { fitEpochs, fitNetwork, fitPruned, fitTuned } from './fit.js';
import { INPUT_NAMES, OUTPUT_NAME } from './network.js';
import { itemsOf } from './quantize.js';
import { RHYTHM_RR_PRUNING, RHYTHM_RR_RECIPE, RHYTHM_RR_TUNING, type RhythmRrRecipe } from './recipe.js';
import { windowsOf } from './score.js';
import { scoredOf } from './test-set.js';

/** A fifth of the people is left out to judge on, with a window of theirs every so many beats: some 40,000 windows. */
const FOLDS = 5;
const EVERY_BEATS = 60;

export interface RhythmRrTableOptions extends Omit<RhythmRrDataOptions, 'onProgress'> {
  /** Folder of the training whose recipe and seed are taken. */
  readonly modelFolder: string;
  readonly magnitude: readonly number[];
  readonly channels: readonly number[];
  readonly backend?: BackendName | 'auto';
  onProgress?(progress: LabProgress): void;
}

/**
 * Sparsity against accuracy, size and speed, on people not trained on: a fifth of ltafdb's and nsr2db's is left out, a network
 * trained on the rest as `modelFolder`'s was, and pruned to each share. afdb and mitdb are never read.
 */
export async function rhythmRrPruningTable(options: RhythmRrTableOptions): Promise<PruningRow[]> {
  const { magnitude, channels, onProgress } = options;
  await openBackend(options.backend ?? 'auto');
  const { training, fitted: old } = await loadTraining(options.modelFolder);
  old.model.dispose();
  const recipe: RhythmRrRecipe = { ...RHYTHM_RR_RECIPE, ...(training.recipe as Partial<RhythmRrRecipe>) };
  const { seed } = training;
  const records = await loadTrainingRecords({
    ...options,
    onProgress: (done, of, what) => onProgress?.({ stage: `reading ${what}`, done, of }),
  });
  const foldOf = patientFolds(records, FOLDS);
  const train = records.filter((_, i) => foldOf[i] !== 0);
  const judges = records.filter((_, i) => foldOf[i] === 0);

  const { onEpoch, onRow } = pruningProgress(
    fitEpochs(recipe) + magnitude.length * RHYTHM_RR_PRUNING.epochs + channels.length * RHYTHM_RR_TUNING.epochs,
    onProgress,
  );
  const fitted = await fitNetwork(train, recipe, seed, onEpoch);
  const { model, preprocessing } = fitted;
  const sets = judges.map((record) => ({ record, windows: windowsOf(record, EVERY_BEATS, preprocessing) }));
  const rows = await pruningTable(tf, model, {
    ...{ magnitude, channels, names: { inputNames: INPUT_NAMES, outputNames: [OUTPUT_NAME] } },
    items: sets.flatMap(({ windows }) => [...itemsOf(windows)]),
    evaluate: (answers) => {
      const { accuracy, sensitivity, specificity } = windowFigures(scoredOf(sets, answers), 'other');
      return { accuracy, Se: sensitivity, Sp: specificity };
    },
    prune: (copy, sparsity) => fitPruned({ ...fitted, model: copy }, train, recipe, seed, { sparsity }, onEpoch),
    tune: (copy) => fitTuned({ ...fitted, model: copy }, train, recipe, seed, onEpoch),
    onRow,
  });
  model.dispose();
  return rows;
}

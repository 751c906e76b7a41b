import * as tf from '@tensorflow/tfjs';
import { type AnomalyPreprocessing, departureOf } from '../../../inference/windows/anomaly-rr.js';
import { type BackendName, openBackend } from '../../backend.js';
import type { AnomalyRecord } from '../../data/anomaly-records.js';
import { rocOf } from '../../evaluation/curves.js';
import type { LabProgress } from '../../progress.js';
import { type PruningRow, pruningTable } from '../../prune/table.js';
import type { ModelItem } from '../../quantize/index.js';
import { Random } from '../../train/random.js';
import { pruningProgress } from '../pruning-progress.js';
import { loadTraining } from './bundle.js';
import { type AnomalyDataOptions, FOLDS, loadNormal } from './data.js';
import { fitNetwork, fitPruned, fitTuned, lessonOf } from './fit.js';
import { INPUT_NAMES, OUTPUT_NAME } from './network.js';
import { itemsOf } from './quantize.js';
import { ANOMALY_PRUNING, ANOMALY_RECIPE, ANOMALY_TUNING, type AnomalyRecipe } from './recipe.js';

/** Every so many usual windows of the people left out: as many as there are made-up ones. */
const EVERY = 8;
/** Of the rhythms made up for the people left out; the training makes up others. */
const JUDGES_SEED = 15_485_867;

export interface AnomalyTableOptions extends Omit<AnomalyDataOptions, 'onProgress'> {
  /** Folder of the training whose recipe and seed are taken. */
  readonly modelFolder: string;
  readonly magnitude: readonly number[];
  readonly channels: readonly number[];
  readonly backend?: BackendName | 'auto';
  onProgress?(progress: LabProgress): void;
}

/**
 * Sparsity against accuracy, size and speed, on people not trained on: a third of those of nsr2db that training may see is left
 * out, a network trained on the rest as `modelFolder`'s was, and pruned to each share. Judged are their own windows and rhythms
 * made up for them, as the training has both; nobody kept for choices or the test is read.
 */
export async function anomalyPruningTable(options: AnomalyTableOptions): Promise<PruningRow[]> {
  const { magnitude, channels, onProgress } = options;
  await openBackend(options.backend ?? 'auto');
  const { training, fitted: old } = await loadTraining(options.modelFolder);
  old.model.dispose();
  const recipe: AnomalyRecipe = { ...ANOMALY_RECIPE, ...(training.recipe as Partial<AnomalyRecipe>) };
  const { seed } = training;
  const records = await loadNormal({
    ...options,
    onProgress: (done, of, what) => onProgress?.({ stage: `reading ${what}`, done, of }),
  });
  const train = records.filter((_, i) => i % FOLDS !== 0);
  const { onEpoch, onRow } = pruningProgress(
    recipe.epochs + magnitude.length * ANOMALY_PRUNING.epochs + channels.length * ANOMALY_TUNING.epochs,
    onProgress,
  );
  const fitted = await fitNetwork(train, recipe, seed, onEpoch);
  const { model, preprocessing } = fitted;
  const { items, departs } = judged(
    records.filter((_, i) => i % FOLDS === 0),
    preprocessing,
  );
  const rows = await pruningTable(tf, model, {
    ...{ magnitude, channels, names: { inputNames: INPUT_NAMES, outputNames: [OUTPUT_NAME] } },
    items,
    evaluate: (answers) => ({
      accuracy: answers.filter(([usual, other], i) => other! > usual! === departs[i]).length / answers.length,
      AUC: rocOf(answers.map(departureOf), departs).area,
    }),
    prune: (copy, sparsity) => fitPruned({ ...fitted, model: copy }, train, recipe, seed, { sparsity }, onEpoch),
    tune: (copy) => fitTuned({ ...fitted, model: copy }, train, recipe, seed, onEpoch),
    onRow,
  });
  model.dispose();
  return rows;
}

function judged(people: readonly AnomalyRecord[], preprocessing: AnomalyPreprocessing) {
  const random = new Random(JUDGES_SEED);
  const items: ModelItem[] = [];
  const departs: boolean[] = [];
  const add = (some: Iterable<ModelItem>, what: boolean) => {
    for (const item of some) {
      items.push(item);
      departs.push(what);
    }
  };
  for (const person of people) {
    const { real, madeUp } = lessonOf(person, preprocessing, random);
    add(itemsOf(real, EVERY), false);
    add(itemsOf(madeUp.departs), true);
  }
  return { items, departs };
}

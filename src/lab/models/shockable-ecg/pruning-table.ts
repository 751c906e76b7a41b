import * as tf from '@tensorflow/tfjs';
import { type BackendName, openBackend } from '../../backend.js';
import { FAST_VT, FIBRILLATION, OTHER, type ShockableRecord } from '../../data/shockable-records.js';
import { rocOf } from '../../evaluation/curves.js';
import type { LabProgress } from '../../progress.js';
import { type PruningRow, pruningTable } from '../../prune/table.js';
import { pruningProgress } from '../pruning-progress.js';
import { loadTraining } from './bundle.js';
import { foldsOf, loadTrainingData, type ShockableDataOptions } from './data.js';
import { shockableWindowFigures } from './figures.js';
import { fitEpochs, fitNetwork, fitPruned, fitTuned } from './fit.js';
import { INPUT_NAMES, OUTPUT_NAME } from './network.js';
import { itemsOf } from './quantize.js';
import { SHOCKABLE_PRUNING, SHOCKABLE_RECIPE, SHOCKABLE_TUNING, type ShockableRecipe } from './recipe.js';
import { type ScoredRecord, shockableScore } from './score.js';
import { scoredOf } from './test-set.js';
import { shippedSetting } from './train.js';

export interface ShockableTableOptions extends Omit<ShockableDataOptions, 'onProgress'> {
  /** Folder of the training whose recipe and seed are taken. */
  readonly modelFolder: string;
  readonly magnitude: readonly number[];
  readonly channels: readonly number[];
  readonly backend?: BackendName | 'auto';
  onProgress?(progress: LabProgress): void;
}

/**
 * Sparsity against sensitivity, specificity, size and speed, on records not trained on: the first fold of vfdb and svdb is left
 * out, a network trained on the rest as `modelFolder`'s was, and pruned to each share. mitdb and cinc2017 are never read.
 */
export async function shockablePruningTable(options: ShockableTableOptions): Promise<PruningRow[]> {
  const { magnitude, channels, onProgress } = options;
  await openBackend(options.backend ?? 'auto');
  const { training, fitted: old } = await loadTraining(options.modelFolder);
  old.model.dispose();
  const recipe: ShockableRecipe = { ...SHOCKABLE_RECIPE, ...(training.recipe as Partial<ShockableRecipe>) };
  const { seed } = training;
  const { records, noise } = await loadTrainingData({
    ...options,
    onProgress: (done, of, what) => onProgress?.({ stage: `reading ${what}`, done, of }),
  });
  const foldOf = foldsOf(records);
  const train = records.filter((_, i) => foldOf[i] !== 0);
  const judges = records.filter((_, i) => foldOf[i] === 0);

  const { onEpoch, onRow } = pruningProgress(
    fitEpochs(recipe) + magnitude.length * SHOCKABLE_PRUNING.epochs + channels.length * SHOCKABLE_TUNING.epochs,
    onProgress,
  );
  const fitted = await fitNetwork(train, noise, recipe, seed, onEpoch);
  const { model, preprocessing } = fitted;
  const rows = await pruningTable(tf, model, {
    ...{ magnitude, channels, names: { inputNames: INPUT_NAMES, outputNames: [OUTPUT_NAME] } },
    items: judges.flatMap((record) => [...itemsOf(record, preprocessing)]),
    evaluate: (answers) => figures(judges, answers),
    prune: (copy, sparsity) => fitPruned({ ...fitted, model: copy }, train, noise, recipe, seed, { sparsity }, onEpoch),
    tune: (copy) => fitTuned({ ...fitted, model: copy }, train, noise, recipe, seed, onEpoch),
    onRow,
  });
  model.dispose();
  return rows;
}

/** At the daemon's threshold, noise and asystole left out, and the area under the curve, which hangs on no threshold. */
function figures(records: readonly ShockableRecord[], answers: readonly Float32Array[]): Record<string, number> {
  const scored = scoredOf(records, answers);
  const of = (database: string) => scored.filter(({ record }) => record.database === database);
  const { on } = shippedSetting();
  const { sensitivity, specificity } = shockableWindowFigures(of('vfdb'), on);
  return {
    AUC: areaOf(of('vfdb')),
    Se: sensitivity,
    Sp: specificity,
    'Sp svdb': shockableWindowFigures(of('svdb'), on).specificity,
  };
}

function areaOf(scored: readonly ScoredRecord[]): number {
  const scores: number[] = [];
  const shockable: boolean[] = [];
  for (const one of scored) {
    one.record.labels.forEach((label, window) => {
      if (label !== OTHER && label !== FAST_VT && label !== FIBRILLATION) return;
      scores.push(shockableScore(one, window));
      shockable.push(label !== OTHER);
    });
  }
  return rocOf(scores, shockable).area;
}

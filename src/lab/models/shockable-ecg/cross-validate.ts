import type { ShockableRecord } from '../../data/shockable-records.js';
import type { EpochReport } from '../../train/loop.js';
import { FOLDS, foldsOf, type ShockableTrainingData } from './data.js';
import { type Fitted, fitNetwork, fitPruned } from './fit.js';
import type { ShockableRecipe } from './recipe.js';
import { type ScoredRecord, score } from './score.js';

export interface CrossValidationOptions {
  readonly data: ShockableTrainingData;
  readonly recipe: ShockableRecipe;
  readonly seed: number;
  /** Also prune each fold's model to this sparsity, and score the pruned one. */
  readonly sparsity?: number;
  onEpoch?(fold: number, report: EpochReport): void | Promise<void>;
  /** Each fold's model before it is disposed of. */
  onFold?(fold: number, fitted: Fitted, test: readonly ShockableRecord[]): void | Promise<void>;
}

/** Every record, scored by the model that never saw it. */
export interface CrossValidated {
  readonly float: ScoredRecord[];
  readonly pruned: ScoredRecord[] | null;
}

/** Trains once per fold on the other folds' records. */
export async function crossValidate(options: CrossValidationOptions): Promise<CrossValidated> {
  const { data, recipe, seed, sparsity, onEpoch, onFold } = options;
  const { records, noise } = data;
  const foldOf = foldsOf(records);
  const float: ScoredRecord[] = [];
  const pruned: ScoredRecord[] = [];
  for (let fold = 0; fold < FOLDS; fold++) {
    const train = records.filter((_, i) => foldOf[i] !== fold);
    const test = records.filter((_, i) => foldOf[i] === fold);
    const fitted = await fitNetwork(train, noise, recipe, seed + fold, (report) => onEpoch?.(fold, report));
    float.push(...score(fitted, test));
    await onFold?.(fold, fitted, test);
    if (sparsity !== undefined) {
      await fitPruned(fitted, train, noise, recipe, seed + fold, { sparsity }, (report) => onEpoch?.(fold, report));
      pruned.push(...score(fitted, test));
    }
    fitted.model.dispose();
  }
  return { float, pruned: sparsity === undefined ? null : pruned };
}

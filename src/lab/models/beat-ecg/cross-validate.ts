import type { BeatRecord } from '../../data/beat-records.js';
import type { EpochReport } from '../../train/loop.js';
import { patientFolds } from './data.js';
import type { ScoredRecord } from './decide.js';
import { fitNetwork, fitPruned, score } from './fit.js';
import type { BeatEcgRecipe } from './recipe.js';

export interface CrossValidationOptions {
  readonly records: readonly BeatRecord[];
  readonly recipe: BeatEcgRecipe;
  readonly seed: number;
  readonly folds: number;
  /** Also prune each fold's model to this sparsity, and score the pruned one. */
  readonly sparsity?: number;
  onEpoch?(fold: number, report: EpochReport): void | Promise<void>;
}

export interface CrossValidated {
  /** Every record, scored by the model that never saw its patient. */
  readonly float: ScoredRecord[];
  readonly pruned: ScoredRecord[] | null;
}

/** Trains once per fold on the other folds' patients. */
export async function crossValidate(options: CrossValidationOptions): Promise<CrossValidated> {
  const { records, recipe, seed, folds, sparsity, onEpoch } = options;
  const foldOf = patientFolds(records, folds);
  const float: ScoredRecord[] = [];
  const pruned: ScoredRecord[] = [];
  for (let fold = 0; fold < folds; fold++) {
    const train = records.filter((_, i) => foldOf[i] !== fold);
    const test = records.filter((_, i) => foldOf[i] === fold);
    const fitted = await fitNetwork(train, recipe, seed, (report) => onEpoch?.(fold, report));
    float.push(...score(fitted, test));
    if (sparsity !== undefined) {
      await fitPruned(fitted, train, recipe, seed, sparsity, (report) => onEpoch?.(fold, report));
      pruned.push(...score(fitted, test));
    }
    fitted.model.dispose();
  }
  return { float, pruned: sparsity === undefined ? null : pruned };
}

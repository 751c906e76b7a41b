import type { RhythmRecord } from '../../data/rhythm-records.js';
import type { PhaseHistory } from '../../train/history.js';
import type { Checkpoints } from '../../train/keeper.js';
import type { EpochReport } from '../../train/loop.js';
import { patientFolds } from './data.js';
import { fitNetwork, fitPruned } from './fit.js';
import type { RhythmRrRecipe } from './recipe.js';
import { type ScoredRhythm, score } from './score.js';

export interface CrossValidationOptions {
  readonly records: readonly RhythmRecord[];
  readonly recipe: RhythmRrRecipe;
  readonly seed: number;
  readonly folds: number;
  /** A window every so many beats of the patients left out. */
  readonly everyBeats: number;
  /** Also prune each fold's model to this sparsity, and score the pruned one. */
  readonly sparsity?: number;
  /** Where the folds' states are kept, so that a killed making goes on. */
  readonly checkpoints?: Checkpoints;
  onEpoch?(fold: number, report: EpochReport): void | Promise<void>;
}

export interface CrossValidated {
  /** Every record, scored by the model that never saw its patient. */
  readonly float: ScoredRhythm[];
  readonly pruned: ScoredRhythm[] | null;
  readonly history: readonly PhaseHistory[];
}

/** Trains once per fold on the other folds' patients. */
export async function crossValidate(options: CrossValidationOptions): Promise<CrossValidated> {
  const { records, recipe, seed, folds, everyBeats, sparsity, checkpoints, onEpoch } = options;
  const history: PhaseHistory[] = [];
  const foldOf = patientFolds(records, folds);
  const float: ScoredRhythm[] = [];
  const pruned: ScoredRhythm[] = [];
  for (let fold = 0; fold < folds; fold++) {
    const train = records.filter((_, i) => foldOf[i] !== fold);
    const test = records.filter((_, i) => foldOf[i] === fold);
    const fitted = await fitNetwork(
      train,
      recipe,
      seed + fold,
      (report) => onEpoch?.(fold, report),
      (half) => checkpoints?.of(`fold-${fold + 1}-${half}`),
    );
    history.push({ phase: `fold ${fold + 1}`, epochs: fitted.history ?? [] });
    float.push(...score(fitted, test, everyBeats));
    if (sparsity !== undefined) {
      await fitPruned(fitted, train, recipe, seed + fold, { sparsity }, (report) => onEpoch?.(fold, report));
      pruned.push(...score(fitted, test, everyBeats));
    }
    fitted.model.dispose();
  }
  return { float, pruned: sparsity === undefined ? null : pruned, history };
}

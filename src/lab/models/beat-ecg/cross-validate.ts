import type { RecordedNoise } from '../../augment/recorded-noise.js';
import type { BeatRecord } from '../../data/beat-records.js';
import type { PruningWish } from '../../prune/plan.js';
import type { PhaseHistory } from '../../train/history.js';
import type { Checkpoints } from '../../train/keeper.js';
import type { EpochReport } from '../../train/loop.js';
import { ofSamePeople } from './data.js';
import type { ScoredRecord } from './decide.js';
import { fitNetwork, fitPruned, score } from './fit.js';
import type { IntervalRecord } from './interval-sampling.js';
import { keepFold, keptFold } from './kept-folds.js';
import { BEAT_ECG_PRUNING, type BeatEcgRecipe } from './recipe.js';
import { patientFolds } from './split.js';

export interface CrossValidationOptions {
  readonly records: readonly BeatRecord[];
  /** Other leads of the same people, to train on; nobody is judged on them. */
  readonly otherLeads?: readonly BeatRecord[];
  /** Long recordings without a signal: no patient of the folds is among them. */
  readonly intervals?: readonly IntervalRecord[];
  /** Folder in which the folds' float models are kept, and looked for first: pruning goes on from what training left. */
  readonly foldsFolder?: string;
  readonly noise?: RecordedNoise;
  readonly recipe: BeatEcgRecipe;
  readonly seed: number;
  readonly folds: number;
  /** For each record its fold; dealt in turn, one person a record, unless told. */
  readonly foldOf?: readonly number[];
  /** Also prune each fold's model, and score the pruned one. */
  readonly pruning?: PruningWish;
  /** Where the folds' states are kept, so that a killed making goes on. */
  readonly checkpoints?: Checkpoints;
  readonly patience?: number;
  onEpoch?(fold: number, report: EpochReport): void | Promise<void>;
}

export interface CrossValidated {
  /** Every record, scored by the model that never saw its patient. */
  readonly float: ScoredRecord[];
  readonly pruned: ScoredRecord[] | null;
  readonly history: readonly PhaseHistory[];
}

/** Trains once per fold on the other folds' patients. */
export async function crossValidate(options: CrossValidationOptions): Promise<CrossValidated> {
  const {
    records,
    otherLeads = [],
    intervals,
    noise,
    recipe,
    seed,
    folds,
    foldsFolder,
    pruning,
    checkpoints,
    patience,
    onEpoch,
  } = options;
  const foldOf = options.foldOf ?? patientFolds(records, folds);
  const float: ScoredRecord[] = [];
  const pruned: ScoredRecord[] = [];
  const history: PhaseHistory[] = [];
  for (let fold = 0; fold < folds; fold++) {
    const train = records.filter((_, i) => foldOf[i] !== fold);
    const trainedOn = [...train, ...ofSamePeople(otherLeads, train)];
    const test = records.filter((_, i) => foldOf[i] === fold);
    const control = (phase: string) => ({
      validateOn: test,
      ...(checkpoints && { checkpoint: checkpoints.of(phase) }),
      patience,
      ...(noise && { noise }),
    });
    const report = (epoch: EpochReport) => onEpoch?.(fold, epoch);
    const name = `seed ${seed}, fold ${fold + 1}`;
    const key = { seed, recipe, folds, fold, patience, intervals: intervals?.length ?? 0, records: train.map(idOf) };
    const kept = (what: string, of: object) => (foldsFolder ? keptFold(foldsFolder, what, of) : null);
    let fitted = await kept(`${fold + 1}`, key);
    if (!fitted) {
      fitted = await fitNetwork(trainedOn, recipe, seed, report, {
        ...control(`seed-${seed}-fold-${fold + 1}`),
        intervals,
      });
      if (foldsFolder) await keepFold(foldsFolder, `${fold + 1}`, key, fitted);
      history.push({ phase: name, epochs: fitted.history ?? [] });
    }
    float.push(...score(fitted, test));
    if (pruning) {
      const { sparsity, schedule = 'PolynomialDecay', layers = {}, levels = null, teacher = 0 } = pruning;
      const prunedKey = { ...key, pruning: { sparsity, schedule, layers, levels, teacher, ...BEAT_ECG_PRUNING } };
      const prunedBefore = await kept(`${fold + 1}-pruned`, prunedKey);
      if (prunedBefore) {
        fitted.model.dispose();
        fitted = prunedBefore;
      } else {
        const { patience: _, ...controls } = control(`seed-${seed}-fold-${fold + 1}-pruned`);
        const epochs = await fitPruned(fitted, trainedOn, recipe, seed, pruning, report, { ...controls, intervals });
        history.push({ phase: `${name}, pruning`, epochs });
        if (foldsFolder) await keepFold(foldsFolder, `${fold + 1}-pruned`, prunedKey, fitted);
      }
      pruned.push(...score(fitted, test));
    }
    fitted.model.dispose();
  }
  return { float, pruned: pruning ? pruned : null, history };
}

function idOf({ database, record }: BeatRecord): string {
  return `${database}/${record}`;
}

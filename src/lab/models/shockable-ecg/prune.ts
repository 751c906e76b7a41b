import { type PruneOptions, pruneInOneGo } from '../prune-in-one-go.js';
import { loadTraining, type ShockableTraining, saveTraining } from './bundle.js';
import { loadTrainingData, type ShockableDataOptions } from './data.js';
import { fitPruned, fitTuned } from './fit.js';
import { SHOCKABLE_PRUNING, SHOCKABLE_RECIPE, SHOCKABLE_TUNING } from './recipe.js';

export type PruneShockableOptions = Omit<ShockableDataOptions, 'onProgress'> & PruneOptions;

/** Prunes a trained shockable-ecg (70 % unless told). mitdb and cinc2017 are never read. */
export function pruneShockable(options: PruneShockableOptions): Promise<ShockableTraining> {
  return pruneInOneGo(
    {
      folders: { loadTraining, saveTraining },
      sparsity: 0.7,
      recipe: SHOCKABLE_RECIPE,
      pruning: SHOCKABLE_PRUNING,
      tuning: SHOCKABLE_TUNING,
      data: (onProgress) => loadTrainingData({ ...options, onProgress }),
      fit: (fitted, { records, noise }, ...how) => fitPruned(fitted, records, noise, ...how),
      tune: (fitted, { records, noise }, ...how) => fitTuned(fitted, records, noise, ...how),
    },
    options,
  );
}

import { type PruneOptions, pruneInOneGo } from '../prune-in-one-go.js';
import { type AnomalyTraining, loadTraining, saveTraining } from './bundle.js';
import { type AnomalyDataOptions, loadNormal } from './data.js';
import { fitPruned, fitTuned } from './fit.js';
import { ANOMALY_PRUNING, ANOMALY_RECIPE, ANOMALY_TUNING } from './recipe.js';

export type PruneAnomalyOptions = Omit<AnomalyDataOptions, 'onProgress'> & PruneOptions;

/** Prunes a trained anomaly-rr (50 % unless told). Nobody but the training people is read. */
export function pruneAnomaly(options: PruneAnomalyOptions): Promise<AnomalyTraining> {
  return pruneInOneGo(
    {
      folders: { loadTraining, saveTraining },
      sparsity: 0.5,
      recipe: ANOMALY_RECIPE,
      pruning: ANOMALY_PRUNING,
      tuning: ANOMALY_TUNING,
      data: (onProgress) => loadNormal({ ...options, onProgress }),
      fit: fitPruned,
      tune: fitTuned,
    },
    options,
  );
}

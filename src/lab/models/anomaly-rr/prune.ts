import { type BackendName, openBackend } from '../../backend.js';
import type { LabProgress } from '../../progress.js';
import { kernelSparsity } from '../../prune/kernel-sparsity.js';
import type { PruningWish } from '../../prune/plan.js';
import { type AnomalyTraining, loadTraining, saveTraining } from './bundle.js';
import { type AnomalyDataOptions, loadNormal } from './data.js';
import { fitPruned } from './fit.js';
import { ANOMALY_PRUNING, ANOMALY_RECIPE, type AnomalyRecipe } from './recipe.js';

export interface PruneAnomalyOptions extends Omit<AnomalyDataOptions, 'onProgress'> {
  /** Folder of the training to start from. */
  readonly modelFolder: string;
  readonly outFolder: string;
  /** Share of each kernel's weights that become zero, 0.5 unless told. */
  readonly sparsity?: number;
  readonly schedule?: PruningWish['schedule'];
  readonly layers?: PruningWish['layers'];
  readonly backend?: BackendName | 'auto';
  onProgress?(progress: LabProgress): void;
}

/** Prunes a trained anomaly-rr while training it on, and saves it beside. Nobody but the training people is read. */
export async function pruneAnomaly(options: PruneAnomalyOptions): Promise<AnomalyTraining> {
  const { modelFolder, outFolder, sparsity = 0.5, schedule, layers, onProgress } = options;
  const wish = { sparsity, ...(schedule && { schedule }), ...(layers && { layers }) };
  const { description } = await openBackend(options.backend ?? 'auto');
  const { fitted, training } = await loadTraining(modelFolder);
  const recipe: AnomalyRecipe = { ...ANOMALY_RECIPE, ...(training.recipe as Partial<AnomalyRecipe>) };
  const records = await loadNormal({
    ...options,
    onProgress: (done, of, what) => onProgress?.({ stage: `reading ${what}`, done, of }),
  });
  await fitPruned(fitted, records, recipe, training.seed, wish, (epoch) =>
    onProgress?.({ stage: 'pruning', done: epoch.epoch, of: ANOMALY_PRUNING.epochs, epoch }),
  );
  const result: AnomalyTraining = {
    ...training,
    backend: description,
    sparsity: kernelSparsity(fitted.model),
    // The float model's cross-validation says nothing of this one.
    validation: null,
    recipe: { ...recipe, pruning: { schedule: 'PolynomialDecay', ...wish, ...ANOMALY_PRUNING } },
  };
  await saveTraining(outFolder, fitted, result);
  fitted.model.dispose();
  return result;
}

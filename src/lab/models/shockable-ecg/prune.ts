import { type BackendName, openBackend } from '../../backend.js';
import type { LabProgress } from '../../progress.js';
import { kernelSparsity } from '../../prune/kernel-sparsity.js';
import type { PruningWish } from '../../prune/plan.js';
import { loadTraining, type ShockableTraining, saveTraining } from './bundle.js';
import { loadTrainingData, type ShockableDataOptions } from './data.js';
import { fitPruned } from './fit.js';
import { SHOCKABLE_PRUNING, SHOCKABLE_RECIPE, type ShockableRecipe } from './recipe.js';
import { names } from './train.js';

export interface PruneShockableOptions extends Omit<ShockableDataOptions, 'onProgress'> {
  /** Folder of the training to start from. */
  readonly modelFolder: string;
  readonly outFolder: string;
  /** Share of each kernel's weights that become zero, 0.7 unless told. */
  readonly sparsity?: number;
  readonly schedule?: PruningWish['schedule'];
  /** Sparsity of single layers. */
  readonly layers?: PruningWish['layers'];
  readonly backend?: BackendName | 'auto';
  onProgress?(progress: LabProgress): void;
}

/** Prunes a trained shockable-ecg while training it on, and saves it beside. mitdb and cinc2017 are never read. */
export async function pruneShockable(options: PruneShockableOptions): Promise<ShockableTraining> {
  const { modelFolder, outFolder, sparsity = 0.7, schedule, layers, onProgress } = options;
  const wish = { sparsity, ...(schedule && { schedule }), ...(layers && { layers }) };
  const { description } = await openBackend(options.backend ?? 'auto');
  const { fitted, training } = await loadTraining(modelFolder);
  const recipe: ShockableRecipe = { ...SHOCKABLE_RECIPE, ...(training.recipe as Partial<ShockableRecipe>) };
  const data = await loadTrainingData({
    ...options,
    onProgress: (done, of, what) => onProgress?.({ stage: `reading ${what}`, done, of }),
  });
  await fitPruned(fitted, data.records, data.noise, recipe, training.seed, wish, (epoch) =>
    onProgress?.({ stage: 'pruning', done: epoch.epoch, of: SHOCKABLE_PRUNING.epochs, epoch }),
  );
  const result: ShockableTraining = {
    ...training,
    backend: description,
    sparsity: kernelSparsity(fitted.model),
    // The float model's cross-validation says nothing of this one.
    validation: null,
    recipe: { ...recipe, pruning: { schedule: 'PolynomialDecay', ...wish, ...SHOCKABLE_PRUNING } },
    trainedOn: names(data.records),
  };
  await saveTraining(outFolder, fitted, result);
  fitted.model.dispose();
  return result;
}

import { type BackendName, openBackend } from '../../backend.js';
import type { LabProgress } from '../../progress.js';
import { kernelSparsity } from '../../prune/kernel-sparsity.js';
import { loadTraining, type RhythmRrTraining, saveTraining } from './bundle.js';
import { loadTrainingRecords, type RhythmRrDataOptions } from './data.js';
import { fitPruned } from './fit.js';
import { RHYTHM_RR_PRUNING, RHYTHM_RR_RECIPE, type RhythmRrRecipe } from './recipe.js';
import { names } from './train.js';

export interface PruneRhythmRrOptions extends Omit<RhythmRrDataOptions, 'onProgress'> {
  /** Folder of the training to start from. */
  readonly modelFolder: string;
  readonly outFolder: string;
  /** Share of each kernel's weights that become zero, 0.7 unless told. */
  readonly sparsity?: number;
  readonly backend?: BackendName | 'auto';
  onProgress?(progress: LabProgress): void;
}

/** Prunes a trained rhythm-rr while training it on, and saves it beside. afdb and mitdb are never read. */
export async function pruneRhythmRr(options: PruneRhythmRrOptions): Promise<RhythmRrTraining> {
  const { modelFolder, outFolder, sparsity = 0.7, onProgress } = options;
  const { description } = await openBackend(options.backend ?? 'auto');
  const { fitted, training } = await loadTraining(modelFolder);
  const recipe: RhythmRrRecipe = { ...RHYTHM_RR_RECIPE, ...(training.recipe as Partial<RhythmRrRecipe>) };
  const records = await loadTrainingRecords({
    ...options,
    onProgress: (done, of, what) => onProgress?.({ stage: `reading ${what}`, done, of }),
  });
  await fitPruned(fitted, records, recipe, training.seed, sparsity, (epoch) =>
    onProgress?.({ stage: 'pruning', done: epoch.epoch, of: RHYTHM_RR_PRUNING.epochs, epoch }),
  );
  const result: RhythmRrTraining = {
    ...training,
    backend: description,
    sparsity: kernelSparsity(fitted.model),
    // The float model's cross-validation says nothing of this one.
    validation: null,
    recipe: { ...recipe, pruning: { schedule: 'PolynomialDecay', sparsity, ...RHYTHM_RR_PRUNING } },
    trainedOn: names(records),
  };
  await saveTraining(outFolder, fitted, result);
  fitted.model.dispose();
  return result;
}

import { type BackendName, openBackend } from '../../backend.js';
import type { LabProgress } from '../../progress.js';
import { kernelSparsity } from '../../prune/kernel-sparsity.js';
import type { EpochReport } from '../../train/loop.js';
import { type BeatEcgTraining, loadTraining, saveTraining } from './bundle.js';
import { crossValidate } from './cross-validate.js';
import { type BeatEcgDataOptions, loadTrainingRecords } from './data.js';
import { chooseOffsets } from './decide.js';
import { fitPruned } from './fit.js';
import { BEAT_ECG_PRUNING, BEAT_ECG_RECIPE, type BeatEcgRecipe } from './recipe.js';
import { DEFAULT_FOLDS, names, validationOf } from './train.js';

export interface PruneBeatEcgOptions extends Omit<BeatEcgDataOptions, 'onProgress'> {
  /** Folder of the training to start from. */
  readonly modelFolder: string;
  readonly outFolder: string;
  /** Share of each kernel's weights that become zero, 0.8 unless told. */
  readonly sparsity?: number;
  readonly backend?: BackendName | 'auto';
  /** Folds that train and prune anew to choose the pruned model's own offsets; 0 keeps the float model's. */
  readonly folds?: number;
  onProgress?(progress: LabProgress): void;
}

/** Prunes a trained beat-ecg while training it on, with its own offsets, and saves it beside. DS2 is never read. */
export async function pruneBeatEcg(options: PruneBeatEcgOptions): Promise<BeatEcgTraining> {
  const { modelFolder, outFolder, sparsity = 0.8, folds = DEFAULT_FOLDS, onProgress } = options;
  const { description } = await openBackend(options.backend ?? 'auto');
  const { fitted, training } = await loadTraining(modelFolder);
  const recipe: BeatEcgRecipe = { ...BEAT_ECG_RECIPE, ...(training.recipe as Partial<BeatEcgRecipe>) };
  const { seed } = training;
  const records = await loadTrainingRecords({
    ...options,
    onProgress: (done, of, what) => onProgress?.({ stage: `reading ${what}`, done, of }),
  });

  const foldEpochs = recipe.epochs + BEAT_ECG_PRUNING.epochs;
  const of = folds * foldEpochs + BEAT_ECG_PRUNING.epochs;
  let { logitOffsets, validation } = training;
  if (folds > 0) {
    let done = 0;
    const onEpoch = (fold: number, epoch: EpochReport) =>
      onProgress?.({ stage: `fold ${fold + 1} of ${folds}`, done: ++done, of, epoch });
    const { pruned } = await crossValidate({ records, recipe, seed, folds, sparsity, onEpoch });
    // Pruning shifts what the net expects of the classes; offsets of the float model do not fit it.
    logitOffsets = chooseOffsets(pruned!);
    validation = validationOf(pruned!, folds, logitOffsets);
  }
  await fitPruned(fitted, records, recipe, seed, sparsity, (epoch) =>
    onProgress?.({ stage: 'all patients', done: folds * foldEpochs + epoch.epoch, of, epoch }),
  );
  const result: BeatEcgTraining = {
    ...training,
    backend: description,
    sparsity: kernelSparsity(fitted.model),
    logitOffsets,
    validation,
    recipe: { ...recipe, pruning: { schedule: 'PolynomialDecay', sparsity, ...BEAT_ECG_PRUNING } },
    trainedOn: names(records),
  };
  await saveTraining(outFolder, fitted, result);
  fitted.model.dispose();
  return result;
}

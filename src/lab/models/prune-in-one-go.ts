import { type BackendName, openBackend } from '../backend.js';
import type { LabProgress } from '../progress.js';
import { kernelSparsity } from '../prune/kernel-sparsity.js';
import type { PruningTimes, PruningWish } from '../prune/plan.js';
import type { EpochReport } from '../train/loop.js';
import type { Trained, Training, trainingFolders } from './training-folder.js';

export interface PruneOptions {
  /** Folder of the training to start from. */
  readonly modelFolder: string;
  readonly outFolder: string;
  /** Share of each kernel's weights that become zero, if not the model's own. */
  readonly sparsity?: number;
  readonly schedule?: PruningWish['schedule'];
  /** Sparsity of single layers. */
  readonly layers?: PruningWish['layers'];
  readonly backend?: BackendName | 'auto';
  onProgress?(progress: LabProgress): void;
}

/** What pruning takes of one model. */
export interface PrunedModel<T extends Training<P>, P extends object, Recipe, Data> {
  readonly folders: Pick<ReturnType<typeof trainingFolders<T, P>>, 'loadTraining' | 'saveTraining'>;
  readonly sparsity: number;
  readonly recipe: Recipe;
  readonly pruning: PruningTimes & { readonly epochs: number };
  /** What it is trained on meanwhile: the training's people, nobody who is tested on. */
  data(onProgress: (done: number, of: number, what: string) => void): Promise<Data>;
  fit(
    fitted: Trained<P>,
    data: Data,
    recipe: Recipe,
    seed: number,
    wish: PruningWish,
    onEpoch: (epoch: EpochReport) => void,
  ): Promise<unknown>;
}

/** Prunes a trained model while training it on, in one go without checkpoints, and saves it beside: for those that take a minute. */
export async function pruneInOneGo<T extends Training<P>, P extends object, Recipe, Data>(
  { folders, recipe: usual, pruning, ...model }: PrunedModel<T, P, Recipe, Data>,
  options: PruneOptions,
): Promise<T> {
  const { modelFolder, outFolder, sparsity = model.sparsity, schedule, layers, onProgress } = options;
  const wish = { sparsity, ...(schedule && { schedule }), ...(layers && { layers }) };
  const { description } = await openBackend(options.backend ?? 'auto');
  const { fitted, training } = await folders.loadTraining(modelFolder);
  const recipe: Recipe = { ...usual, ...(training.recipe as Partial<Recipe>) };
  const data = await model.data((done, of, what) => onProgress?.({ stage: `reading ${what}`, done, of }));
  await model.fit(fitted, data, recipe, training.seed, wish, (epoch) =>
    onProgress?.({ stage: 'pruning', done: epoch.epoch, of: pruning.epochs, epoch }),
  );
  const result: T = {
    ...training,
    backend: description,
    sparsity: kernelSparsity(fitted.model),
    // The float model's cross-validation says nothing of this one.
    validation: null,
    recipe: { ...recipe, pruning: { schedule: 'PolynomialDecay', ...wish, ...pruning } },
  };
  await folders.saveTraining(outFolder, fitted, result);
  fitted.model.dispose();
  return result;
}

import * as tf from '@tensorflow/tfjs';
import { type BackendName, openBackend } from '../backend.js';
import type { LabProgress } from '../progress.js';
import { CHANNEL_GROUP, type PrunedLayer, pruneChannels } from '../prune/channel.js';
import { kernelSparsity } from '../prune/kernel-sparsity.js';
import type { PruningTimes, PruningWish } from '../prune/plan.js';
import type { EpochReport } from '../train/loop.js';
import type { Trained, Training, trainingFolders } from './training-folder.js';

export interface PruneOptions {
  /** Folder of the training to start from. */
  readonly modelFolder: string;
  readonly outFolder: string;
  /** Share of each kernel's weights that become zero, if not the model's own; 0 where only channels go. */
  readonly sparsity?: number;
  readonly schedule?: PruningWish['schedule'];
  /** Sparsity of single layers. */
  readonly layers?: PruningWish['layers'];
  /** Share of channels and units to take out before: of every layer that can lose some, or by layer. */
  readonly channels?: number | Readonly<Record<string, number>>;
  readonly backend?: BackendName | 'auto';
  onProgress?(progress: LabProgress): void;
}

/** What pruning takes of one model. */
export interface PrunedModel<T extends Training<P>, P extends object, Recipe, Data> {
  readonly folders: Pick<ReturnType<typeof trainingFolders<T, P>>, 'loadTraining' | 'saveTraining'>;
  readonly sparsity: number;
  readonly recipe: Recipe;
  readonly pruning: PruningTimes & { readonly epochs: number };
  readonly tuning: { readonly epochs: number; readonly peakLearningRate: number };
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
  /** Trains on what lost channels. */
  tune(
    fitted: Trained<P>,
    data: Data,
    recipe: Recipe,
    seed: number,
    onEpoch: (epoch: EpochReport) => void,
  ): Promise<unknown>;
}

/** Prunes a trained model while training it on, in one go without checkpoints, and saves it beside: for those that take a minute. */
export async function pruneInOneGo<T extends Training<P>, P extends object, Recipe, Data>(
  { folders, recipe: usual, pruning, tuning, ...model }: PrunedModel<T, P, Recipe, Data>,
  options: PruneOptions,
): Promise<T> {
  const { modelFolder, outFolder, channels, schedule, layers, onProgress } = options;
  const sparsity = options.sparsity ?? (channels === undefined ? model.sparsity : 0);
  const wish = { sparsity, ...(schedule && { schedule }), ...(layers && { layers }) };
  const { description } = await openBackend(options.backend ?? 'auto');
  const loaded = await folders.loadTraining(modelFolder);
  const { training } = loaded;
  let { fitted } = loaded;
  const recipe: Recipe = { ...usual, ...(training.recipe as Partial<Recipe>) };
  const data = await model.data((done, of, what) => onProgress?.({ stage: `reading ${what}`, done, of }));
  const prunes = sparsity > 0 || Object.keys(layers ?? {}).length > 0;
  const tuningEpochs = channels === undefined ? 0 : tuning.epochs;
  const of = tuningEpochs + (prunes ? pruning.epochs : 0);
  const report = (stage: string, before: number) => (epoch: EpochReport) =>
    onProgress?.({ stage, done: before + epoch.epoch, of, epoch });
  let left: readonly PrunedLayer[] | undefined;
  if (channels !== undefined) {
    const smaller = await pruneChannels(tf, fitted.model, { sparsity: channels, multipleOf: CHANNEL_GROUP });
    fitted.model.dispose();
    fitted = { ...fitted, model: smaller.model };
    left = smaller.layers;
    await model.tune(fitted, data, recipe, training.seed, report('fine-tuning', 0));
  }
  if (prunes) await model.fit(fitted, data, recipe, training.seed, wish, report('pruning', tuningEpochs));
  const result: T = {
    ...training,
    backend: description,
    sparsity: kernelSparsity(fitted.model),
    // The float model's cross-validation says nothing of this one.
    validation: null,
    recipe: {
      ...recipe,
      ...(left && { channels: { wanted: channels, left, ...tuning } }),
      ...(prunes && { pruning: { schedule: 'PolynomialDecay', ...wish, ...pruning } }),
    },
  };
  await folders.saveTraining(outFolder, fitted, result);
  fitted.model.dispose();
  return result;
}

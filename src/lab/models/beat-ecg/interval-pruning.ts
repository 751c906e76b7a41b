import * as tf from '@tensorflow/tfjs';
import type { PruningWish } from '../../prune/plan.js';
import { pruningWhileTraining } from '../../prune/while-training.js';
import type { CheckpointOptions } from '../../train/keeper.js';
import { trainModel } from '../../train/loop.js';
import { imitated } from './distil.js';
import type { IntervalSampler } from './interval-sampling.js';
import { INTERVAL_LAYERS } from './network.js';
import { BEAT_ECG_PRUNING, type BeatEcgRecipe } from './recipe.js';

/** What a wish says of the branch of the intervals (null where it leaves that alone), and of all other layers. */
export function intervalLayersOf(wish: PruningWish): { ofIntervals: PruningWish | null; others: PruningWish } {
  const entries = Object.entries(wish.layers ?? {});
  const isInterval = ([name]: [string, number]) => (INTERVAL_LAYERS as readonly string[]).includes(name);
  const intervals = Object.fromEntries(entries.filter(isInterval));
  const layers = Object.fromEntries(entries.filter((entry) => !isInterval(entry)));
  const wished = Object.values(intervals).some((share) => share > 0);
  return { ofIntervals: wished ? { ...wish, sparsity: 0, layers: intervals } : null, others: { ...wish, layers } };
}

export interface IntervalPruningOptions {
  readonly sampler: IntervalSampler;
  readonly recipe: BeatEcgRecipe;
  readonly checkpoint?: CheckpointOptions | undefined;
}

/**
 * Prunes the branch of the intervals while it imitates its former self on the beats it was trained on: what it gives to the
 * rest of the network stays what the rest has learnt to read. The branch then stays as it is.
 */
export async function fitPrunedIntervals(
  model: tf.LayersModel,
  teacher: tf.LayersModel,
  wish: PruningWish,
  { sampler, recipe, checkpoint }: IntervalPruningOptions,
): Promise<void> {
  const layers = INTERVAL_LAYERS.map((name) => model.getLayer(name));
  for (const layer of layers) layer.trainable = true;
  const student = branchOf(model);
  const epochs = BEAT_ECG_PRUNING.intervalEpochs;
  const steps = epochs * recipe.intervals.stepsPerEpoch;
  const { hooks, pruner, settle } = pruningWhileTraining(student, wish, BEAT_ECG_PRUNING, steps);
  const next = imitated(() => sampler.next(), branchOf(teacher));
  await trainModel(
    student,
    next,
    { ...recipe.intervals, epochs, loss: 'squared' },
    {
      ...hooks,
      states: [sampler, pruner],
      ...(checkpoint && {
        checkpoint: { ...checkpoint, file: checkpoint.file.replace(/(\.ckpt)?$/, '-intervals.ckpt') },
      }),
    },
  );
  settle();
  for (const layer of layers) layer.trainable = false;
}

/** Features in, what the branch gives to the rest of the network out; the layers are the model's own. */
function branchOf(model: tf.LayersModel): tf.LayersModel {
  const last = `${INTERVAL_LAYERS.at(-1)!}_relu`;
  return tf.model({ inputs: model.inputs[1]!, outputs: model.getLayer(last).output as tf.SymbolicTensor });
}

import type * as tf from '@tensorflow/tfjs';
import type { TrainHooks } from '../train/loop.js';
import { coarse } from './coarse.js';
import { type PruningTimes, type PruningWish, plannedPruner } from './plan.js';
import type { MagnitudePruner } from './pruner.js';

export interface WhileTraining {
  readonly hooks: Pick<TrainHooks, 'onStep' | 'forwardWeights'>;
  /** To be kept with the training's other states. */
  readonly pruner: MagnitudePruner;
  /** After the training: leaves the model with what it was trained to be. */
  settle(): void;
}

/**
 * What a training of so many steps does beside learning, where its weights are to become fewer and, with `levels`, coarser
 * once the sparsity has been reached.
 * @param finelyKept layers whose weights stay off the levels
 */
export function pruningWhileTraining(
  model: tf.LayersModel,
  wish: PruningWish,
  times: PruningTimes,
  steps: number,
  finelyKept: readonly string[] = [],
): WhileTraining {
  const names = model.trainableWeights.map((weight) => weight.originalName);
  const pruner = plannedPruner(wish, times, steps, names);
  const levels =
    wish.levels === undefined ? null : coarse(model, wish.levels, { from: times.end * steps, except: finelyKept });
  return {
    hooks: {
      onStep(step, weights) {
        pruner.step(step, weights);
        levels?.onStep(step);
      },
      ...(levels && { forwardWeights: levels.forwardWeights }),
    },
    pruner,
    settle: () => levels?.settle(),
  };
}

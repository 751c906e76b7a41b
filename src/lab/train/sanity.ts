import type * as tf from '@tensorflow/tfjs';
import type { Batch } from './loop.js';

/** A training that cannot go on; the message says what is wrong and where. */
export class TrainingError extends Error {
  override readonly name = 'TrainingError';
}

/** @throws TrainingError naming the weight that holds a number which is none */
export function checkWeights(model: tf.LayersModel): void {
  for (const weight of model.weights) {
    const values = weight.read().dataSync();
    const at = values.findIndex((value) => !Number.isFinite(value));
    if (at >= 0) {
      throw new TrainingError(
        `the model cannot be trained: weight '${weight.originalName}' holds ${values[at]} at place ${at}`,
      );
    }
  }
}

/** @throws TrainingError naming the input and the item that hold a number which is none */
export function checkBatch({ inputs, targets, size }: Batch, step: number): void {
  for (const [i, values] of [...inputs, targets].entries()) {
    for (let at = 0; at < values.length; at++) {
      if (Number.isFinite(values[at])) continue;
      const what = i < inputs.length ? `input ${i}` : 'the targets';
      const item = Math.floor((at * size) / values.length);
      throw new TrainingError(
        `the training data are damaged: ${what} of item ${item} in the batch of step ${step + 1} holds ${values[at]}`,
      );
    }
  }
}

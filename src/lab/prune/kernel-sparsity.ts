import type * as tf from '@tensorflow/tfjs';

/** Share of zeros among the kernels' weights of a model. */
export function kernelSparsity(model: tf.LayersModel): number {
  let zeros = 0;
  let weights = 0;
  for (const weight of model.trainableWeights) {
    if (!weight.originalName.includes('kernel')) continue;
    for (const value of weight.read().dataSync()) {
      weights++;
      if (value === 0) zeros++;
    }
  }
  return weights > 0 ? zeros / weights : 0;
}

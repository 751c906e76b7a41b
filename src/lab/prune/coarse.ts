import * as tf from '@tensorflow/tfjs';
import { rounded } from '../quantize/aware.js';
import type { Parameter } from '../train/adamw.js';

export interface CoarseOptions {
  /** Step of the training from which the forward pass sees the coarse weights. */
  readonly from: number;
  /** Layers that keep their weights as they are. */
  readonly except?: readonly string[];
}

/**
 * Few values for a model's weights: each kernel's on a grid of `levels` steps to either side of zero, the largest weight of an
 * output channel at its end. From a step of the training on the forward pass uses them, the gradient goes straight through;
 * `settle` then leaves the model with them. In an int8 file they are few different bytes, which compress well.
 */
export function coarse(model: tf.LayersModel, levels: number, { from, except = [] }: CoarseOptions) {
  const kernels = model.trainableWeights.filter(
    ({ originalName }) => originalName.includes('kernel') && !except.includes(originalName.split('/')[0]!),
  );
  const shapes = new Map(kernels.map((weight) => [weight.originalName, weight.shape as number[]]));
  let step = 0;
  return {
    forwardWeights({ name, values }: Parameter): Float32Array {
      const shape = shapes.get(name);
      return shape && step >= from ? rounded(values, shape, levels) : values;
    },
    onStep(done: number): void {
      step = done + 1;
    },
    settle(): void {
      for (const weight of kernels) {
        const values = Float32Array.from(weight.read().dataSync());
        const shape = weight.shape as number[];
        const tensor = tf.tensor(rounded(values, shape, levels), shape);
        weight.write(tensor);
        tensor.dispose();
      }
    },
  };
}

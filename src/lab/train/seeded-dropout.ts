import * as tf from '@tensorflow/tfjs';
import { Random } from './random.js';

/**
 * Dropout whose masks come from a seeded generator. TensorFlow.js's own either draws from Math.random, so that no
 * training can be repeated, or, given a seed, draws the same mask each time. Saved, it is an ordinary `Dropout` layer.
 */
class SeededDropout extends tf.layers.Layer {
  static className = 'Dropout';
  private readonly random: Random;

  constructor(
    private readonly rate: number,
    seed: number,
    name: string,
  ) {
    super({ name });
    this.random = new Random(seed);
  }

  override computeOutputShape(inputShape: tf.Shape): tf.Shape {
    return inputShape;
  }

  override call(inputs: tf.Tensor | tf.Tensor[], kwargs: { training?: boolean }): tf.Tensor {
    const x = Array.isArray(inputs) ? inputs[0]! : inputs;
    if (!kwargs.training || this.rate === 0) return x;
    const mask = new Float32Array(x.size);
    const keep = 1 / (1 - this.rate);
    for (let i = 0; i < mask.length; i++) mask[i] = this.random.uniform() < this.rate ? 0 : keep;
    return tf.mul(x, tf.tensor(mask, x.shape));
  }

  override getConfig(): tf.serialization.ConfigDict {
    return { ...super.getConfig(), rate: this.rate };
  }
}

/** A dropout layer with repeatable masks. */
export function seededDropout(rate: number, seed: number, name: string): tf.layers.Layer {
  return new SeededDropout(rate, seed, name);
}

import * as tf from '@tensorflow/tfjs';
import { Random } from './random.js';

/**
 * Dropout whose masks come from a seeded generator. TensorFlow.js's own either draws from Math.random, so that no
 * training can be repeated, or, given a seed, draws the same mask each time. Saved, it is an ordinary `Dropout` layer.
 */
class SeededDropout extends tf.layers.Layer {
  static className = 'Dropout';
  readonly random: Random;

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
    return dropped(inputs, this.rate, this.random, kwargs.training);
  }

  override getConfig(): tf.serialization.ConfigDict {
    return { ...super.getConfig(), rate: this.rate };
  }
}

function dropped(inputs: tf.Tensor | tf.Tensor[], rate: number, random: Random, training?: boolean): tf.Tensor {
  const x = Array.isArray(inputs) ? inputs[0]! : inputs;
  if (!training || rate === 0) return x;
  const mask = new Float32Array(x.size);
  const keep = 1 / (1 - rate);
  for (let i = 0; i < mask.length; i++) mask[i] = random.uniform() < rate ? 0 : keep;
  return tf.mul(x, tf.tensor(mask, x.shape));
}

const streams = new WeakMap<tf.layers.Layer, Random>();

/**
 * Gives the plain dropout layers of a model, such as one read from a file, repeatable masks: without this a training that
 * goes on from a file is another one each time. Layers of `seededDropout` keep their own stream.
 */
export function seedDropout(model: tf.LayersModel, seed: number): void {
  let seeds = seed * 1000 + 500;
  for (const layer of model.layers) {
    if (layer.getClassName() !== 'Dropout' || layer instanceof SeededDropout) continue;
    const random = new Random(++seeds);
    streams.set(layer, random);
    const rate = Number(layer.getConfig().rate);
    layer.call = (inputs, kwargs) => dropped(inputs, rate, random, kwargs?.training as boolean | undefined);
  }
}

/** The generators behind a model's dropout, in the order of its layers: part of a checkpoint. */
export function dropoutRandoms(model: tf.LayersModel): Random[] {
  return model.layers.flatMap((layer) => {
    const random = layer instanceof SeededDropout ? layer.random : streams.get(layer);
    return random ? [random] : [];
  });
}

/** A dropout layer with repeatable masks. */
export function seededDropout(rate: number, seed: number, name: string): tf.layers.Layer {
  return new SeededDropout(rate, seed, name);
}

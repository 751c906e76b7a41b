import * as tf from '@tensorflow/tfjs';
import type { Parameter } from '../train/adamw.js';
import type { Resumable } from '../train/checkpoint.js';
import type { TrainHooks } from '../train/loop.js';

/** As `quantizeStatic` has it unless told: 7-bit weights, uint8 activations. */
const WEIGHT_LIMIT = 64;
const LEVELS = 255;
/** How much of a new batch goes into the range of an activation, as in tensorflow_model_optimization's moving average. */
const NEW_SHARE = 0.01;

/**
 * Quantization-aware fine-tuning (Jacob et al., "Quantization and training of neural networks for efficient
 * integer-arithmetic-only inference", CVPR 2018): the forward pass uses weights and activations as 8 bits can hold them, the
 * gradient goes straight through the rounding. Weights are rounded by output channel, so that merging a batch
 * normalization into them afterwards changes nothing. Weights that are zero at the start stay zero: a pruned model
 * stays pruned.
 *
 * Give `hooks` to `trainModel`, and call `end` afterwards: the model is an ordinary one again, to be quantized as usual.
 */
export function quantizationAware(model: tf.LayersModel): {
  readonly hooks: Pick<TrainHooks, 'forwardWeights' | 'onStep' | 'states'>;
  end(): void;
} {
  const shapes = new Map(model.trainableWeights.map((weight) => [weight.originalName, weight.shape as number[]]));
  const zeros = new Map<string, Uint8Array>();
  for (const weight of model.trainableWeights) {
    const values = weight.read().dataSync();
    zeros.set(
      weight.originalName,
      Uint8Array.from(values, (value) => (value === 0 ? 1 : 0)),
    );
  }
  const watched = model.layers.filter((layer) => roundsOutput(layer));
  const ranges = watched.map(() => new MovingRange());
  const before = watched.map((layer) => Object.getOwnPropertyDescriptor(layer, 'call'));
  watched.forEach((layer, i) => {
    const call = layer.call.bind(layer);
    layer.call = (inputs, kwargs) => {
      const out = call(inputs, kwargs);
      return Array.isArray(out) ? out : ranges[i]!.round(out, Boolean(kwargs?.training));
    };
  });
  return {
    hooks: {
      states: ranges,
      forwardWeights: (parameter) =>
        parameter.decays ? rounded(parameter.values, shapes.get(parameter.name)!) : parameter.values,
      onStep(_step, parameters) {
        for (const parameter of parameters) keepZeros(parameter, zeros);
      },
    },
    end: () =>
      watched.forEach((layer, i) => {
        const own = before[i];
        if (own) Object.defineProperty(layer, 'call', own);
        else delete (layer as { call?: unknown }).call;
      }),
  };
}

/** Layers whose results static quantization keeps in 8 bits; the last layer's go to the caller in float. */
function roundsOutput(layer: tf.layers.Layer): boolean {
  const activation = layer.getConfig().activation;
  return layer.getClassName() === 'Activation' || (typeof activation === 'string' && activation !== 'linear');
}

function keepZeros({ name, values, decays }: Parameter, zeros: ReadonlyMap<string, Uint8Array>): void {
  if (!decays) return;
  const mask = zeros.get(name)!;
  for (let i = 0; i < values.length; i++) if (mask[i]) values[i] = 0;
}

/** A kernel as its int8 form stands for it: one scale for each output channel, the last axis. */
export function rounded(values: Float32Array, shape: readonly number[], limit = WEIGHT_LIMIT): Float32Array {
  const channels = shape.at(-1)!;
  const most = new Float32Array(channels);
  for (let i = 0; i < values.length; i++) most[i % channels] = Math.max(most[i % channels]!, Math.abs(values[i]!));
  return values.map((value, i) => {
    const scale = most[i % channels]! / limit;
    return scale > 0 ? Math.round(value / scale) * scale : 0;
  });
}

/** The range of one activation, seen while training, and its rounding to uint8. */
class MovingRange implements Resumable {
  private range: [number, number] | null = null;

  save(): unknown {
    return this.range;
  }

  restore(saved: unknown): void {
    this.range = saved as [number, number] | null;
  }

  round(x: tf.Tensor, training: boolean): tf.Tensor {
    if (training) this.watch(x);
    if (!this.range) return x;
    const [min, max] = this.range;
    const scale = Math.max(1e-9, max - min) / LEVELS;
    return tf.customGrad((value: unknown, save: unknown) => {
      const tensor = value as tf.Tensor;
      (save as (tensors: tf.Tensor[]) => void)([tensor]);
      const steps = tensor.clipByValue(min, max).sub(min).div(scale).add(0.5).floor();
      return {
        value: steps.mul(scale).add(min),
        gradFunc: (dy: tf.Tensor, saved: tf.Tensor[]) => {
          const inside = saved[0]!.greaterEqual(min).logicalAnd(saved[0]!.lessEqual(max));
          return dy.mul(inside.cast('float32'));
        },
      };
    })(x);
  }

  private watch(x: tf.Tensor): void {
    const [min, max] = tf.tidy(() => [x.min().dataSync()[0]!, x.max().dataSync()[0]!]);
    // Zero is always in: padding and ReLU need it exactly.
    const seen: [number, number] = [Math.min(0, min!), Math.max(0, max!)];
    const { range } = this;
    const mix = (a: number, b: number) => a + NEW_SHARE * (b - a);
    this.range = range ? [mix(range[0], seen[0]), mix(range[1], seen[1])] : seen;
  }
}

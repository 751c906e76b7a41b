/** The short ways into the lab for people who use it as a library; each is a few of its parts put together. */
import type { LayersModel } from '@tensorflow/tfjs-layers';
import type { OnnxModel } from './onnx/index.js';
import { maskOf } from './prune/pruner.js';
import { PolynomialDecay } from './prune/schedules.js';
import {
  type CalibrationMethod,
  calibrate,
  type Items,
  quantizeDynamic,
  quantizeFloat16,
  quantizeStatic,
} from './quantize/index.js';

export interface PruneOptions {
  /** Share of each kernel's weights that become zero. */
  readonly sparsity: number;
  /** Rounds over which the sparsity rises (PolynomialDecay, power 3); 10 unless told. */
  readonly rounds?: number;
  /** Trains the model on for a round, for example an epoch of `model.fit`. Without it the model is pruned at once, which costs accuracy. */
  readonly train?: (round: number) => Promise<unknown>;
}

/**
 * Prunes a TensorFlow.js model by magnitude, in place: the smallest weights of every kernel become zero, a little more of
 * them each round, and stay so. Biases and normalizations are left alone.
 * @returns the share of zeros among the kernels' weights
 */
export async function prune(model: LayersModel, options: PruneOptions): Promise<number> {
  const { tensor } = await import('@tensorflow/tfjs-core');
  const { sparsity, train } = options;
  const rounds = train ? (options.rounds ?? 10) : 1;
  const schedule = new PolynomialDecay({
    ...{ initialSparsity: 0, finalSparsity: sparsity, beginStep: 0, endStep: rounds, frequency: 1 },
  });
  const kernels = model.weights.filter(({ shape, trainable }) => shape.length > 1 && trainable);
  const masks = new Map<string, Uint8Array>();
  let zeros = 0;
  let all = 0;
  const apply = (renew: number | null) => {
    zeros = 0;
    all = 0;
    for (const kernel of kernels) {
      const values = Float32Array.from(kernel.read().dataSync());
      if (renew !== null) masks.set(kernel.name, maskOf(values, renew));
      const mask = masks.get(kernel.name)!;
      for (let i = 0; i < values.length; i++) {
        if (mask[i] === 0) values[i] = 0;
        if (values[i] === 0) zeros++;
      }
      all += values.length;
      const fresh = tensor(values, kernel.shape as number[]);
      kernel.write(fresh);
      fresh.dispose();
    }
  };
  for (let round = 1; round <= rounds; round++) {
    apply(schedule.at(round).sparsity);
    if (!train) break;
    await train(round);
    // The optimizer knows nothing of masks.
    apply(null);
  }
  return all === 0 ? 0 : zeros / all;
}

export type QuantizeOptions =
  | { readonly strategy: 'float16' | 'dynamic' }
  | {
      readonly strategy: 'static';
      /** The representative dataset: one flat array per input, for each item. From training data, never from test data. */
      readonly items: Items;
      readonly method?: CalibrationMethod;
      readonly percentile?: number;
    };

/**
 * A float ONNX model with float16 weights, int8 weights (`dynamic`) or int8 throughout (`static`).
 * @throws CalibrationError for a dataset that is empty, of another shape, or not finite
 */
export async function quantize(model: OnnxModel, options: QuantizeOptions): Promise<OnnxModel> {
  if (options.strategy !== 'static')
    return options.strategy === 'float16' ? quantizeFloat16(model) : quantizeDynamic(model);
  const { items, method = 'Percentile', percentile = 99.999 } = options;
  return quantizeStatic(model, (await calibrate(model, items)).ranges({ method, percentile }));
}

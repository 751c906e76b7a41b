import * as tf from '@tensorflow/tfjs';
import { AdamW, clipByGlobalNorm, oneCycle, type Parameter } from './adamw.js';

/** One batch: the inputs flat, row-major, one array per input of the model; targets as class shares that sum to 1. */
export interface Batch {
  readonly inputs: readonly Float32Array[];
  readonly targets: Float32Array;
  readonly size: number;
}

export interface TrainSettings {
  readonly epochs: number;
  readonly stepsPerEpoch: number;
  readonly peakLearningRate: number;
  readonly weightDecay: number;
  readonly labelSmoothing: number;
  readonly gradientLimit: number;
}

export interface EpochReport {
  readonly epoch: number;
  readonly epochs: number;
  readonly loss: number;
  readonly seconds: number;
}

export interface TrainHooks {
  /** After each epoch; a promise is waited for. Throw to stop. */
  onEpoch?(report: EpochReport): void | Promise<void>;
  /** After each optimizer step, with the trainable weights: what pruning hooks into. May change them in place. */
  onStep?(step: number, weights: readonly Parameter[]): void;
}

/**
 * Trains a model's weights by cross-entropy on its logits. The batches decide what an epoch sees; AdamW with a one-cycle
 * rate and clipped gradients moves the weights.
 */
export async function trainModel(
  model: tf.LayersModel,
  nextBatch: () => Batch,
  settings: TrainSettings,
  hooks: TrainHooks = {},
): Promise<void> {
  const { epochs, stepsPerEpoch, peakLearningRate } = settings;
  const variables = model.trainableWeights.map((weight) => weight.read() as unknown as tf.Variable);
  const parameters = model.trainableWeights.map((weight, i): Parameter => {
    const values = Float32Array.from(variables[i]!.dataSync());
    return { name: weight.originalName, values, decays: weight.originalName.includes('kernel') };
  });
  const optimizer = new AdamW(parameters, settings.weightDecay);
  const steps = epochs * stepsPerEpoch;
  let step = 0;
  for (let epoch = 1; epoch <= epochs; epoch++) {
    const start = performance.now();
    let lossSum = 0;
    for (let k = 0; k < stepsPerEpoch; k++, step++) {
      const { loss, gradients } = lossAndGradients(model, variables, nextBatch(), settings.labelSmoothing);
      if (!Number.isFinite(loss)) throw new Error(`training diverged: the loss is ${loss} at step ${step}`);
      lossSum += loss;
      clipByGlobalNorm(gradients, settings.gradientLimit);
      optimizer.step(gradients, oneCycle(step, steps, peakLearningRate));
      hooks.onStep?.(step, parameters);
      parameters.forEach(({ values }, i) => {
        tf.tidy(() => variables[i]!.assign(tf.tensor(values.slice(), variables[i]!.shape)));
      });
    }
    const seconds = (performance.now() - start) / 1000;
    await hooks.onEpoch?.({ epoch, epochs, loss: lossSum / stepsPerEpoch, seconds });
    // A long training must not starve timers and signals of the process it runs in.
    await new Promise((resolve) => setImmediate(resolve));
  }
}

function lossAndGradients(model: tf.LayersModel, variables: tf.Variable[], batch: Batch, smoothing: number) {
  const result = tf.tidy(() => {
    const inputs = batch.inputs.map((values, i) => tf.tensor(values, [batch.size, ...shapeOf(model, i)]));
    const classes = batch.targets.length / batch.size;
    const raw = tf.tensor2d(batch.targets, [batch.size, classes]);
    const targets = raw.mul(1 - smoothing).add(smoothing / classes);
    const { value, grads } = tf.variableGrads(() => {
      const logits = model.apply(inputs, { training: true }) as tf.Tensor2D;
      return tf.logSoftmax(logits).mul(targets).sum(-1).mean().neg() as tf.Scalar;
    }, variables);
    return { value, grads: variables.map((variable) => grads[variable.name]!) };
  });
  const loss = result.value.dataSync()[0]!;
  const gradients = result.grads.map((gradient) => Float32Array.from(gradient.dataSync()));
  tf.dispose(result);
  return { loss, gradients };
}

/** Logits of many items, row-major, computed batch by batch. */
export function predict(
  model: tf.LayersModel,
  inputs: readonly Float32Array[],
  count: number,
  batchSize = 2048,
): Float32Array {
  const shapes = model.inputs.map((_, i) => shapeOf(model, i));
  const sizes = shapes.map((shape) => shape.reduce((product, n) => product * n, 1));
  const classes = model.outputs[0]!.shape[1]!;
  const out = new Float32Array(count * classes);
  for (let from = 0; from < count; from += batchSize) {
    const size = Math.min(batchSize, count - from);
    const logits = tf.tidy(() => {
      const tensors = inputs.map((values, i) =>
        tf.tensor(values.slice(from * sizes[i]!, (from + size) * sizes[i]!), [size, ...shapes[i]!]),
      );
      return (model.predict(tensors) as tf.Tensor).dataSync();
    });
    out.set(logits, from * classes);
  }
  return out;
}

function shapeOf(model: tf.LayersModel, input: number): number[] {
  return model.inputs[input]!.shape.slice(1) as number[];
}

/** Random models with random weights, and the two runtimes to compare: TensorFlow.js and onnxruntime-node. */
import * as tf from '@tensorflow/tfjs';
import * as ort from 'onnxruntime-node';
import { encodeModel } from '../../../src/lab/onnx/index.js';
import type { OnnxModel } from '../../../src/lab/onnx/ir.js';
import { seededRandom } from '../../../src/lab/random.js';

export function normalOf(random: () => number): number {
  return Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random());
}

/** Gives every weight a random value of sensible size, running variances a positive one. */
export function randomizeWeights(model: tf.LayersModel, seed: number): void {
  const random = seededRandom(seed);
  for (const layer of model.layers) {
    if ('layers' in layer) {
      randomizeWeights(layer as unknown as tf.LayersModel, seed + 1);
      continue;
    }
    const names = layer.weights.map((w) => w.originalName);
    const old = layer.getWeights();
    if (old.length === 0) continue;
    const fresh = old.map((tensor, i) => {
      const fan = Math.max(1, tensor.size / (tensor.shape.at(-1) ?? 1));
      const variance = names[i]!.includes('variance');
      const spread = tensor.rank > 1 ? 1 / Math.sqrt(fan) : 0.3;
      const values = Float32Array.from({ length: tensor.size }, () =>
        variance ? 0.3 + random() : normalOf(random) * spread + (names[i]!.includes('gamma') ? 1 : 0),
      );
      return tf.tensor(values, tensor.shape);
    });
    layer.setWeights(fresh);
    tf.dispose(fresh);
  }
}

/** The two-branch beat classifier: 128 x 2 samples and 61 features in, three logits out. */
export function beatModel(seed: number): tf.LayersModel {
  const signal = tf.input({ shape: [128, 2], name: 'signal' });
  const features = tf.input({ shape: [61], name: 'features' });
  let s = signal;
  for (const [filters, kernelSize, strides] of [
    [16, 8, 4],
    [24, 4, 2],
    [32, 4, 2],
  ] as const) {
    s = tf.layers.conv1d({ filters, kernelSize, strides, padding: 'same' }).apply(s) as tf.SymbolicTensor;
    s = tf.layers.batchNormalization().apply(s) as tf.SymbolicTensor;
    s = tf.layers.reLU().apply(s) as tf.SymbolicTensor;
  }
  s = tf.layers.flatten().apply(s) as tf.SymbolicTensor;
  s = tf.layers.dropout({ rate: 0.3 }).apply(s) as tf.SymbolicTensor;
  s = tf.layers.dense({ units: 24, activation: 'relu' }).apply(s) as tf.SymbolicTensor;
  let x = tf.layers.dense({ units: 32 }).apply(features) as tf.SymbolicTensor;
  x = tf.layers.batchNormalization().apply(x) as tf.SymbolicTensor;
  x = tf.layers.reLU().apply(x) as tf.SymbolicTensor;
  x = tf.layers.dropout({ rate: 0.15 }).apply(x) as tf.SymbolicTensor;
  let h = tf.layers.concatenate().apply([s, x]) as tf.SymbolicTensor;
  h = tf.layers.dense({ units: 32, activation: 'relu' }).apply(h) as tf.SymbolicTensor;
  h = tf.layers.dense({ units: 3, name: 'logits' }).apply(h) as tf.SymbolicTensor;
  const model = tf.model({ inputs: [signal, features], outputs: h });
  randomizeWeights(model, seed);
  return model;
}

/** Random inputs for a model, one flat array for each of its inputs. */
export function randomInputs(model: tf.LayersModel, batch: number, seed: number): Float32Array[] {
  const random = seededRandom(seed);
  return model.inputs.map((input) => {
    const size = input.shape.slice(1).reduce<number>((a, b) => a * (b ?? 1), batch);
    return Float32Array.from({ length: size }, () => normalOf(random));
  });
}

export function predict(model: tf.LayersModel, inputs: readonly Float32Array[], batch: number): Float32Array[] {
  return tf.tidy(() => {
    const tensors = model.inputs.map((input, i) => tf.tensor(inputs[i]!, [batch, ...input.shape.slice(1)] as number[]));
    const result = model.predict(tensors.length === 1 ? tensors[0]! : tensors);
    return (Array.isArray(result) ? result : [result]).map((tensor) => Float32Array.from(tensor.dataSync()));
  });
}

export const SESSION: ort.InferenceSession.SessionOptions = {
  intraOpNumThreads: 1,
  interOpNumThreads: 1,
  logSeverityLevel: 3,
};

/** Runs the model in onnxruntime-node and returns its outputs in order. */
export async function runOnnx(
  model: OnnxModel,
  inputs: readonly Float32Array[],
  batch: number,
): Promise<Float32Array[]> {
  const session = await ort.InferenceSession.create(encodeModel(model), SESSION);
  const feeds: Record<string, ort.Tensor> = {};
  model.graph.inputs.forEach((input, i) => {
    const dims = [batch, ...input.shape!.slice(1).map(Number)];
    feeds[input.name] = new ort.Tensor('float32', inputs[i]!, dims);
  });
  const results = await session.run(feeds);
  const outputs = model.graph.outputs.map((output) => Float32Array.from(results[output.name]!.data as Float32Array));
  await session.release();
  return outputs;
}

/** Largest difference, relative to the largest value of the expected output (at least 1). */
export function difference(got: readonly Float32Array[], expected: readonly Float32Array[]): number {
  let worst = 0;
  expected.forEach((values, i) => {
    if (got[i]!.length !== values.length)
      throw new Error(`output ${i}: ${got[i]!.length} values, not ${values.length}`);
    const scale = values.reduce((a, b) => Math.max(a, Math.abs(b)), 1);
    values.forEach((value, at) => {
      const off = Math.abs(got[i]![at]! - value) / scale;
      worst = Number.isNaN(off) ? Number.POSITIVE_INFINITY : Math.max(worst, off);
    });
  });
  return worst;
}

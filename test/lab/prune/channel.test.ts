import * as tf from '@tensorflow/tfjs';
import fc from 'fast-check';
import { beforeAll, describe, expect, it } from 'vitest';
import { sizeOf } from '../../../src/lab/export/index.js';
import { layersModelToOnnx } from '../../../src/lab/onnx/index.js';
import { pruneChannels } from '../../../src/lab/prune/channel.js';
import { seededRandom } from '../../../src/lab/random.js';
import { beatModel, difference, predict, randomInputs, randomizeWeights } from '../onnx/support.js';

const { layers } = tf;
type Tensor = tf.SymbolicTensor;
const apply = (layer: tf.layers.Layer, x: Tensor | Tensor[]) => layer.apply(x) as Tensor;

beforeAll(async () => {
  await tf.setBackend('cpu');
});

/** Kills about half of the filters of every layer, so that removing just those must not change the answer. */
function killFilters(model: tf.LayersModel, seed: number): void {
  const random = seededRandom(seed);
  for (const layer of model.layers) {
    if (!['Conv1D', 'Conv2D', 'Dense'].includes(layer.getClassName())) continue;
    const [kernel, bias] = layer.getWeights() as [tf.Tensor, tf.Tensor | undefined];
    const filters = kernel.shape.at(-1)!;
    const alive = Float32Array.from({ length: filters }, (_, c) => (c < filters / 2 ? 0 : 1)).sort(
      () => random() - 0.5,
    );
    const mask = tf.tensor1d(alive);
    layer.setWeights([kernel.mul(mask), ...(bias ? [bias.mul(mask)] : [])]);
  }
}

describe('channel pruning', () => {
  it('makes the beat model smaller in every hidden layer, and leaves the old one alone', async () => {
    const model = beatModel(1);
    const inputs = randomInputs(model, 2, 1);
    const before = predict(model, inputs, 2);
    const result = await pruneChannels(tf, model, { sparsity: 0.5, multipleOf: 4 });
    expect(result.layers.map(({ before: b, after }) => [b, after])).toEqual([
      [16, 8],
      [24, 12],
      [32, 16],
      [24, 12],
      [32, 16],
      [32, 16],
    ]);
    expect(predict(model, inputs, 2)).toEqual(before);
    expect(predict(result.model, inputs, 2)[0]).toHaveLength(6);
    const item = randomInputs(model, 1, 1);
    const old = await sizeOf(layersModelToOnnx(model, { name: 'a' }), item);
    const now = await sizeOf(layersModelToOnnx(result.model, { name: 'b' }), item);
    expect(now.macs).toBeLessThan(old.macs / 2.5);
    expect(now.parameters).toBeLessThan(old.parameters / 2.5);
  });

  it('changes nothing when it removes what is dead', async () => {
    const input = tf.input({ shape: [16, 2] });
    let x = apply(layers.conv1d({ filters: 8, kernelSize: 3, padding: 'same', activation: 'relu' }), input);
    const early = apply(layers.globalMaxPooling1d({}), x);
    x = apply(layers.maxPooling1d({ poolSize: 2, strides: 2 }), x);
    x = apply(layers.conv1d({ filters: 6, kernelSize: 3, useBias: false }), x);
    x = apply(layers.flatten(), apply(layers.dropout({ rate: 0.5 }), x));
    const joined = apply(layers.concatenate(), [x, early]);
    const model = tf.model({
      inputs: input,
      outputs: apply(layers.dense({ units: 3 }), apply(layers.dense({ units: 10, activation: 'tanh' }), joined)),
    });
    randomizeWeights(model, 3);
    killFilters(model, 4);
    // Not the last layer: its units are the answer.
    const result = await pruneChannels(tf, model, { sparsity: 0.5 });
    expect(result.layers.map(({ after }) => after)).toEqual([4, 3, 5]);
    const inputs = randomInputs(model, 4, 9);
    expect(difference(predict(result.model, inputs, 4), predict(model, inputs, 4))).toBeLessThan(1e-6);
  });

  it('changes nothing on random networks when it removes what is dead', async () => {
    const steps: ((x: Tensor, n: number) => Tensor)[] = [
      (x, n) => apply(layers.conv2d({ filters: 2 * n, kernelSize: 3, padding: 'same', activation: 'relu' }), x),
      (x, n) => apply(layers.conv2d({ filters: 2 * n, kernelSize: 2, strides: 2, padding: 'same', useBias: false }), x),
      (x) => apply(layers.averagePooling2d({ poolSize: 2, strides: 1, padding: 'same' }), x),
      (x) => apply(layers.leakyReLU(), x),
      (x, n) =>
        apply(layers.depthwiseConv2d({ kernelSize: 2, depthMultiplier: n, padding: 'same', useBias: false }), x),
      (x, n) =>
        apply(layers.separableConv2d({ filters: 2 * n, kernelSize: 2, padding: 'same', depthMultiplier: 2 }), x),
      (x) => apply(layers.add(), [x, apply(layers.conv2d({ filters: x.shape[3]!, kernelSize: 1 }), x)]),
      (x) => apply(layers.concatenate(), [x, apply(layers.activation({ activation: 'tanh' }), x)]),
      (x, n) => apply(layers.dense({ units: 2 * n, useBias: false }), x),
    ];
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.tuple(fc.nat(steps.length - 1), fc.integer({ min: 1, max: 3 })), { maxLength: 6 }),
        fc.boolean(),
        fc.nat(1e6),
        async (choices, flat, seed) => {
          const input = tf.input({ shape: [5, 4, 2] });
          let x = steps[0]!(input, 3);
          for (const [choice, n] of choices) x = steps[choice]!(x, n);
          x = flat
            ? apply(layers.flatten(), x)
            : apply(layers.globalAveragePooling2d({ dataFormat: 'channelsLast' }), x);
          const model = tf.model({ inputs: input, outputs: apply(layers.dense({ units: 3 }), x) });
          randomizeWeights(model, seed);
          killFilters(model, seed + 1);
          const result = await pruneChannels(tf, model, { sparsity: 0.5 });
          expect(result.layers.every(({ before, after }) => after === before / 2)).toBe(true);
          const inputs = randomInputs(model, 2, seed);
          expect(difference(predict(result.model, inputs, 2), predict(model, inputs, 2))).toBeLessThan(1e-5);
          model.dispose();
          result.model.dispose();
        },
      ),
      { numRuns: 60 },
    );
  }, 60_000);

  it('ranks filters as the batch normalization behind them scales them', async () => {
    const model = tf.sequential();
    model.add(layers.conv1d({ inputShape: [4, 1], filters: 3, kernelSize: 1, useBias: false, name: 'c' }));
    model.add(layers.batchNormalization({ name: 'n', epsilon: 0 }));
    model.add(layers.flatten());
    model.add(layers.dense({ units: 1, name: 'out' }));
    model.getLayer('c').setWeights([tf.tensor([3, 2, 1], [1, 1, 3])]);
    // Scaled: 3 * 0.1, 2 / 2, 1 * 5.
    model.getLayer('n').setWeights(
      [
        [0.1, 1, 5],
        [0, 1, 2],
        [0, 0, 0],
        [1, 4, 1],
      ].map((v) => tf.tensor1d(v)),
    );
    const { model: smaller } = await pruneChannels(tf, model, { sparsity: { c: 0.34 } });
    expect([...smaller.getLayer('c').getWeights()[0]!.dataSync()]).toEqual([2, 1]);
    expect([...smaller.getLayer('n').getWeights()[1]!.dataSync()]).toEqual([1, 2]);
  });

  it('says which layers can lose channels', async () => {
    const model = beatModel(2);
    await expect(pruneChannels(tf, model, { sparsity: { logits: 0.5 } })).rejects.toThrow(
      /'logits' cannot lose channels; these can: conv1d/,
    );
    await expect(pruneChannels(tf, model, { sparsity: 1 })).rejects.toThrow(
      /share 1 of layer 'conv1d.*' is not between 0 and 1/,
    );
    const one = await pruneChannels(tf, model, { sparsity: 0.999 });
    expect(one.layers.every(({ after }) => after === 1)).toBe(true);
  });
});

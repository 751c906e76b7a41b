import * as tf from '@tensorflow/tfjs';
import { beforeAll, describe, expect, it } from 'vitest';
import { coarse } from '../../../src/lab/prune/coarse.js';
import type { Parameter } from '../../../src/lab/train/adamw.js';

beforeAll(async () => {
  await tf.setBackend('cpu');
});

function network(): tf.LayersModel {
  const input = tf.input({ shape: [5] });
  const hidden = tf.layers.dense({ units: 7, name: 'hidden' }).apply(input) as tf.SymbolicTensor;
  return tf.model({
    inputs: input,
    outputs: tf.layers.dense({ units: 3, name: 'end' }).apply(hidden) as tf.SymbolicTensor,
  });
}

const kernelOf = (model: tf.LayersModel, name: string) => [...model.getLayer(name).getWeights()[0]!.dataSync()];

describe('weights on few levels', () => {
  it('leaves each output channel at most so many values, the largest weight as it was, and the layers that are excepted', () => {
    const model = network();
    const [hidden, end] = ['hidden', 'end'].map((name) => kernelOf(model, name));
    coarse(model, 2, { from: 0, except: ['end'] }).settle();
    expect(kernelOf(model, 'end')).toEqual(end);
    const after = kernelOf(model, 'hidden');
    for (let c = 0; c < 7; c++) {
      const channel = (values: number[]) => values.filter((_, i) => i % 7 === c);
      const most = Math.max(...channel(hidden!).map(Math.abs));
      for (const [i, value] of channel(after).entries()) {
        expect([0, 0.5, 1].some((level) => Math.abs(Math.abs(value) - level * most) < 1e-6)).toBe(true);
        expect(Math.abs(value - channel(hidden!)[i]!)).toBeLessThanOrEqual(most / 4 + 1e-6);
      }
    }
  });

  it('gives them to the forward pass from its step on, and biases as they are', () => {
    const levels = coarse(network(), 1, { from: 2 });
    const kernel: Parameter = {
      name: 'hidden/kernel',
      values: Float32Array.from({ length: 35 }, (_, i) => i),
      decays: true,
    };
    const bias: Parameter = { name: 'hidden/bias', values: Float32Array.of(0.1, 0.2), decays: false };
    expect(levels.forwardWeights(kernel)).toBe(kernel.values);
    levels.onStep(0);
    expect(levels.forwardWeights(kernel)).toBe(kernel.values);
    levels.onStep(1);
    expect(new Set(levels.forwardWeights(kernel)).size).toBe(8);
    expect(levels.forwardWeights(bias)).toBe(bias.values);
  });
});

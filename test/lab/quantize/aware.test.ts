import * as tf from '@tensorflow/tfjs';
import { beforeAll, describe, expect, it } from 'vitest';
import { openBackend } from '../../../src/lab/backend.js';
import { layersModelToOnnx } from '../../../src/lab/onnx/index.js';
import { quantizationAware, rounded } from '../../../src/lab/quantize/aware.js';
import { calibrate } from '../../../src/lab/quantize/index.js';
import { trainModel } from '../../../src/lab/train/loop.js';
import { Random } from '../../../src/lab/train/random.js';
import { seededDropout } from '../../../src/lab/train/seeded-dropout.js';
import { Points, SETTINGS, smallNet } from '../train/small-training.mjs';

const lab = { Random, seededDropout };

describe('quantization-aware fine-tuning', () => {
  beforeAll(async () => {
    await openBackend('wasm');
  });

  it('rounds a kernel to 7 bits with a scale for each output channel', () => {
    const values = rounded(Float32Array.of(64, 0.5, 0.4, -0.25, 10.6, 0), [3, 2]);
    expect([...values]).toEqual([64, 0.5, 0, -0.25, 11, 0]);
    expect([...rounded(new Float32Array(4), [2, 2])]).toEqual([0, 0, 0, 0]);
  });

  it('computes with 8-bit activations while training, leaves an ordinary model, keeps zeros', async () => {
    const model = smallNet(lab);
    const [kernel, bias] = model.getLayer('first').getWeights();
    const pruned = Float32Array.from(kernel!.dataSync(), (value, i) => (i % 2 ? value : 0));
    model.getLayer('first').setWeights([tf.tensor2d(pruned, [4, 8]), bias!]);
    const x = tf.tensor2d(new Points(lab).next(2000).inputs[0]!, [2000, 4]);
    const levels = () => {
      const end = model.getLayer('relu').output as tf.SymbolicTensor;
      const part = tf.model({ inputs: model.inputs, outputs: end });
      const out = (part.apply(x, { training: false }) as tf.Tensor).dataSync();
      return new Set(out).size;
    };
    const before = (model.predict(x) as tf.Tensor).dataSync();
    const aware = quantizationAware(model);
    expect((model.predict(x) as tf.Tensor).dataSync()).toEqual(before);

    const points = new Points(lab);
    const losses: number[] = [];
    await trainModel(
      model,
      () => points.next(),
      { ...SETTINGS, epochs: 12 },
      {
        ...aware.hooks,
        onEpoch: ({ loss }) => void losses.push(loss),
      },
    );
    expect(losses.at(-1)!).toBeLessThan(losses[0]! - 0.05);
    expect(levels()).toBeLessThanOrEqual(256);
    aware.end();
    expect(levels()).toBeGreaterThan(1000);
    const left = model.getLayer('first').getWeights()[0]!.dataSync();
    left.forEach((value, i) => {
      if (i % 2 === 0) expect(value).toBe(0);
    });
    // The weights themselves are no 7-bit ones: only the forward pass saw those.
    expect(rounded(left as Float32Array, [4, 8])).not.toEqual(left);
  });
});

describe('a representative dataset that represents nothing', () => {
  it('is refused where an input is the same throughout', async () => {
    await openBackend('wasm');
    const onnx = layersModelToOnnx(smallNet(lab), { name: 'small', inputNames: ['points'] });
    const items = Array.from({ length: 5 }, () => [new Float32Array(4)]);
    await expect(calibrate(onnx, items)).rejects.toThrow(
      "input 'points' is 0 throughout the representative dataset: it represents nothing",
    );
    await expect(calibrate(onnx, [])).rejects.toThrow('the representative dataset is empty');
    await expect(calibrate(onnx, [[new Float32Array(3)]])).rejects.toThrow(/item 0 .* has 3 values; .* take 4/);
    await expect(calibrate(onnx, [[Float32Array.of(1, 2, Number.NaN, 0)]])).rejects.toThrow(/'points' holds NaN/);
  });
});

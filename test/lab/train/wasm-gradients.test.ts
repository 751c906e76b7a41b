import * as tf from '@tensorflow/tfjs';
import { afterAll, describe, expect, it } from 'vitest';
import { openBackend } from '../../../src/lab/backend.js';

const stride = [1, 2, 3, 4];
const kernel = [1, 2, 3, 5, 8];
const cases = stride.flatMap((s) =>
  kernel.flatMap((k) =>
    (['same', 'valid'] as const).flatMap((pad) => [9, 16].map((length) => ({ s, k, pad, length }))),
  ),
);

async function gradients(backend: string, { s, k, pad, length }: (typeof cases)[number]) {
  await tf.setBackend(backend);
  const wave = (n: number, f: number) => Float32Array.from({ length: n }, (_, i) => Math.sin(i * f + f));
  const x = tf.tensor3d(wave(2 * length * 3, 0.7), [2, length, 3]);
  const w = tf.tensor3d(wave(k * 3 * 4, 1.3), [k, 3, 4]);
  const [dx, dw] = tf.grads((a: tf.Tensor, b: tf.Tensor) => {
    const y = tf.conv1d(a as tf.Tensor3D, b as tf.Tensor3D, s, pad);
    return y.mul(tf.tensor(wave(y.size, 0.37), y.shape)).sum();
  })([x, w]);
  return [...dx!.dataSync(), ...dw!.dataSync()];
}

describe('gradients of convolution on WebAssembly', () => {
  afterAll(() => tf.disposeVariables());

  it('equal those of the plain backend for strides, sizes and paddings', async () => {
    expect((await openBackend('wasm')).name).toBe('wasm');
    for (const one of cases.filter(({ k, pad, length }) => pad === 'same' || k <= length)) {
      const expected = await gradients('cpu', one);
      const made = await gradients('wasm', one);
      expect(made.length).toBe(expected.length);
      const worst = made.reduce((most, value, i) => Math.max(most, Math.abs(value - expected[i]!)), 0);
      expect(worst, JSON.stringify(one)).toBeLessThan(5e-5);
    }
  });

  it('leave no tensors behind', async () => {
    await tf.setBackend('wasm');
    const step = () =>
      tf.tidy(() => {
        const x = tf.ones([2, 16, 3]) as tf.Tensor3D;
        const w = tf.ones([4, 3, 2]) as tf.Tensor3D;
        return tf
          .grads((a, b) => tf.conv1d(a as tf.Tensor3D, b as tf.Tensor3D, 2, 'same').sum())([x, w])[1]!
          .dataSync();
      });
    step();
    const before = tf.memory().numTensors;
    for (let i = 0; i < 5; i++) step();
    expect(tf.memory().numTensors).toBe(before);
  });

  it('refuses a backend that is none of the two, the plain one among them', async () => {
    await expect(openBackend('cpu' as 'wasm')).rejects.toThrow(
      /no backend to train with.*plain JavaScript backend is refused/,
    );
  });
});

import { describe, expect, it } from 'vitest';
import { AdamW, clipByGlobalNorm, oneCycle } from '../../../src/lab/train/adamw.js';
import { Random } from '../../../src/lab/train/random.js';

describe('AdamW', () => {
  it('moves by the learning rate on its first step, whatever the gradient, and decays only kernels', () => {
    const kernel = { name: 'k', values: Float32Array.of(1, -1), decays: true };
    const bias = { name: 'b', values: Float32Array.of(1), decays: false };
    new AdamW([kernel, bias], 0.1).step([Float32Array.of(1e-3, 50), Float32Array.of(-2)], 0.01);
    // 1 - 0.01 * 0.1 * 1 - 0.01; -1 + 0.001 - 0.01; 1 + 0.01
    expect(kernel.values[0]).toBeCloseTo(0.989, 5);
    expect(kernel.values[1]).toBeCloseTo(-1.009, 5);
    expect(bias.values[0]).toBeCloseTo(1.01, 5);
  });

  it('finds the bottom of a bowl', () => {
    const weights = { name: 'w', values: Float32Array.of(5, -3), decays: false };
    const optimizer = new AdamW([weights], 0);
    for (let i = 0; i < 2000; i++) {
      optimizer.step([Float32Array.from(weights.values, (w, k) => 2 * (w - k))], 0.02);
    }
    expect(weights.values[0]).toBeCloseTo(0, 2);
    expect(weights.values[1]).toBeCloseTo(1, 2);
  });
});

describe('training helpers', () => {
  it('clip by the common norm', () => {
    const gradients = [Float32Array.of(3), Float32Array.of(4)];
    expect(clipByGlobalNorm(gradients, 10)).toBe(5);
    expect(gradients[1]![0]).toBe(4);
    clipByGlobalNorm(gradients, 1);
    expect(gradients[0]![0]).toBeCloseTo(0.6, 6);
    expect(gradients[1]![0]).toBeCloseTo(0.8, 6);
  });

  it('one cycle: from a 25th up to the peak at 15 %, then down to next to nothing', () => {
    const rates = Array.from({ length: 101 }, (_, step) => oneCycle(step, 101, 1));
    expect(rates[0]).toBeCloseTo(0.04, 12);
    expect(rates[15]).toBeCloseTo(1, 12);
    expect(Math.max(...rates)).toBeCloseTo(1, 12);
    expect(rates[100]).toBeLessThan(1e-5);
    for (let i = 16; i <= 100; i++) expect(rates[i]!).toBeLessThan(rates[i - 1]!);
  });

  it('the generator repeats by seed, and its normal numbers are normal', () => {
    const draw = (seed: number) => {
      const random = new Random(seed);
      return Array.from({ length: 5000 }, () => random.normal());
    };
    expect(draw(3)).toEqual(draw(3));
    expect(draw(3)).not.toEqual(draw(4));
    const values = draw(1);
    const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
    const variance = values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / values.length;
    expect(Math.abs(mean)).toBeLessThan(0.05);
    expect(Math.abs(variance - 1)).toBeLessThan(0.06);
  });
});

import { describe, expect, it } from 'vitest';
import { Histogram } from '../../../src/lab/quantize/histogram.js';
import { seededRandom } from '../../../src/lab/random.js';
import { normalOf } from '../onnx/support.js';

const normals = (count: number, spread = 1, seed = 1) => {
  const random = seededRandom(seed);
  return Float32Array.from({ length: count }, () => normalOf(random) * spread);
};

describe('a calibration histogram', () => {
  it('gives the same range whatever the order and size of the parts', () => {
    const values = normals(20_000, 3);
    const whole = new Histogram();
    whole.add(values);
    const parts = new Histogram();
    const sorted = values.slice().sort((a, b) => Math.abs(a) - Math.abs(b));
    for (let at = 0; at < sorted.length; at += 17) parts.add(sorted.subarray(at, at + 17));
    expect(parts.range()).toEqual(whole.range());
    const a = parts.range({ method: 'Percentile', percentile: 99 });
    const b = whole.range({ method: 'Percentile', percentile: 99 });
    expect(a.max).toBeCloseTo(b.max, 1);
    expect(a.min).toBeCloseTo(b.min, 1);
  });

  it('percentile leaves out half of the rest at each end', () => {
    const values = normals(50_000);
    const histogram = new Histogram();
    histogram.add(values);
    const sorted = values.slice().sort();
    for (const percentile of [90, 99, 99.9]) {
      const cut = Math.floor((sorted.length * (100 - percentile)) / 200);
      const { min, max } = histogram.range({ method: 'Percentile', percentile });
      expect(Math.abs(min - sorted[cut]!)).toBeLessThan(0.02);
      expect(Math.abs(max - sorted[sorted.length - 1 - cut]!)).toBeLessThan(0.02);
    }
    expect(() => histogram.range({ method: 'Percentile', percentile: 3 })).toThrow(/not between/);
  });

  it('counts zeros behind a ReLU as values', () => {
    const histogram = new Histogram();
    histogram.add(normals(10_000).map((v) => Math.max(0, v)));
    const { min, max } = histogram.range({ method: 'Percentile', percentile: 99 });
    expect(min).toBe(0);
    expect(max).toBeCloseTo(2.58, 1);
  });

  it('entropy cuts off a lone outlier and keeps a uniform range', () => {
    const lone = new Histogram();
    lone.add(normals(20_000));
    lone.add(Float32Array.of(60));
    const cut = lone.range({ method: 'Entropy' });
    expect(cut.max).toBeGreaterThan(2.5);
    expect(cut.max).toBeLessThan(20);

    const random = seededRandom(3);
    const uniform = new Histogram();
    uniform.add(Float32Array.from({ length: 100_000 }, () => random() * 2 - 1));
    expect(uniform.range({ method: 'Entropy' }).max).toBeGreaterThan(0.9);
  });

  it('entropy keeps the tails of few values, and of what a ReLU leaves', () => {
    for (const count of [2000, 20_000]) {
      const values = normals(count, 2, count).map((v) => Math.max(0, v));
      const histogram = new Histogram();
      histogram.add(values);
      const { min, max } = histogram.range({ method: 'Entropy' });
      expect(min).toBe(0);
      // Chance alone makes a histogram of so few values ragged: that is no reason to cut more than a few of them.
      expect(values.filter((value) => value > max).length / count).toBeLessThan(0.002);
    }
  });

  it('says when there is nothing to go by, and takes a constant', () => {
    expect(() => new Histogram().range()).toThrow(/no value/);
    expect(() => new Histogram().add(Float32Array.of(1, Number.POSITIVE_INFINITY))).toThrow(/holds Infinity/);
    const zeros = new Histogram();
    zeros.add(new Float32Array(10));
    for (const method of ['MinMax', 'Percentile', 'Entropy'] as const) {
      expect(zeros.range({ method })).toEqual({ min: 0, max: 0 });
    }
  });
});

import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Resampler } from '../../../src/inference/windows/resampler.js';

function resample(values: ArrayLike<number>, rateHz: number): number[] {
  const out: number[] = [];
  const resampler = new Resampler(rateHz, 128, (value) => out.push(value));
  for (let i = 0; i < values.length; i++) resampler.push(values[i]!);
  return out;
}

describe('Resampler', () => {
  it.each([100, 125, 128, 200, 250, 256.4, 360, 500, 1000])(
    '%d Hz: a 10 Hz sine stays what and where it is',
    (rateHz) => {
      const out = resample(
        Float64Array.from({ length: 4 * rateHz }, (_, i) => Math.sin((2 * Math.PI * 10 * i) / rateHz)),
        rateHz,
      );
      // Nothing is missing but the kernel's half width.
      expect(out.length).toBeGreaterThan(4 * 128 - 12);
      for (let j = 32; j < out.length; j++) expect(out[j]).toBeCloseTo(Math.sin((2 * Math.PI * 10 * j) / 128), 1.5);
    },
  );

  it('keeps an offset exactly, whatever the rate', () => {
    fc.assert(
      fc.property(fc.double({ min: 100, max: 1000, noNaN: true }), (rateHz) => {
        for (const value of resample(new Float64Array(300).fill(2048), rateHz)) expect(value).toBeCloseTo(2048, 6);
      }),
    );
  });

  it('takes out what 128 Hz cannot hold', () => {
    const out = resample(
      Float64Array.from({ length: 3000 }, (_, i) => Math.sin((2 * Math.PI * 110 * i) / 1000)),
      1000,
    );
    for (let j = 20; j < out.length; j++) expect(Math.abs(out[j]!)).toBeLessThan(0.01);
  });

  it('refuses a rate that is none', () => {
    expect(() => new Resampler(0, 128, () => {})).toThrow(RangeError);
    expect(() => new Resampler(Number.NaN, 128, () => {})).toThrow(RangeError);
  });
});

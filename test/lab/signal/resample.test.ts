import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { PolyphaseResampler, rationalFactor, resample } from '../../../src/lab/signal/resample.js';

/** What scipy.signal.resample_poly 1.17.1 made of the same 61 samples with its defaults. */
const scipy = JSON.parse(readFileSync(new URL('../../fixtures/resample-poly.json', import.meta.url), 'utf8')) as {
  input: number[];
  cases: { up: number; down: number; output: number[] }[];
};

describe('polyphase resampling', () => {
  it.each(scipy.cases)('by $up / $down is that of scipy.signal.resample_poly', ({ up, down, output }) => {
    const got = resample(scipy.input, up, down);
    expect(got.length).toBe(output.length);
    got.forEach((value, i) => {
      expect(Math.abs(value - output[i]!)).toBeLessThan(1e-6);
    });
  });

  it('gives the same in pieces of any size', () => {
    fc.assert(
      fc.property(
        fc.array(fc.integer({ min: 0, max: 400 }), { minLength: 1, maxLength: 8 }),
        fc.constantFrom([16, 45], [5, 2], [1, 7], [1, 1]),
        fc.constantFrom('zero', 'hold'),
        (sizes, [up, down], edges) => {
          const options = { edges: edges as 'zero' | 'hold' };
          const whole = Float32Array.from(
            { length: sizes.reduce((a, b) => a + b, 0) },
            (_, i) => Math.sin(i * 0.37) + 1,
          );
          const resampler = new PolyphaseResampler(up!, down!, options);
          const parts: number[] = [];
          let at = 0;
          for (const size of sizes) {
            parts.push(...resampler.push(whole.subarray(at, at + size)));
            at += size;
          }
          parts.push(...resampler.end());
          expect(parts).toEqual([...resample(whole, up!, down!, options)]);
        },
      ),
      { numRuns: 60 },
    );
  });

  it('keeps what lies below the new Nyquist frequency and takes away what lies above', () => {
    const sine = (hz: number) => Float32Array.from({ length: 3600 }, (_, i) => Math.sin((2 * Math.PI * hz * i) / 360));
    const power = (x: Float32Array) => x.slice(200, -200).reduce((sum, v) => sum + v * v, 0) / (x.length - 400);
    const { up, down } = rationalFactor(360, 128);
    expect([up, down]).toEqual([16, 45]);
    expect(power(resample(sine(20), up, down))).toBeCloseTo(0.5, 2);
    expect(10 * Math.log10(power(resample(sine(90), up, down)) / 0.5)).toBeLessThan(-50);
  });

  it('finds the factor of rates, whole or not, and refuses those that have none', () => {
    expect(rationalFactor(250, 128)).toEqual({ up: 64, down: 125 });
    expect(rationalFactor(128, 128)).toEqual({ up: 1, down: 1 });
    expect(rationalFactor(62.5, 125)).toEqual({ up: 2, down: 1 });
    expect(() => rationalFactor(1, 4999.5)).toThrow(/fraction/);
    expect(() => rationalFactor(0, 100)).toThrow(/above 0/);
  });
});

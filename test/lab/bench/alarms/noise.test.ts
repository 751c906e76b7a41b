import { expect, it } from 'vitest';
import { withNoise } from '../../../../src/lab/bench/alarms/noise.js';

const RATE_HZ = 10;

it('noise of one kind after the other, two of every four minutes, at the gain asked for; the rest is left alone', () => {
  const clean = new Float32Array(14 * 60 * RATE_HZ).fill(1);
  // A noise that says which kind and which of its samples it is.
  const kind = (base: number) => Float32Array.from({ length: 6 * 60 * RATE_HZ }, (_, i) => base + i);
  const noises = { em: kind(10_000), ma: kind(20_000), bw: kind(30_000) };
  const noisy = withNoise(clean, RATE_HZ, noises, 2, 0);
  const at = (minutes: number) => (noisy[Math.round(minutes * 60 * RATE_HZ)]! - 1) / 2;
  expect([0, 1.9, 4, 5.9, 8, 12].map(at)).toEqual([0, 0, 0, 0, 0, 0]);
  expect([2, 6, 10].map(at)).toEqual([10_000, 20_000, 30_000]);
  expect(noisy[(4 * 60 - 0.1) * RATE_HZ]).not.toBe(1);
  // Another record begins elsewhere in the noise, and none reads past its end.
  const other = withNoise(clean, RATE_HZ, noises, 2, 9);
  expect((other[2 * 60 * RATE_HZ]! - 1) / 2).toBe(10_000 + 9 * 37 * RATE_HZ);
  expect(other.every(Number.isFinite)).toBe(true);
  expect(clean.every((value) => value === 1)).toBe(true);
});

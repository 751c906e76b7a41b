import { describe, expect, it } from 'vitest';
import { spansFasterThan } from '../../../../src/lab/bench/alarms/repeat-rate.js';
import { ecgOf } from '../../../daemon/support/pipeline-bench.js';

const RATE_HZ = 250;

describe('the rate at which a signal repeats itself', () => {
  it.each([
    [170, 135, true],
    [170, 180, false],
    [120, 135, false],
    [75, 135, false],
  ])('a heart at %i is above %i: %s', (bpm, limitBpm, isFast) => {
    const { samples } = ecgOf([{ rhythm: 'sinus', bpm, seconds: 20 }], 20, RATE_HZ);
    const seconds = spansFasterThan(limitBpm, samples, RATE_HZ).reduce(
      (sum, { startS, endS }) => sum + endS - startS,
      0,
    );
    if (isFast) expect(seconds).toBeGreaterThan(10);
    else expect(seconds).toBe(0);
  });

  it('is not doubled by T waves as tall as the beats, nor found in noise', () => {
    const wave = (t: number, at: number, width: number) => Math.exp(-((((t * 1.5) % 1) - at) ** 2) / width ** 2);
    const tall = Float32Array.from({ length: 20 * RATE_HZ }, (_, i) => {
      const t = i / RATE_HZ;
      return wave(t, 0.2, 0.015) + 0.9 * wave(t, 0.7, 0.06);
    });
    expect(spansFasterThan(135, tall, RATE_HZ)).toEqual([]);
    let seed = 7;
    const noise = Float32Array.from(tall, () => {
      seed = (seed * 16_807) % 2_147_483_647;
      return seed / 2_147_483_647 - 0.5;
    });
    expect(spansFasterThan(135, noise, RATE_HZ)).toEqual([]);
  });
});

import { describe, expect, it } from 'vitest';
import { benchPipeline, ecgOf } from './support/pipeline-bench.js';

const RATE_HZ = 250;
const HEART_S = 40;

/** A heart of 80 a minute, then whatever `after` draws, t seconds after the T wave of its last beat; 10 uV of noise. */
function heartThen(seconds: number, after: (t: number) => number) {
  const { samples: heart, peaks } = ecgOf([{ rhythm: 'sinus', bpm: 80, seconds: HEART_S }], HEART_S, RATE_HZ);
  const last = peaks.filter((peak) => peak < heart.length - 0.6 * RATE_HZ).at(-1)!;
  const from = last + Math.round(0.5 * RATE_HZ);
  const samples = new Float32Array(from + seconds * RATE_HZ);
  samples.set(heart.subarray(0, from));
  let seed = 5;
  for (let i = from; i < samples.length; i++) {
    seed = (seed * 16_807) % 2_147_483_647;
    samples[i] = heart[from]! + after((i - from) / RATE_HZ) + 0.02 * (seed / 2_147_483_647 - 0.5);
  }
  const bench = benchPipeline({ rateHz: RATE_HZ });
  bench.play(samples);
  return { ...bench, lastMs: (last * 1000) / RATE_HZ };
}

describe('a line without beats', () => {
  it.each([0.13, 0.25])(
    'is asystole where P waves of %f mV go on at the former rate: the ventricles stand still',
    (mV) => {
      const pWave = (t: number) => mV * Math.exp(-0.5 * ((((t + 0.3) % 0.75) - 0.375) / 0.02) ** 2);
      const { alerts, lastMs } = heartThen(10, pWave);
      const [raised] = alerts.filter(({ kind, event }) => kind === 'asystole' && event === 'new');
      expect(raised!.raisedMs - lastMs).toBeLessThanOrEqual(4_300);
    },
  );

  it('is a lost contact where the line jumped and creeps back, until beats return', () => {
    const { alerts, told } = heartThen(9, (t) => 3 * Math.exp(-t / 2));
    expect(told()).toEqual(['new contact-off']);
    expect(alerts[0]!.values).toMatchObject({ reasons: 'leads-off' });
  });

  it('is asystole after a jump, too, where no beat returns', () => {
    const { alerts, lastMs } = heartThen(25, (t) => 3 * Math.exp(-t / 2));
    const [raised] = alerts.filter(({ kind, event }) => kind === 'asystole' && event === 'new');
    expect(raised!.raisedMs - lastMs).toBeGreaterThan(14_000);
    expect(raised!.raisedMs - lastMs).toBeLessThan(18_000);
  });
});

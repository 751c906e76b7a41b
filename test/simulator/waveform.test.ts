import { describe, expect, it } from 'vitest';
import type { HeartBeat } from '../../src/simulator/heart/beat.js';
import { Heart } from '../../src/simulator/heart/heart.js';
import { type EpisodeInput, makeScenario } from '../../src/simulator/scenario.js';

const RATE_HZ = 500;

function record(
  episode: EpisodeInput,
  seconds: number,
  waveform: 'ecg' | 'ppg' = 'ecg',
): { signal: Float64Array; beats: HeartBeat[] } {
  const beats: HeartBeat[] = [];
  const scenario = makeScenario({ episodes: [{ muscleMv: 0, baselineMv: 0, ...episode }] });
  const heart = new Heart({ scenario, seed: 11, rateHz: RATE_HZ, waveform, onBeat: (beat) => beats.push(beat) });
  const signal = new Float64Array(seconds * RATE_HZ);
  for (let i = 0; i < signal.length; i++) {
    heart.step();
    signal[i] = heart.value;
  }
  return { signal, beats: beats.filter((beat) => beat.tMs > 1000 && beat.tMs < seconds * 1000 - 1000) };
}

/** Mean beat, from `fromMs` to `toMs` about the R peaks. */
function meanBeat(signal: Float64Array, beats: readonly HeartBeat[], fromMs: number, toMs: number): number[] {
  const from = Math.round((fromMs * RATE_HZ) / 1000);
  const to = Math.round((toMs * RATE_HZ) / 1000);
  return Array.from({ length: to - from }, (_, k) => {
    const sum = beats.reduce((total, beat) => total + signal[Math.round((beat.tMs * RATE_HZ) / 1000) + from + k]!, 0);
    return sum / beats.length;
  });
}

/** Time the QRS stays above half its peak, ms. */
function halfWidthMs(signal: Float64Array, beats: readonly HeartBeat[]): number {
  const shape = meanBeat(signal, beats, -120, 120);
  const peak = Math.max(...shape);
  return (shape.filter((value) => value > peak / 2).length * 1000) / RATE_HZ;
}

const swing = (x: ArrayLike<number>): number => Math.max(...Array.from(x)) - Math.min(...Array.from(x));

describe('synthetic ECG', () => {
  it('has its R peak where the beat is said to be, at a usual height', () => {
    const { signal, beats } = record({ rhythm: 'sinus' }, 60);
    for (const beat of beats) {
      const at = Math.round((beat.tMs * RATE_HZ) / 1000);
      const around = Array.from(signal.subarray(at - 50, at + 50));
      expect(Math.abs(around.indexOf(Math.max(...around)) - 50)).toBeLessThanOrEqual(1);
      expect(Math.max(...around)).toBeGreaterThan(0.9);
      expect(Math.max(...around)).toBeLessThan(1.5);
    }
  });

  it('shows a P wave in sinus rhythm and none in atrial fibrillation, where f waves run instead', () => {
    const sinus = record({ rhythm: 'sinus', bpm: 70 }, 120);
    const af = record({ rhythm: 'atrial-fibrillation', bpm: 70 }, 120);
    const beforeR = (r: typeof sinus): number => swing(meanBeat(r.signal, r.beats, -230, -70));
    expect(beforeR(sinus)).toBeGreaterThan(0.1);
    expect(beforeR(af)).toBeLessThan(0.03);
    // Single stretches before R are not flat in AF: they oscillate.
    const long = af.beats.filter((beat) => beat.rrMs! > 800);
    const one = long.map((beat) => {
      const at = Math.round((beat.tMs * RATE_HZ) / 1000);
      return swing(af.signal.subarray(at - 0.25 * RATE_HZ, at - 0.06 * RATE_HZ));
    });
    expect(Math.min(...one)).toBeGreaterThan(0.05);
  });

  it('widens the QRS of ventricular beats and turns their T wave over', () => {
    const sinus = record({ rhythm: 'sinus', bpm: 80 }, 60);
    const vt = record({ rhythm: 'ventricular-tachycardia', bpm: 150 }, 60);
    expect(halfWidthMs(vt.signal, vt.beats)).toBeGreaterThan(2 * halfWidthMs(sinus.signal, sinus.beats));
    const bigeminy = record({ rhythm: 'bigeminy', bpm: 70 }, 60);
    const tWave = (beatClass: 'N' | 'V'): number => {
      const shape = meanBeat(
        bigeminy.signal,
        bigeminy.beats.filter((beat) => beat.class === beatClass),
        200,
        340,
      );
      return shape.reduce((sum, value) => sum + value, 0) / shape.length;
    };
    expect(tWave('N')).toBeGreaterThan(0.1);
    expect(tWave('V')).toBeLessThan(-0.1);
  });

  it('fibrillates at 3 to 7 Hz, irregularly', () => {
    const { signal } = record({ rhythm: 'ventricular-fibrillation' }, 60);
    const rising: number[] = [];
    for (let i = RATE_HZ; i < signal.length; i++) {
      if (signal[i - 1]! < 0 && signal[i]! >= 0) rising.push(i / RATE_HZ);
    }
    const periods = rising.slice(1).map((at, i) => at - rising[i]!);
    const mean = periods.reduce((sum, period) => sum + period, 0) / periods.length;
    const spread = Math.sqrt(periods.reduce((sum, period) => sum + (period - mean) ** 2, 0) / periods.length);
    expect(1 / mean).toBeGreaterThan(3);
    expect(1 / mean).toBeLessThan(7);
    expect(spread / mean).toBeGreaterThan(0.08);
    expect(swing(signal)).toBeGreaterThan(0.8);
  });

  it('is flat in asystole', () => {
    const { signal } = record({ rhythm: 'asystole', seconds: 20 }, 20);
    expect(swing(signal)).toBeLessThan(0.001);
  });

  it.each([
    ['mainsMv', 0.3],
    ['baselineMv', 0.8],
    ['muscleMv', 0.3],
    ['motionMv', 1],
  ] as const)('adds %s of about the size asked for', (condition, size) => {
    const clean = record({ rhythm: 'sinus' }, 60).signal;
    const noisy = record({ rhythm: 'sinus', [condition]: size }, 60).signal;
    const noise = noisy.map((value, i) => value - clean[i]!);
    const rms = Math.sqrt(noise.reduce((sum, value) => sum + value * value, 0) / noise.length);
    expect(rms).toBeGreaterThan(0.3 * size);
    expect(rms).toBeLessThan(1.3 * size);
  });

  it('leaves the amplifier at its rail without contact', () => {
    const { signal } = record({ rhythm: 'sinus', contact: false }, 5);
    expect(Math.min(...signal.subarray(10))).toBeGreaterThan(3);
  });
});

describe('synthetic pleth', () => {
  it('beats once per heart beat, later than the R peak, about one unit high', () => {
    const { signal, beats } = record({ rhythm: 'sinus' }, 30, 'ppg');
    for (const beat of beats) {
      const at = Math.round((beat.tMs * RATE_HZ) / 1000);
      const cycle = Array.from(signal.subarray(at, at + 0.6 * RATE_HZ));
      const peakMs = (cycle.indexOf(Math.max(...cycle)) * 1000) / RATE_HZ;
      expect(peakMs).toBeGreaterThan(280);
      expect(peakMs).toBeLessThan(380);
      expect(swing(cycle)).toBeGreaterThan(0.7);
      expect(swing(cycle)).toBeLessThan(1.3);
    }
  });

  it('is flat while the ventricles fibrillate', () => {
    const { signal } = record({ rhythm: 'vf' }, 10, 'ppg');
    // Only breathing is left.
    expect(swing(signal)).toBeLessThan(0.15);
  });
});

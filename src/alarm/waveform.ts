import { SHAPES_COMPARED } from '../domain/beat.js';
import type { BeatHistory } from './beats.js';

/**
 * Noise has fooled detectors, models and the quality gate before, so the waveform itself must bear a fast or an ectopic
 * heart out. Two signs need neither detector nor model: beats of one origin repeat one another's outline, and a
 * tachycardia whose shape turns (torsades), or that leaves no baseline, comes near a sine wave.
 */

/** What a waveform must show to be that of a fast heart. */
export interface HeartWave {
  /** The middle of the correlations of the beats' pairs above which they repeat one another. */
  readonly sameOrigin: number;
  /** VF filter leakage (Kuo and Dillman 1978) of the last four seconds below which they come near a sine wave. */
  readonly nearSine: number;
}

/**
 * For rates, whatever the beats' origin. In the half minutes of cinc2017 the stretches above 140/min that were false in the first half of
 * its noisy records are alike by 0.42 to 0.71 and leak 0.62 and more (so do those of the other half); 32 of 34 in records of atrial
 * fibrillation are alike by more than 0.75, and the tachycardias of vfdb that are not leak less than 0.4.
 */
export const FAST_HEART: HeartWave = { sameOrigin: 0.75, nearSine: 0.5 };

/**
 * Whether the waveform of a stretch of beats is that of a heart; true where no waveform was looked at.
 * @param newest beats back, as `oldest`
 */
export function waveformBearsOut(
  beats: BeatHistory,
  newest: number,
  oldest: number,
  { sameOrigin, nearSine }: HeartWave,
): boolean {
  const leak = beats.leak(newest);
  if (Number.isNaN(leak) || leak < nearSine) return true;
  const pairs: number[] = [];
  for (let back = newest; back < oldest; back++) {
    for (let earlier = back + 1; earlier <= Math.min(oldest, back + SHAPES_COMPARED); earlier++) {
      const alike = beats.alike(back, earlier);
      if (!Number.isNaN(alike)) pairs.push(alike);
    }
  }
  return median(pairs) > sameOrigin;
}

/** The upper middle one; NaN of none. */
export function median(values: number[]): number {
  values.sort((a, b) => a - b);
  return values[values.length >> 1] ?? Number.NaN;
}

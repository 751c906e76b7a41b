import { qrsHeight } from './noise.js';
import type { BeatRecord } from './records.js';

/** nstdb's noise begins at 5 min and lasts 2 of every 4. */
const NOISE_FROM_S = 300;
const CYCLE_S = 240;
const NOISY_S = 120;
/** Ours begins at 2 min. */
const MOTION_FROM_S = 120;

/** The noisy parts of a lead `withMotion` made, in seconds. */
export const MOTION_WINDOWS = Array.from({ length: 7 }, (_, i) => {
  const from = MOTION_FROM_S + CYCLE_S * i;
  return [from, from + NOISY_S] as const;
});

/**
 * Electrode motion, recovered as the difference between nstdb's noisy record and the clean one it was made of: 12 minutes at the
 * clean record's rate, mean 0, RMS 1. Only for tests: the nstdb records that judge the detector hold the same noise.
 */
export function recoverMotion(clean: BeatRecord, noisy: BeatRecord): Float32Array {
  const { rateHz } = clean;
  const out: number[] = [];
  for (let i = NOISE_FROM_S * rateHz; i < clean.signals[0]!.length; i++) {
    if ((i / rateHz - NOISE_FROM_S) % CYCLE_S < NOISY_S) out.push(noisy.signals[0]![i]! - clean.signals[0]![i]!);
  }
  const mean = out.reduce((sum, v) => sum + v, 0) / out.length;
  const rms = Math.sqrt(out.reduce((sum, v) => sum + (v - mean) ** 2, 0) / out.length);
  return Float32Array.from(out, (v) => (v - mean) / rms);
}

/** A record's first lead with that noise at a signal-to-noise ratio counted as WFDB's nst does, 2 of every 4 minutes. */
export function withMotion(record: BeatRecord, motion: Float32Array, snrDb: number): Float32Array {
  const { rateHz } = record;
  const gain = qrsHeight(record.signals[0]!, record.reference) / Math.sqrt(8) / 10 ** (snrDb / 20);
  let at = 0;
  return record.signals[0]!.map((value, i) => {
    const sinceS = i / rateHz - MOTION_FROM_S;
    return sinceS >= 0 && sinceS % CYCLE_S < NOISY_S ? value + gain * motion[at++ % motion.length]! : value;
  });
}

import type { StreamMs } from '../domain/clock.js';
import type { Rhythm } from '../domain/rhythm.js';

/** Intervals that a verdict rests on, and the fewer that a first hint may rest on while a stream is young. */
const WINDOW_BEATS = 60;
const HINT_BEATS = 30;
/** Two intervals match when they differ by no more than this: the tolerance of Lake and Moorman 2011. */
const MATCH_MS = 30;
/** Beats on both sides of a longer hole than this are not one rhythm. */
const HOLE_MS = 120_000;

/**
 * Logistic model on CoSEn and the logarithm of the mean interval in seconds, as Lake and Moorman combine entropy and
 * rate. The three numbers were fitted by us to windows of all of ltafdb and nsr2db (every 60th beat, label of the
 * majority, cleaned by `RrCleaner`); afdb and mitdb were not looked at. By cross validation over patients, 60 beats:
 * ltafdb Se 0.971, Sp 0.965, nsr2db Sp 0.996; 30 beats: 0.963, 0.959, 0.993.
 */
const FIT_60 = { entropy: 5.835, logMeanS: -2.6839, constant: 6.1398 };
const FIT_30 = { entropy: 5.6115, logMeanS: -2.4178, constant: 6.246 };

/**
 * Evidence of atrial fibrillation from cleaned RR intervals alone, beat by beat: the coefficient of sample entropy of
 * Lake and Moorman (2011, "Accurate estimation of entropy in very short physiological time series", Am J Physiol Heart
 * Circ Physiol 300:H319-H325). Fibrillation has no pattern that returns; sinus rhythm has, and so has bigeminy.
 */
export class RrIrregularity {
  private readonly rr = new Float64Array(WINDOW_BEATS);
  private readonly times = new Float64Array(WINDOW_BEATS);
  private readonly ordered = new Float64Array(WINDOW_BEATS);
  private count = 0;

  /**
   * @param rrMs a cleaned interval
   * @param tMs stream time of the beat that ends it
   * @returns the rhythm over the last 60 intervals (over the last 30 until there are 60), or null before that
   */
  push(rrMs: number, tMs: StreamMs): Rhythm | null {
    if (this.count > 0 && tMs - this.times[(this.count - 1) % WINDOW_BEATS]! > HOLE_MS) this.count = 0;
    this.rr[this.count % WINDOW_BEATS] = rrMs;
    this.times[this.count % WINDOW_BEATS] = tMs;
    this.count++;
    if (this.count < HINT_BEATS) return null;

    const beats = this.count < WINDOW_BEATS ? HINT_BEATS : WINDOW_BEATS;
    const oldest = this.count - beats;
    let sum = 0;
    for (let i = 0; i < beats; i++) {
      const value = this.rr[(oldest + i) % WINDOW_BEATS]!;
      this.ordered[i] = value;
      sum += value;
    }
    const meanMs = sum / beats;
    const fit = beats === WINDOW_BEATS ? FIT_60 : FIT_30;
    const evidence =
      fit.entropy * entropyCoefficient(this.ordered, beats, meanMs) +
      fit.logMeanS * Math.log(meanMs / 1000) +
      fit.constant;
    return {
      tMs,
      label: evidence > 0 ? 'afib' : 'regular',
      score: 1 / (1 + Math.exp(-evidence)),
      windowBeats: beats,
      windowStartMs: this.times[oldest % WINDOW_BEATS]!,
    };
  }
}

/**
 * CoSEn with m = 1: sample entropy, made comparable over the tolerance (2r) and over the rate (mean interval). Half a
 * match is added to both counts, so that a window without any match has a finite, high value.
 */
function entropyCoefficient(rrMs: Float64Array, count: number, meanMs: number): number {
  let one = 0;
  let two = 0;
  for (let i = 0; i < count - 1; i++) {
    const here = rrMs[i]!;
    const next = rrMs[i + 1]!;
    for (let j = i + 1; j < count - 1; j++) {
      if (Math.abs(here - rrMs[j]!) > MATCH_MS) continue;
      one++;
      if (Math.abs(next - rrMs[j + 1]!) <= MATCH_MS) two++;
    }
  }
  return Math.log((one + 0.5) / (two + 0.5)) + Math.log(2 * MATCH_MS) - Math.log(meanMs);
}

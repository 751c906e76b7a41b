import type { StreamMs } from '../domain/clock.js';
import type { Rhythm } from '../domain/rhythm.js';

/**
 * Constants of Petrenas, Marozas & Sornmo, "Low-complexity detection of atrial fibrillation in continuous long-term
 * monitoring", Comput Biol Med 65 (2015): window of 8 beats, 30 ms, averaging factor 0.02, bigeminy limit 2e-4, decision
 * threshold 0.725. The paper averages forward and backward over the record; here only forward, as it happens.
 */
const N = 8;
const GAMMA_MS = 30;
const ALPHA = 0.02;
const DELTA = 2e-4;
const ETA = 0.725;
/** The averages reach back about this many beats; before that nothing is said. */
const WINDOW_BEATS = 60;
/** How sharply the score goes from 0 to 1 around the paper's threshold. */
const SLOPE = 8;

/** Evidence of atrial fibrillation from RR intervals alone, beat by beat, by the rule of Petrenas et al. 2015. */
export class RrIrregularity {
  private readonly rr = new Float64Array(N);
  private readonly filtered = new Float64Array(N);
  private readonly times = new Float64Array(WINDOW_BEATS);
  private count = 0;
  private previous = Number.NaN;
  private beforePrevious = Number.NaN;
  private meanRr = Number.NaN;
  private meanIrregularity = 0;
  private meanBigeminy = 0;

  /**
   * @param rrMs a cleaned interval
   * @param tMs stream time of the beat that ends it
   * @returns the rhythm over the last 60 beats, or null before there are so many
   */
  push(rrMs: number, tMs: StreamMs): Rhythm | null {
    const median = Number.isNaN(this.beforePrevious) ? rrMs : medianOf3(this.beforePrevious, this.previous, rrMs);
    const slot = this.count % N;
    this.rr[slot] = Number.isNaN(this.previous) ? rrMs : this.previous;
    this.filtered[slot] = median;
    this.beforePrevious = this.previous;
    this.previous = rrMs;
    this.times[this.count % WINDOW_BEATS] = tMs;
    this.count++;
    this.meanRr = Number.isNaN(this.meanRr) ? rrMs : this.meanRr + ALPHA * (rrMs - this.meanRr);
    if (this.count < N) return null;
    this.meanIrregularity += ALPHA * (this.irregularity() - this.meanIrregularity);
    this.meanBigeminy += ALPHA * (this.bigeminy() - this.meanBigeminy);
    if (this.count < WINDOW_BEATS) return null;
    // Averages that start from nothing are brought to the height they would have had.
    const started = 1 - (1 - ALPHA) ** (this.count - N + 1);
    const irregular = (this.meanIrregularity / started / this.meanRr) * 1000;
    const bigeminy = this.meanBigeminy / started;
    const decision = bigeminy >= DELTA ? irregular : bigeminy;
    const score = 1 / (1 + Math.exp(-SLOPE * (decision - ETA)));
    return {
      tMs,
      label: decision > ETA ? 'afib' : 'regular',
      score,
      windowBeats: WINDOW_BEATS,
      windowStartMs: this.times[this.count % WINDOW_BEATS]!,
    };
  }

  /** Share of the pairs among the last eight median-filtered intervals that differ by more than 30 ms. */
  private irregularity(): number {
    let differ = 0;
    for (let i = 0; i < N; i++) {
      for (let j = i + 1; j < N; j++) if (Math.abs(this.filtered[i]! - this.filtered[j]!) > GAMMA_MS) differ++;
    }
    return (2 * differ) / (N * (N - 1));
  }

  /** Small where a median filter changes nothing in sum: in sinus rhythm, and in bigeminy, which it must tell apart. */
  private bigeminy(): number {
    let filtered = 0;
    let raw = 0;
    for (let i = 0; i < N; i++) {
      filtered += this.filtered[i]!;
      raw += this.rr[i]!;
    }
    return (filtered / raw - 1) ** 2;
  }
}

function medianOf3(a: number, b: number, c: number): number {
  return Math.max(Math.min(a, b), Math.min(Math.max(a, b), c));
}

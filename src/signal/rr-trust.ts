import { RrCleaner } from './rr.js';

/** Median over this many intervals: long against a burst of junk. */
const MEDIAN_BEATS = 31;
const MIN_BEATS = 5;
/**
 * Below this share of the median an interval is a strap's false beat: the AV node does not conduct so early, and an
 * ectopic beat comes at 0.55 to 0.9 of the interval.
 */
const TOO_SHORT = 0.5;
/** About twice or three times the median. */
const MULTIPLE_NEAR = 0.2;
/** The share of doubtful intervals is taken over this many. */
const WINDOW_BEATS = 40;
/** Above this share of junk nothing is believed of the stream, below the other it is again (afdb's AF: 1.4 % doubted). */
const JUNK_ABOVE = 0.15;
const JUNK_BELOW = 0.07;
/** So many intervals like each other are a rate, however far from the last one: a tachycardia may begin at once. */
const RUN_BEATS = 3;
const RUN_NEAR = 0.1;

/**
 * Which intervals of a strap or band can be believed, for want of a signal to look at: junk is doubted one by one, and a
 * stream that is junk to a good part is doubted as a whole.
 */
export class RrTrust {
  /** Too many of the last intervals were junk. */
  unreliable = false;
  private readonly cleaner = new RrCleaner();
  private readonly recent = new Float64Array(MEDIAN_BEATS);
  private readonly sorted = new Float64Array(MEDIAN_BEATS);
  private count = 0;
  private readonly doubtful = new Uint8Array(WINDOW_BEATS);
  private doubts = 0;
  private seen = 0;
  /** The last interval, and how many in a row were like their predecessor. */
  private lastMs = 0;
  private alike = 1;

  /** Whether this interval can be believed. */
  push(rrMs: number): boolean {
    const { flag } = this.cleaner.push(rrMs);
    const median = this.median();
    let believed = flag === 'ok';
    if (median > 0 && believed) {
      const times = rrMs / median;
      if (times < TOO_SHORT || (times > 1.6 && Math.abs(times - Math.round(times)) < MULTIPLE_NEAR)) believed = false;
    }
    this.alike = Math.abs(rrMs - this.lastMs) <= RUN_NEAR * this.lastMs ? this.alike + 1 : 1;
    this.lastMs = rrMs;
    if (this.alike >= RUN_BEATS && flag !== 'out-of-range') believed = true;
    if (flag !== 'out-of-range') this.recent[this.count++ % MEDIAN_BEATS] = rrMs;
    const slot = this.seen++ % WINDOW_BEATS;
    this.doubts += (believed ? 0 : 1) - this.doubtful[slot]!;
    this.doubtful[slot] = believed ? 0 : 1;
    const share = this.doubts / WINDOW_BEATS;
    this.unreliable = this.unreliable ? share > JUNK_BELOW : share > JUNK_ABOVE;
    return believed;
  }

  /** Beats were lost: what comes next has no neighbour. */
  gap(): void {
    this.cleaner.gap();
  }

  private median(): number {
    const count = Math.min(this.count, MEDIAN_BEATS);
    if (count < MIN_BEATS) return 0;
    const sorted = this.sorted.subarray(0, count);
    sorted.set(this.recent.subarray(0, count));
    sorted.sort();
    return sorted[count >> 1]!;
  }
}

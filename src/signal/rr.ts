/** What the cleaning found an interval to be. */
export type RrFlag =
  /** An interval to build on. */
  | 'ok'
  /** Outside what a heart does; a gap or nonsense. */
  | 'out-of-range'
  /** About twice the usual one: a beat in its middle was probably not detected. */
  | 'missed-beat'
  /** Far too short: a beat detected that was none, or an early beat; only the next interval can tell. */
  | 'too-early'
  /** With the too short one before it makes one usual interval: the beat between them was none. */
  | 'extra-beat';

/** One interval after cleaning. The object is reused by the next call. */
export interface CleanRr {
  /** The interval, ms; for `extra-beat` the two halves joined. */
  readonly rrMs: number;
  readonly flag: RrFlag;
  /** Whether statistics of the rhythm may use `rrMs`. */
  readonly usable: boolean;
}

/** 20 to 300 beats a minute: what contracts and monitors count as a heart's rate. */
export const MIN_RR_MS = 200;
export const MAX_RR_MS = 3000;

/** Lipponen and Tarvainen 2019: median of 11 intervals, spread over 91. */
const MEDIAN_BEATS = 11;
const SPREAD_BEATS = 91;
const MIN_BEATS = 5;
/** The same: 5.2 quartile deviations cover 99.95 % of normally distributed intervals. */
const SPREADS = 5.2;
/** With a metronome-like heart the spread is nearly nil; a deviation below this share of the median is never marked. */
const MIN_BAND = 0.2;
/** What is neither below this share of the median nor above its inverse is an ordinary early or late beat. */
const EARLY = 0.6;
const LATE = 1.6;
/** How near to one (or two) usual intervals a doubled (or joined) one has to be. */
const NEAR = 0.2;

/**
 * Cleans a stream of RR intervals as they come, by the rules of Lipponen and Tarvainen (2019, "A robust algorithm for
 * heart rate variability time series artefact correction using novel beat classification", J Med Eng Technol 43:173-181)
 * with what an online use can know: the median and the spread come from the past alone, and an early beat is told from
 * an extra one only at the interval after it. The band widens with the rhythm's own irregularity, so that atrial
 * fibrillation is not cleaned away. Nothing is invented: what is not trusted is marked, not replaced.
 */
export class RrCleaner {
  private readonly recent = new Float64Array(MEDIAN_BEATS);
  private recentCount = 0;
  private readonly deviations = new Float64Array(SPREAD_BEATS);
  private deviationCount = 0;
  private readonly sorted = new Float64Array(SPREAD_BEATS);
  /** The last interval, if it was too early. */
  private earlyMs = 0;
  private readonly out = { rrMs: 0, flag: 'ok' as RrFlag, usable: true };

  push(rrMs: number): CleanRr {
    // Written so that NaN is out of range, too.
    if (!(rrMs >= MIN_RR_MS && rrMs <= MAX_RR_MS)) {
      this.earlyMs = 0;
      return this.say(rrMs, 'out-of-range', false);
    }
    const median = this.median();
    const earlyMs = this.earlyMs;
    this.earlyMs = 0;
    let flag: RrFlag = 'ok';
    if (median > 0) {
      const band = Math.max(MIN_BAND * median, SPREADS * this.quartileDeviation());
      const joined = rrMs + earlyMs;
      if (earlyMs > 0 && Math.abs(joined - median) < Math.min(band, NEAR * median)) {
        this.remember(joined, median);
        return this.say(joined, 'extra-beat', true);
      }
      if (rrMs < EARLY * median && median - rrMs > band) {
        flag = 'too-early';
        this.earlyMs = rrMs;
      } else if (earlyMs === 0 && rrMs > LATE * median && rrMs - median > band) {
        // After an early beat a long interval is its compensatory pause.
        if (Math.abs(rrMs / 2 - median) < NEAR * median) flag = 'missed-beat';
      }
    }
    this.remember(rrMs, median);
    return this.say(rrMs, flag, flag === 'ok');
  }

  /** Beats were lost: what comes next has no neighbour. What is usual stays known. */
  gap(): void {
    this.earlyMs = 0;
  }

  private say(rrMs: number, flag: RrFlag, usable: boolean): CleanRr {
    this.out.rrMs = rrMs;
    this.out.flag = flag;
    this.out.usable = usable;
    return this.out;
  }

  private remember(rrMs: number, median: number): void {
    this.recent[this.recentCount++ % MEDIAN_BEATS] = rrMs;
    if (median > 0) this.deviations[this.deviationCount++ % SPREAD_BEATS] = rrMs - median;
  }

  private median(): number {
    const count = Math.min(this.recentCount, MEDIAN_BEATS);
    return count < MIN_BEATS ? 0 : quantile(this.inOrder(this.recent, count), 0.5);
  }

  private quartileDeviation(): number {
    const count = Math.min(this.deviationCount, SPREAD_BEATS);
    if (count < MIN_BEATS) return 0;
    const sorted = this.inOrder(this.deviations, count);
    return (quantile(sorted, 0.75) - quantile(sorted, 0.25)) / 2;
  }

  private inOrder(values: Float64Array, count: number): Float64Array {
    const sorted = this.sorted.subarray(0, count);
    sorted.set(values.subarray(0, count));
    return sorted.sort();
  }
}

function quantile(sorted: Float64Array, share: number): number {
  return sorted[Math.round((sorted.length - 1) * share)]!;
}

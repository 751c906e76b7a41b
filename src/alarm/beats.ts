import { type Beat, type BeatClass, SHAPES_COMPARED } from '../domain/beat.js';
import type { StreamMs } from '../domain/clock.js';

/** Longer than any window a rule looks back over: 100 beats of a rate, 60 of a rhythm. */
const CAPACITY = 256;
const CLASSES: readonly BeatClass[] = ['N', 'S', 'V', 'F', 'Q'];

/** The last beats with what is known of each; typed arrays, nothing allocated per beat. `back` 0 is the newest. */
export class BeatHistory {
  private readonly times = new Float64Array(CAPACITY);
  private readonly rrs = new Float64Array(CAPACITY);
  private readonly trusted = new Uint8Array(CAPACITY);
  /** Index into CLASSES plus 1; 0: not classified (yet). */
  private readonly classes = new Uint8Array(CAPACITY);
  private readonly ventricular = new Float64Array(CAPACITY);
  /** `BeatShape.alike`, `SHAPES_COMPARED` for each beat, NaN where unknown; and its `leak`, NaN where there is no shape. */
  private readonly alikes = new Float64Array(CAPACITY * SHAPES_COMPARED);
  private readonly leaks = new Float64Array(CAPACITY);
  private head = -1;
  private count = 0;

  get length(): number {
    return this.count;
  }

  /** Adds the newest beat. `trusted`: beat and interval lie in good signal. */
  push(beat: Beat, trusted: boolean): void {
    this.head = (this.head + 1) % CAPACITY;
    if (this.count < CAPACITY) this.count++;
    this.times[this.head] = beat.tMs;
    this.rrs[this.head] = beat.rrMs ?? Number.NaN;
    this.trusted[this.head] = trusted ? 1 : 0;
    this.classes[this.head] = 0;
    this.ventricular[this.head] = 0;
    this.leaks[this.head] = beat.shape?.leak ?? Number.NaN;
    for (let k = 0; k < SHAPES_COMPARED; k++)
      this.alikes[this.head * SHAPES_COMPARED + k] = beat.shape?.alike[k] ?? Number.NaN;
  }

  /** How many beats back the beat of this time stands; -1 if it is not (or no longer) here. */
  backOf(tMs: StreamMs): number {
    for (let back = 0; back < this.count && this.tMs(back) >= tMs; back++) if (this.tMs(back) === tMs) return back;
    return -1;
  }

  /** Notes the class of an earlier beat. */
  classify(back: number, beatClass: BeatClass, ventricularScore: number): void {
    const at = this.at(back);
    this.classes[at] = CLASSES.indexOf(beatClass) + 1;
    this.ventricular[at] = ventricularScore;
  }

  tMs(back: number): StreamMs {
    return this.times[this.at(back)]!;
  }

  /** Interval that ends at this beat; NaN where there is none. */
  rrMs(back: number): number {
    return this.rrs[this.at(back)]!;
  }

  isTrusted(back: number): boolean {
    return this.trusted[this.at(back)] === 1;
  }

  classOf(back: number): BeatClass | null {
    return CLASSES[this.classes[this.at(back)]! - 1] ?? null;
  }

  ventricularScore(back: number): number {
    return this.ventricular[this.at(back)]!;
  }

  /** How far the waveform is from a sine wave at this beat (`BeatShape.leak`); NaN where no waveform was looked at. */
  leak(back: number): number {
    return this.leaks[this.at(back)]!;
  }

  /** Correlation of the outlines of two beats, `earlier` standing further back; NaN where it is not known. */
  alike(back: number, earlier: number): number {
    const apart = earlier - back;
    return apart > SHAPES_COMPARED ? Number.NaN : this.alikes[this.at(back) * SHAPES_COMPARED + apart - 1]!;
  }

  /** How well the outline of a beat repeats the one of those before it that it repeats best; NaN where it is not known. */
  bestAlike(back: number): number {
    let best = Number.NaN;
    for (let k = 0; k < SHAPES_COMPARED; k++) {
      const alike = this.alikes[this.at(back) * SHAPES_COMPARED + k]!;
      if (!Number.isNaN(alike) && !(alike <= best)) best = alike;
    }
    return best;
  }

  /** An interval that may be used: known, and both of its beats trusted. */
  hasInterval(back: number): boolean {
    return (
      back >= 0 &&
      back + 1 < this.count &&
      this.isTrusted(back) &&
      this.isTrusted(back + 1) &&
      !Number.isNaN(this.rrMs(back))
    );
  }

  /** Mean of the last `n` intervals; NaN unless all of them may be used. */
  meanRrMs(n: number): number {
    let sum = 0;
    for (let back = 0; back < n; back++) {
      if (!this.hasInterval(back)) return Number.NaN;
      sum += this.rrMs(back);
    }
    return sum / n;
  }

  /** Longest of the last `n` intervals; NaN unless all of them may be used. */
  longestRrMs(n: number): number {
    let longest = 0;
    for (let back = 0; back < n; back++) {
      if (!this.hasInterval(back)) return Number.NaN;
      longest = Math.max(longest, this.rrMs(back));
    }
    return longest;
  }

  /** Standard deviation of the last `n` intervals by their mean; NaN unless all of them may be used. */
  variation(n: number): number {
    const mean = this.meanRrMs(n);
    let squares = 0;
    for (let back = 0; back < n; back++) squares += (this.rrMs(back) - mean) ** 2;
    return Math.sqrt(squares / n) / mean;
  }

  /** Trusted beats later than `sinceMs`. */
  countSince(sinceMs: StreamMs): number {
    let count = 0;
    for (let back = 0; back < this.count && this.tMs(back) > sinceMs; back++) if (this.isTrusted(back)) count++;
    return count;
  }

  /** Whether more than half of the last `n` intervals are shorter (or longer) than `limitMs`. */
  mostAreBeyond(n: number, limitMs: number, side: 'shorter' | 'longer'): boolean {
    let beyond = 0;
    for (let back = 0; back < n; back++) {
      const rr = this.rrMs(back);
      if (side === 'shorter' ? rr < limitMs : rr > limitMs) beyond++;
    }
    return beyond * 2 > n;
  }

  /**
   * Where a fast (or slow) stretch began: the beat that starts the oldest interval beyond `limitMs` of the last `n`,
   * and further back while intervals stay beyond it. The newest beat's time if none is.
   */
  stretchStartMs(n: number, limitMs: number, side: 'shorter' | 'longer'): StreamMs {
    const beyond = (back: number) => (side === 'shorter' ? this.rrMs(back) < limitMs : this.rrMs(back) > limitMs);
    let oldest = -1;
    for (let back = 0; back < n && this.hasInterval(back); back++) if (beyond(back)) oldest = back;
    if (oldest < 0) return this.count > 0 ? this.tMs(0) : 0;
    if (oldest === n - 1) while (this.hasInterval(oldest + 1) && beyond(oldest + 1)) oldest++;
    return this.tMs(oldest) - this.rrMs(oldest);
  }

  /** Share of trusted beats among those at or after `fromMs`; NaN if there is none. */
  trustedShare(fromMs: StreamMs): number {
    let all = 0;
    let good = 0;
    for (let back = 0; back < this.count && this.tMs(back) >= fromMs; back++) {
      all++;
      if (this.isTrusted(back)) good++;
    }
    return all === 0 ? Number.NaN : good / all;
  }

  /** Share of ventricular beats among the classified ones at or after `fromMs`; NaN if there is none. */
  ventricularShare(fromMs: StreamMs): number {
    let all = 0;
    let ventricular = 0;
    for (let back = 0; back < this.count && this.tMs(back) >= fromMs; back++) {
      const beatClass = this.classOf(back);
      if (beatClass === null) continue;
      all++;
      if (beatClass === 'V') ventricular++;
    }
    return all === 0 ? Number.NaN : ventricular / all;
  }

  /** The last `n` known intervals, oldest first, whole milliseconds. */
  lastRrMs(n: number): number[] {
    const out: number[] = [];
    for (let back = 0; back < this.count && out.length < n; back++) {
      const rr = this.rrMs(back);
      if (!Number.isNaN(rr)) out.push(Math.round(rr));
    }
    return out.reverse();
  }

  private at(back: number): number {
    return (this.head - back + CAPACITY) % CAPACITY;
  }
}

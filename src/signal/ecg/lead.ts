import { DETECTOR_RATE_HZ } from './front-end.js';

/** Values beyond this are no measurement in any unit; clamping keeps every later sum finite. */
const LARGEST = 1e12;

/** How much of the lead is kept at its own rate, seconds. */
const KEPT_SECONDS = 8;

/**
 * One lead: its last 8 s at its own rate, and the way from there to the detector's 128 Hz.
 *
 * Two moving averages of the odd width nearest to rate/128 keep what lies above 64 Hz from folding down (at 360 Hz: two
 * of 3 samples; below 256 Hz none), then linear interpolation at multiples of 1/128 s. Both are done in one sum, and only
 * where a 128 Hz value is due. The first value of a session is taken off: a lead that sits at -5 mV or at 20,000 counts
 * costs no precision.
 */
export class Lead {
  /** The 128 Hz value that `next` made, in `out[0]`: in an array, because a fraction handed over alone would be boxed. */
  readonly out = new Float64Array(1);
  /** Native samples per detector sample. */
  readonly samplesPerStep: number;
  /** Samples pushed so far. */
  pushed = 0;
  /** Native index at which the session began; -1 while no finite value has begun it. */
  start = -1;
  private readonly ring: Float64Array;
  private readonly mask: number;
  /** Two averages of one width after the other: a triangle. */
  private readonly taps: Float64Array;
  /** How far the triangle reaches to each side. */
  private readonly reach: number;
  private offset = 0;
  private steps = 0;
  /** Native position of the next 128 Hz value, and the index whose push completes it. */
  private position = 0;
  private dueAt = 0;

  /** @throws RangeError for a rate outside 50..8000 Hz */
  constructor(rateHz: number) {
    if (!(rateHz >= 50 && rateHz <= 8000)) {
      throw new RangeError(`the beat detector needs a rate of 50 to 8000 Hz, not ${rateHz}`);
    }
    this.samplesPerStep = rateHz / DETECTOR_RATE_HZ;
    const width = Math.max(1, 2 * Math.round((this.samplesPerStep - 1) / 2) + 1);
    this.reach = width - 1;
    this.taps = Float64Array.from({ length: 2 * width - 1 }, (_, i) => (width - Math.abs(i - width + 1)) / width ** 2);
    const size = 2 ** Math.ceil(Math.log2(KEPT_SECONDS * rateHz + 4 * width));
    this.ring = new Float64Array(size);
    this.mask = size - 1;
  }

  /** Forget the past: the next finite sample begins a session. */
  restart(): void {
    this.start = -1;
    this.dueAt = 0;
  }

  /** Takes one sample. Returns whether it makes a 128 Hz value due: then call `next` until it returns false. */
  push(value: number): boolean {
    const index = this.pushed++;
    // Whether it is a number at all is seen when it is used: this runs for every sample.
    this.ring[index & this.mask] = value;
    return index >= this.dueAt;
  }

  /**
   * Puts the next 128 Hz value that is due into `out[0]`, or returns false. A value that is not finite counts as the one
   * before it; before the first finite one nothing is due.
   */
  next(): boolean {
    const newest = this.pushed - 1;
    if (newest < this.dueAt || (this.start < 0 && !this.begin(newest))) return false;
    if (newest < this.dueAt) return false;
    this.interpolate();
    if (!(Math.abs(this.out[0]!) < LARGEST)) {
      this.repair();
      this.interpolate();
    }
    this.position = this.start + ++this.steps * this.samplesPerStep;
    this.dueAt = Math.ceil(this.position) + this.reach;
    return true;
  }

  /** Index of the highest (or lowest) value, smoothed by [1 2 1], within `reach` samples of `centre`. */
  extremum(centre: number, reach: number, up: boolean): number {
    const newest = this.pushed - 1;
    const from = Math.max(this.start, Math.ceil(centre - reach));
    const to = Math.min(newest, Math.floor(centre + reach));
    const sign = up ? 1 : -1;
    let best = Math.max(this.start, Math.min(newest, Math.round(centre)));
    let top = Number.NEGATIVE_INFINITY;
    for (let i = from; i <= to; i++) {
      const v =
        sign * (this.ring[(i - 1) & this.mask]! + 2 * this.ring[i & this.mask]! + this.ring[(i + 1) & this.mask]!);
      // The newest sample has no right neighbour yet; one that was never used may still be no number.
      if (v > top && v < 4 * LARGEST && (i < newest || i === from)) {
        top = v;
        best = i;
      }
    }
    return best;
  }

  /** Begins a session, as if its first value had always been there. Returns whether it can be a first one. */
  private begin(index: number): boolean {
    const first = this.ring[index & this.mask]!;
    if (!Number.isFinite(first)) return false;
    this.start = index;
    this.offset = clamp(first);
    for (let i = 0; i <= this.reach + 1; i++) this.ring[(index - i) & this.mask] = this.offset;
    this.steps = 0;
    this.position = index;
    this.dueAt = index + this.reach;
    return true;
  }

  /** Replaces what is not finite or absurdly large among the samples the next value is made of. */
  private repair(): void {
    const { ring, mask } = this;
    for (let i = this.dueAt - 2 * this.reach - 1; i <= this.dueAt; i++) {
      const value = ring[i & mask]!;
      const before = ring[(i - 1) & mask]!;
      ring[i & mask] = clamp(Number.isFinite(value) ? value : Number.isFinite(before) ? before : this.offset);
    }
  }

  /** Puts the triangle-smoothed lead at `position`, between two samples linearly, into `out[0]`. */
  private interpolate(): void {
    const { ring, mask, taps } = this;
    const right = this.dueAt - this.reach;
    const fraction = right - this.position;
    const first = right - this.reach;
    let value = 0;
    let before = 0;
    let last = ring[(first - 1) & mask]!;
    for (let i = 0; i < taps.length; i++) {
      before += taps[i]! * last;
      last = ring[(first + i) & mask]!;
      value += taps[i]! * last;
    }
    this.out[0] = value - fraction * (value - before) - this.offset;
  }
}

function clamp(value: number): number {
  return Math.min(Math.max(value, -LARGEST), LARGEST);
}

import { DETECTOR_RATE_HZ } from './front-end.js';

/** Values beyond this are no measurement in any unit; clamping keeps every later sum finite. */
const LARGEST = 1e12;

/**
 * Brings one lead from its own rate to the detector's 128 Hz, sample by sample.
 *
 * Two moving averages of the odd width nearest to rate/128 keep what lies above 64 Hz from folding down (at 360 Hz: two
 * of 3 samples); then linear interpolation at multiples of 1/128 s. Below 256 Hz the averages have width 1. The first value
 * of a session is taken off, so a lead that sits at -5 mV or at 20,000 counts costs no precision.
 */
export class Resampler {
  /** What the last `push` made: `out[0 .. made-1]`. Grows only with `DETECTOR_RATE_HZ / rateHz`, set at construction. */
  readonly out: Float64Array;
  readonly samplesPerStep: number;
  private readonly width: number;
  private readonly first: Float64Array;
  private readonly second: Float64Array;
  private firstSum = 0;
  private secondSum = 0;
  private slot = 0;
  private offset = 0;
  private held = 0;
  private started = false;
  /** Index, counted from the session's first sample, of the newest value that left both averages. */
  private newest = -1;
  private newestValue = 0;
  private steps = 0;
  private nextAt = 0;

  constructor(rateHz: number) {
    if (!(rateHz >= 50 && rateHz <= 8000)) {
      throw new RangeError(`the beat detector needs a rate of 50 to 8000 Hz, not ${rateHz}`);
    }
    this.samplesPerStep = rateHz / DETECTOR_RATE_HZ;
    this.width = nearestOdd(this.samplesPerStep);
    this.first = new Float64Array(this.width);
    this.second = new Float64Array(this.width);
    this.out = new Float64Array(Math.ceil(1 / this.samplesPerStep) + 1);
  }

  /** Forget the past: the next sample begins a session, as index 0. */
  restart(): void {
    this.started = false;
  }

  /** Whether a finite value has begun the session. Until then nothing comes out. */
  get running(): boolean {
    return this.started;
  }

  /** The newest accepted value (non-finite ones are replaced by the one before), the session's offset put back. */
  get lastValue(): number {
    return this.held;
  }

  /**
   * Takes one sample and returns how many 128 Hz values it completed (they are in `out`, the session's offset taken off).
   * A value that is not finite is replaced by the last one that was.
   */
  push(value: number): number {
    if (!this.started) {
      if (!Number.isFinite(value)) return 0;
      this.begin(clamp(value));
    }
    if (Number.isFinite(value)) this.held = clamp(value);
    const x = this.held - this.offset;

    const width = this.width;
    let smooth = x;
    if (width > 1) {
      const slot = this.slot;
      this.firstSum += x - this.first[slot]!;
      this.first[slot] = x;
      const once = this.firstSum / width;
      this.secondSum += once - this.second[slot]!;
      this.second[slot] = once;
      smooth = this.secondSum / width;
      if (slot + 1 === width) {
        // A running sum never forgets its rounding errors: take both anew once per turn.
        this.slot = 0;
        this.firstSum = sumOf(this.first);
        this.secondSum = sumOf(this.second);
      } else {
        this.slot = slot + 1;
      }
    }

    const newest = ++this.newest;
    const before = this.newestValue;
    this.newestValue = smooth;
    let made = 0;
    // `newest` counts outputs of the averages, which lag by width - 1: until they are through, nothing is due.
    while (this.nextAt <= newest - (width - 1)) {
      const fraction = newest - (width - 1) - this.nextAt;
      this.out[made++] = smooth - fraction * (smooth - before);
      this.nextAt = ++this.steps * this.samplesPerStep;
    }
    return made;
  }

  private begin(value: number): void {
    this.started = true;
    this.offset = value;
    this.held = value;
    this.first.fill(0);
    this.second.fill(0);
    this.firstSum = 0;
    this.secondSum = 0;
    this.slot = 0;
    this.newest = -1;
    this.newestValue = 0;
    this.steps = 0;
    this.nextAt = 0;
  }
}

function nearestOdd(x: number): number {
  return Math.max(1, 2 * Math.round((x - 1) / 2) + 1);
}

function clamp(value: number): number {
  return value > LARGEST ? LARGEST : value < -LARGEST ? -LARGEST : value;
}

function sumOf(values: Float64Array): number {
  let sum = 0;
  for (let i = 0; i < values.length; i++) sum += values[i]!;
  return sum;
}

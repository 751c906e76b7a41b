import { type Biquad, highPass, lowPass } from '../biquad.js';

/** Elgendi et al. 2013: a systolic peak is found best between 0.5 and 8 Hz. */
const LOW_HZ = 0.5;
const HIGH_HZ = 8;
/** The upstroke takes 100 to 200 ms: its rise is seen best without what is faster. */
const UPSTROKE_HZ = 5;

/** The pulse band of a pleth, at its own rate: offset, breathing and slow movement below it are gone, and hiss above it. */
export class PulseBand {
  /** What the last sample left above the band. */
  hiss = 0;
  /** The last sample without what lies above the band, but with its slow course: a rise in it is a rise of the light. */
  smooth = 0;
  private readonly high: Biquad;
  private readonly low: Biquad;
  private readonly slowLow: Biquad;
  private first = 0;
  private started = false;

  constructor(rateHz: number) {
    this.high = highPass(LOW_HZ, rateHz);
    this.low = lowPass(Math.min(HIGH_HZ, 0.4 * rateHz), rateHz);
    this.slowLow = lowPass(Math.min(UPSTROKE_HZ, 0.4 * rateHz), rateHz);
  }

  push(value: number): number {
    if (!this.started) {
      this.started = true;
      this.high.settle(value);
      this.low.settle(0);
      this.slowLow.settle(0);
      this.first = value;
    }
    this.smooth = this.slowLow.push(value - this.first);
    const high = this.high.push(value);
    const band = this.low.push(high);
    this.hiss = high - band;
    return band;
  }

  /** The next value begins anew: no step from what was before. */
  clear(): void {
    this.started = false;
  }
}

import { Biquad } from './biquad.js';
import { Resampler } from './resampler.js';

/** Rate at which the beat model looks at the signal. */
export const MODEL_RATE_HZ = 128;

/** Samples kept: 8 s, more than a beat ever waits for its successor plus its window. Power of two. */
const KEPT = 1024;
const BAND_HZ = { low: 0.5, high: 40 } as const;

/**
 * The last seconds of one lead at 128 Hz, 0.5 to 40 Hz, whatever the lead's rate, offset or unit. Everything before the
 * start, before a gap, or older than the buffer reads as 0.
 */
export class BeatSignal {
  private readonly resampler: Resampler;
  private readonly highPass = Biquad.highPass(BAND_HZ.low, MODEL_RATE_HZ);
  private readonly lowPass = Biquad.lowPass(BAND_HZ.high, MODEL_RATE_HZ);
  private readonly ring = new Float64Array(KEPT);
  private origin = Number.NaN;
  private last = 0;
  private produced = 0;

  constructor(private readonly rateHz: number) {
    this.resampler = new Resampler(rateHz, MODEL_RATE_HZ, (value) => {
      this.ring[this.produced & (KEPT - 1)] = this.lowPass.next(this.highPass.next(value));
      this.produced++;
    });
  }

  /** Samples at 128 Hz that exist: positions below it can be read. */
  get length(): number {
    return this.produced;
  }

  /** Position at 128 Hz of a sample counted at the lead's rate. */
  positionOf(sample: number): number {
    return Math.round((sample * MODEL_RATE_HZ) / this.rateHz);
  }

  /** One sample, in any unit. NaN (the device has no value) holds the last one. */
  push(value: number): void {
    // Filters start from rest at the first sample, so an offset of thousands of counts never rings through them.
    if (Number.isNaN(this.origin) && Number.isFinite(value)) this.origin = value;
    if (Number.isFinite(value)) this.last = value - this.origin;
    this.resampler.push(this.last);
  }

  /** Samples are missing here: filters start anew with the next one, what was before reads as 0. Positions go on. */
  gap(): void {
    this.origin = Number.NaN;
    this.last = 0;
    this.resampler.restart(0);
    this.highPass.reset();
    this.lowPass.reset();
    this.ring.fill(0);
  }

  at(position: number): number {
    return position >= 0 && position < this.produced && position >= this.produced - KEPT
      ? this.ring[position & (KEPT - 1)]!
      : 0;
  }
}

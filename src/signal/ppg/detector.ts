import { MovingMean } from '../moving-mean.js';

/** Cutoffs of the pulse band as moving means: a short one against noise, a long one against wander. */
const SMOOTH_MS = 90;
const DETREND_MS = 900;
/**
 * Elgendi 2013: systolic peaks by two event-related moving averages; windows of 111 ms (a systolic peak) and 667 ms (a
 * beat), offset 2 % of the mean signal.
 */
const PEAK_WINDOW_MS = 111;
const BEAT_WINDOW_MS = 667;
const OFFSET = 0.02;
const REFRACTORY_MS = 270;
/** Pulses more than this factor below the running height are dicrotic notches or motion. */
const LEAST_HEIGHT = 0.35;
const HEIGHT_STEP = 0.15;
/** With no pulse for this long, the running height is forgotten: the finger was moved. */
const FORGET_MS = 3000;

export interface PulseDetectorOptions {
  /** 20 to 1000 samples per second. */
  readonly rateHz: number;
  onBeat(sample: number, decidedAtSample: number, confidence: number): void;
}

/**
 * Online pulse (PPG) beat detector after Elgendi et al., PLoS ONE 2013, made causal: blocks of interest where the short
 * average of the squared, clipped signal exceeds the long one; the beat is the greatest value of a block. Works on any
 * unit and offset. A beat is decided at the end of its block, about 0.2 s after its peak.
 */
export class PulseDetector {
  private readonly smooth: MovingMean;
  private readonly trend: MovingMean;
  private readonly peakMean: MovingMean;
  private readonly beatMean: MovingMean;
  private readonly squareMean: MovingMean;
  private readonly delay: number;
  private readonly refractory: number;
  private readonly forget: number;
  private readonly shortestBlock: number;
  private count = 0;
  private blockStart = -1;
  private blockMax = 0;
  private blockMaxAt = -1;
  private lastBeat = -1;
  private height = 0;

  constructor(private readonly options: PulseDetectorOptions) {
    const samples = (ms: number) => Math.max(1, Math.round((ms * options.rateHz) / 1000));
    this.smooth = new MovingMean(samples(SMOOTH_MS));
    this.trend = new MovingMean(samples(DETREND_MS));
    this.peakMean = new MovingMean(samples(PEAK_WINDOW_MS));
    this.beatMean = new MovingMean(samples(BEAT_WINDOW_MS));
    this.squareMean = new MovingMean(samples(10 * BEAT_WINDOW_MS));
    this.delay = (samples(SMOOTH_MS) - 1) / 2;
    this.refractory = samples(REFRACTORY_MS);
    this.forget = samples(FORGET_MS);
    this.shortestBlock = samples(PEAK_WINDOW_MS) / 2;
  }

  /** One sample, any unit; must be finite. */
  push(value: number): void {
    const n = this.count++;
    const level = this.smooth.push(value) - this.trend.push(value);
    const clipped = level > 0 ? level * level : 0;
    const short = this.peakMean.push(clipped);
    const long = this.beatMean.push(clipped) + OFFSET * this.squareMean.push(clipped);
    if (this.lastBeat >= 0 && n - this.lastBeat > this.forget) this.height = 0;
    if (short > long) {
      if (this.blockStart < 0) {
        this.blockStart = n;
        this.blockMax = Number.NEGATIVE_INFINITY;
      }
      if (level > this.blockMax) {
        this.blockMax = level;
        this.blockMaxAt = n;
      }
    } else if (this.blockStart >= 0) {
      this.closeBlock(n);
    }
  }

  gap(): void {
    this.blockStart = -1;
    this.smooth.clear();
    this.trend.clear();
  }

  flush(): void {
    if (this.blockStart >= 0) this.closeBlock(this.count - 1);
  }

  private closeBlock(now: number): void {
    const wide = now - this.blockStart >= this.shortestBlock;
    this.blockStart = -1;
    const peak = Math.max(0, Math.round(this.blockMaxAt - this.delay));
    if (!wide || (this.lastBeat >= 0 && peak - this.lastBeat < this.refractory)) return;
    if (this.blockMax < LEAST_HEIGHT * this.height) return;
    this.height = this.height === 0 ? this.blockMax : this.height + HEIGHT_STEP * (this.blockMax - this.height);
    this.lastBeat = peak;
    const likeness = Math.min(this.blockMax, this.height) / Math.max(this.blockMax, this.height);
    this.options.onBeat(peak, now, likeness);
  }
}

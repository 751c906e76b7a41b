import { correlationAtLag } from '../correlation.js';

/** The correlation works on about this many values a second: the pulse band ends at 8 Hz. */
const WORK_HZ = 40;
const WINDOW_S = 6;
const EVERY_S = 0.5;
/** 240 to 30 beats a minute. */
const SHORTEST_S = 0.25;
const LONGEST_S = 2;
/** Two beats correlate as well as one: the first lag that comes this near to the best one is the beat. */
const NEAR_BEST = 0.85;

/**
 * Period and regularity of a band-passed pulse wave by autocorrelation over the last six seconds, renewed twice a
 * second. Independent of peaks, so it can say when a detector counts every notch or every other beat.
 */
export class PulsePeriod {
  /** ms; 0 while no lag stands out. */
  periodMs = 0;
  /** Correlation at that lag, -1 to 1. */
  strength = 0;
  /** Correlation at half of it: -1 times `strength` for a pure sine, and clearly more for a pulse with its harmonics. */
  atHalf = 0;
  private readonly step: number;
  private readonly workHz: number;
  private readonly values: Float64Array;
  private readonly ordered: Float64Array;
  private readonly correlations: Float64Array;
  private readonly every: number;
  private phase = 0;
  private filled = 0;
  private at = 0;
  private sinceLast = 0;

  /** @param rateHz 20 to 1000 samples per second */
  constructor(rateHz: number) {
    this.step = Math.max(1, Math.floor(rateHz / WORK_HZ));
    this.workHz = rateHz / this.step;
    const length = Math.round(WINDOW_S * this.workHz);
    this.values = new Float64Array(length);
    this.ordered = new Float64Array(length);
    this.correlations = new Float64Array(Math.ceil(LONGEST_S * this.workHz) + 2);
    this.every = Math.round(EVERY_S * this.workHz);
  }

  /** One value of the band-passed wave; true when the figures were renewed. */
  push(value: number): boolean {
    if (++this.phase < this.step) return false;
    this.phase = 0;
    this.values[this.at] = value;
    this.at = (this.at + 1) % this.values.length;
    if (this.filled < this.values.length) this.filled++;
    if (++this.sinceLast < this.every || this.filled < this.values.length) return false;
    this.sinceLast = 0;
    this.measure();
    return true;
  }

  clear(): void {
    this.filled = 0;
    this.at = 0;
    this.sinceLast = 0;
    this.periodMs = 0;
    this.strength = 0;
    this.atHalf = 0;
  }

  private measure(): void {
    const { ordered, values, correlations, workHz } = this;
    const n = values.length;
    for (let i = 0; i < n; i++) ordered[i] = values[(this.at + i) % n]!;
    const shortest = Math.max(2, Math.floor(SHORTEST_S * workHz));
    const longest = correlations.length - 2;
    for (let lag = 1; lag <= longest + 1; lag++) correlations[lag] = correlationAtLag(ordered, lag);
    let best = 0;
    for (let lag = shortest; lag <= longest; lag++)
      if (isPeak(correlations, lag)) best = Math.max(best, correlations[lag]!);
    this.periodMs = 0;
    this.strength = 0;
    this.atHalf = 0;
    for (let lag = shortest; lag <= longest && best > 0; lag++) {
      if (!isPeak(correlations, lag) || correlations[lag]! < NEAR_BEST * best) continue;
      // A parabola through the peak: a lag alone would be off by up to 12 ms.
      const left = correlations[lag - 1]!;
      const middle = correlations[lag]!;
      const right = correlations[lag + 1]!;
      const curve = left - 2 * middle + right;
      const shift = curve < 0 ? (0.5 * (left - right)) / curve : 0;
      this.periodMs = ((lag + shift) * 1000) / workHz;
      this.strength = middle;
      this.atHalf = valueAt(correlations, (lag + shift) / 2);
      return;
    }
  }
}

/** Between two lags, by a parabola through the three nearest: a narrow trough would else fall through. */
function valueAt(values: Float64Array, at: number): number {
  const middle = Math.max(2, Math.min(values.length - 2, Math.round(at)));
  const x = at - middle;
  const left = values[middle - 1]!;
  const centre = values[middle]!;
  const right = values[middle + 1]!;
  return centre + 0.5 * x * (right - left) + 0.5 * x * x * (left - 2 * centre + right);
}

function isPeak(values: Float64Array, at: number): boolean {
  return values[at]! > 0 && values[at]! >= values[at - 1]! && values[at]! > values[at + 1]!;
}

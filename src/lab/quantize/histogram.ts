import { LabError } from '../error.js';

/** The values one tensor takes over a calibration set, and the range to quantize it over. */

/** Range of the numbers a quantized tensor can stand for. */
export interface Range {
  readonly min: number;
  readonly max: number;
}

export type CalibrationMethod = 'MinMax' | 'Entropy' | 'Percentile';

export interface CalibrationOptions {
  /** Names and meaning are those of onnxruntime.quantization.CalibrationMethod. */
  readonly method?: CalibrationMethod;
  /** For 'Percentile': the share of values kept, in percent (onnxruntime's default). */
  readonly percentile?: number;
}

const BINS = 4096;
/** Levels the entropy method compares with: 8 bits over the symmetric range. */
const LEVELS = 256;

/**
 * Counts values in bins over a symmetric range that doubles when a value falls outside, so one pass over the data is
 * enough and memory does not depend on how much there is.
 */
export class Histogram {
  min = Number.POSITIVE_INFINITY;
  max = Number.NEGATIVE_INFINITY;
  count = 0;
  private bins = new Float64Array(BINS);
  /** The bins cover -reach .. +reach; 0 until a value other than 0 was seen. */
  private reach = 0;
  /** Zeros seen so far: half of many tensors behind a ReLU, and where they lie does not depend on `reach`. */
  private zeros = 0;

  /** @throws Error for a value that is not finite */
  add(values: Float32Array): void {
    let largest = 0;
    for (const value of values) {
      const magnitude = Math.abs(value);
      if (!(magnitude <= Number.MAX_VALUE)) throw new Error(`holds ${value}`);
      if (magnitude > largest) largest = magnitude;
      if (value < this.min) this.min = value;
      if (value > this.max) this.max = value;
    }
    this.count += values.length;
    this.grow(largest);
    const perUnit = BINS / 2 / (this.reach || 1);
    for (const value of values) {
      if (value === 0) this.zeros++;
      else {
        const bin = Math.min(BINS - 1, Math.floor(value * perUnit + BINS / 2));
        this.bins[bin] = this.bins[bin]! + 1;
      }
    }
  }

  private grow(largest: number): void {
    if (this.reach === 0) this.reach = largest;
    while (this.reach < largest) {
      this.reach *= 2;
      const merged = new Float64Array(BINS);
      for (let i = 0; i < BINS; i++) merged[BINS / 4 + (i >> 1)]! += this.bins[i]!;
      this.bins = merged;
    }
  }

  /** @throws Error when nothing was counted */
  range(options: CalibrationOptions = {}): Range {
    if (this.count === 0) throw new Error('saw no value at all');
    const seen = { min: this.min, max: this.max };
    if (this.reach === 0) return seen;
    switch (options.method ?? 'MinMax') {
      case 'MinMax':
        return seen;
      case 'Percentile':
        return within(this.percentile(options.percentile ?? 99.999), seen);
      case 'Entropy': {
        const reach = this.entropy();
        return within({ min: -reach, max: reach }, seen);
      }
    }
  }

  private all(): Float64Array {
    const bins = this.bins.slice();
    bins[BINS / 2]! += this.zeros;
    return bins;
  }

  /** The range that leaves out half of the rest at each end. */
  private percentile(percent: number): Range {
    if (!(percent > 50 && percent <= 100)) throw new LabError(`percentile ${percent} is not between 50 and 100`);
    const cut = (this.count * (100 - percent)) / 200;
    const bins = this.all();
    const width = (2 * this.reach) / BINS;
    let low = 0;
    for (let left = bins[0]!; left <= cut && low < BINS - 1; left += bins[low]!) low++;
    let high = BINS - 1;
    for (let right = bins[high]!; right <= cut && high > 0; right += bins[high]!) high--;
    return { min: -this.reach + low * width, max: -this.reach + (high + 1) * width };
  }

  /**
   * The reach whose values, clipped to it and brought to `LEVELS` steps, lose least information about the distribution
   * (Kullback-Leibler divergence). S. Migacz, "8-bit inference with TensorRT", GTC 2017, with three differences: the steps
   * lie over the range that uint8 will really have (behind a ReLU all of them are positive), zeros are left out because
   * every range holds them exactly, and the divergence is corrected for the number of values seen (see `divergence`).
   */
  private entropy(): number {
    const { bins } = this;
    const middle = BINS / 2;
    const width = this.reach / middle;
    const most = Math.min(middle, Math.ceil(Math.max(-this.min, this.max) / width));
    const [below, above] = [Math.min(middle, Math.ceil(-this.min / width)), Math.ceil(this.max / width)];
    let best = Number.POSITIVE_INFINITY;
    let bestHalf = most;
    // Equal losses go to the widest, so it is begun with.
    for (let half = most; half >= 1; half -= Math.max(1, most >> 7)) {
      const from = middle - Math.min(half, Math.max(0, below));
      const to = middle + Math.min(half, Math.max(0, above));
      if (to - from < LEVELS) break;
      const loss = divergence(bins, from, to);
      if (loss < best) {
        best = loss;
        bestHalf = half;
      }
    }
    return bestHalf * width;
  }
}

/**
 * What bins `from` up to `to`, which the others are clipped to, lose when they are brought to `LEVELS` steps, in nats. A
 * histogram of few values differs from its smoothed self by chance alone: by (bins - steps) / (2 * values) on average
 * (Miller 1955). Without taking that off, wide ranges look worse than they are, and the tails are cut away.
 */
function divergence(bins: Float64Array, from: number, to: number): number {
  const width = to - from;
  let total = 0;
  for (const count of bins) total += count;
  let keptTotal = 0;
  for (let i = from; i < to; i++) keptTotal += bins[i]!;
  if (keptTotal === 0) return Number.POSITIVE_INFINITY;
  const clipped = bins.slice(from, to);
  for (let i = 0; i < from; i++) clipped[0]! += bins[i]!;
  for (let i = to; i < bins.length; i++) clipped[width - 1]! += bins[i]!;
  let loss = 0;
  let freedom = 0;
  for (let level = 0; level < LEVELS; level++) {
    const [start, end] = [Math.round((level * width) / LEVELS), Math.round(((level + 1) * width) / LEVELS)];
    let sum = 0;
    let filled = 0;
    for (let i = start; i < end; i++) {
      sum += bins[from + i]!;
      if (clipped[i]! > 0) filled++;
    }
    freedom += Math.max(0, filled - 1);
    for (let i = start; i < end; i++) {
      const p = clipped[i]! / total;
      if (p === 0) continue;
      // A bin with only clipped values has nothing to stand for it: a small share instead of an infinite loss.
      const q = Math.max(sum / filled / keptTotal, 1e-9);
      loss += p * Math.log(p / q);
    }
  }
  return loss - freedom / (2 * total);
}

function within(range: Range, seen: Range): Range {
  return { min: Math.max(range.min, seen.min), max: Math.min(range.max, seen.max) };
}

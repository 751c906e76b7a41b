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
    if (!(percent > 50 && percent <= 100)) throw new Error(`percentile ${percent} is not between 50 and 100`);
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
   * The symmetric reach whose values, clipped to it and brought to `LEVELS` steps, lose least information about the
   * distribution (Kullback-Leibler divergence). S. Migacz, "8-bit inference with TensorRT", GTC 2017.
   */
  private entropy(): number {
    const bins = this.all();
    const middle = BINS / 2;
    let best = Number.POSITIVE_INFINITY;
    let bestHalf = middle;
    // Half-widths in whole bins per level, so that every level holds the same number of bins.
    for (let half = LEVELS / 2; half <= middle; half += LEVELS / 2) {
      const loss = divergence(bins, middle, half);
      if (loss < best) {
        best = loss;
        bestHalf = half;
      }
    }
    return (this.reach * bestHalf) / middle;
  }
}

function divergence(bins: Float64Array, middle: number, half: number): number {
  const from = middle - half;
  const kept = bins.slice(from, middle + half);
  const clipped = kept.slice();
  for (let i = 0; i < from; i++) clipped[0]! += bins[i]!;
  for (let i = middle + half; i < bins.length; i++) clipped[clipped.length - 1]! += bins[i]!;
  const total = clipped.reduce((a, b) => a + b, 0);
  const keptTotal = kept.reduce((a, b) => a + b, 0);
  if (keptTotal === 0) return Number.POSITIVE_INFINITY;
  const perLevel = (2 * half) / LEVELS;
  let loss = 0;
  for (let level = 0; level < LEVELS; level++) {
    let sum = 0;
    let filled = 0;
    for (let i = level * perLevel; i < (level + 1) * perLevel; i++) {
      sum += kept[i]!;
      if (clipped[i]! > 0) filled++;
    }
    for (let i = level * perLevel; i < (level + 1) * perLevel; i++) {
      const p = clipped[i]! / total;
      if (p === 0) continue;
      // A bin with only clipped values has nothing to stand for it: a small share instead of an infinite loss.
      const q = Math.max(sum / filled / keptTotal, 1e-9);
      loss += p * Math.log(p / q);
    }
  }
  return loss;
}

function within(range: Range, seen: Range): Range {
  return { min: Math.max(range.min, seen.min), max: Math.min(range.max, seen.max) };
}

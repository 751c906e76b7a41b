/** Where things lie in a beat's window at 128 Hz, as sample counts relative to the R peak. */
export const BEFORE_R = 58;
export const AFTER_R = 69;
/** Samples of a window: R - 58 .. R + 69, -0.453 to +0.539 s. */
export const WINDOW = BEFORE_R + 1 + AFTER_R;
/** The R mark may be off by this much; beats are aligned to templates within it. */
export const MAX_LAG = 4;
/** A window with room for the alignment on both sides. */
export const WIDE = WINDOW + 2 * MAX_LAG;

/** First and last sample of a part of the beat, relative to R. */
export type Span = readonly [from: number, to: number];
/** The part on which beats are compared. */
export const QRS: Span = [-15, 20];
/** The part whose height is the beat's amplitude. */
export const QRS_PEAK: Span = [-10, 12];
/** The part in which the width of the QRS is measured. */
export const QRS_WIDE: Span = [-20, 24];
/** -0.30 to -0.07 s. */
export const P_WAVE: Span = [-38, -9];
/** 0.16 to 0.45 s. */
export const T_WAVE: Span = [20, 58];

/**
 * How one part of a beat compares with the same part of another, means taken off. Written into by `compare`, so that
 * nothing is allocated per beat.
 */
export interface Comparison {
  /** Correlation, -1 to 1. */
  correlation: number;
  /** 2 <a, b> / (|a|^2 + |b|^2): 1 only where shape and size agree. */
  similarity: number;
  /** |a - b| / |b|. */
  residual: number;
  /** Root mean square of each part. */
  rmsA: number;
  rmsB: number;
}

export function newComparison(): Comparison {
  return { correlation: 0, similarity: 0, residual: 0, rmsA: 0, rmsB: 0 };
}

/**
 * Compares a span of beat `a` with that of beat `b`.
 * @param zeroA index of the R peak in `a`; shifted by the lag, where the beats are aligned
 */
export function compare(a: Float64Array, zeroA: number, b: Float64Array, zeroB: number, span: Span, out: Comparison) {
  const n = span[1] - span[0] + 1;
  const fromA = zeroA + span[0];
  const fromB = zeroB + span[0];
  let sumA = 0;
  let sumB = 0;
  let ab = 0;
  let aa = 0;
  let bb = 0;
  for (let i = 0; i < n; i++) {
    const x = a[fromA + i]!;
    const y = b[fromB + i]!;
    sumA += x;
    sumB += y;
    ab += x * y;
    aa += x * x;
    bb += y * y;
  }
  ab -= (sumA * sumB) / n;
  aa = Math.max(0, aa - (sumA * sumA) / n);
  bb = Math.max(0, bb - (sumB * sumB) / n);
  out.correlation = aa > 0 && bb > 0 ? ab / Math.sqrt(aa * bb) : 0;
  out.similarity = aa + bb > 0 ? (2 * ab) / (aa + bb) : 0;
  out.residual = bb > 0 ? Math.sqrt(Math.max(0, aa + bb - 2 * ab) / bb) : 0;
  out.rmsA = Math.sqrt(aa / n);
  out.rmsB = Math.sqrt(bb / n);
}

/** Highest minus lowest value of a span. */
export function peakToPeak(beat: Float64Array, zero: number, span: Span): number {
  let low = Number.POSITIVE_INFINITY;
  let high = Number.NEGATIVE_INFINITY;
  for (let i = zero + span[0]; i <= zero + span[1]; i++) {
    const value = beat[i]!;
    if (value < low) low = value;
    if (value > high) high = value;
  }
  return high - low;
}

/** Samples of the QRS that stand more than 30 % of its largest deflection away from its mean. */
export function qrsWidth(beat: Float64Array, zero: number): number {
  const from = zero + QRS_WIDE[0];
  const to = zero + QRS_WIDE[1];
  let mean = 0;
  for (let i = from; i <= to; i++) mean += beat[i]!;
  mean /= to - from + 1;
  let largest = 0;
  for (let i = from; i <= to; i++) largest = Math.max(largest, Math.abs(beat[i]! - mean));
  let width = 0;
  for (let i = from; i <= to; i++) if (Math.abs(beat[i]! - mean) > 0.3 * largest) width++;
  return width;
}

/** Spread of the slope's energy about its centre, in samples: narrow for a conducted beat, wide for a ventricular one. */
export function slopeSpread(beat: Float64Array, zero: number): number {
  const from = zero + QRS_WIDE[0];
  const to = zero + QRS_WIDE[1];
  let energy = 0;
  let first = 0;
  let second = 0;
  for (let i = from + 1; i <= to; i++) {
    const slope = beat[i]! - beat[i - 1]!;
    const weight = slope * slope;
    const at = i - zero;
    energy += weight;
    first += weight * at;
    second += weight * at * at;
  }
  if (energy <= 0) return 0;
  return Math.sqrt(Math.max(0, second / energy - (first / energy) ** 2));
}

/** The QRS centre is looked for within this of where it is thought to be, and at most MAX_SHIFT from the R mark. */
const CENTRE_REACH = 12;
export const MAX_SHIFT = 10;

/**
 * Where the QRS is centred: the centre of its slope's energy. Annotators and detectors mark R on different deflections,
 * and change their minds within a record (MITDB 108); shapes must not depend on that.
 * @param mark index of the R mark in `signal`, with MAX_SHIFT + CENTRE_REACH + 1 samples around it
 * @returns samples to add to the mark, within MAX_SHIFT
 */
export function qrsCentre(signal: Float64Array, mark: number): number {
  let shift = 0;
  for (let round = 0; round < 3; round++) {
    let energy = 0;
    let moment = 0;
    for (let d = -CENTRE_REACH; d <= CENTRE_REACH; d++) {
      const at = mark + shift + d;
      const slope = signal[at + 1]! - signal[at - 1]!;
      energy += slope * slope;
      moment += slope * slope * d;
    }
    if (energy <= 0) return shift;
    const step = Math.round(moment / energy);
    const next = Math.max(-MAX_SHIFT, Math.min(MAX_SHIFT, shift + step));
    if (next === shift) return shift;
    shift = next;
  }
  return shift;
}

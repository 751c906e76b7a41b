import type { Annotation } from '../wfdb/index.js';

/** Beat symbols as EC57 and WFDB's bxb read them; every other annotation is not a beat. */
const BEAT_SYMBOLS = new Set('NLRBAaJSVrFejnE/fQ?');

/** The reference of one record. */
export interface ReferenceBeats {
  readonly rateHz: number;
  /** Sample of each beat outside flutter, ascending. */
  readonly samples: Float64Array;
  /** The beats' annotation symbols. */
  readonly symbols: readonly string[];
  /** Ventricular flutter, from '[' to ']', in samples; an open one runs to the end. */
  readonly flutter: readonly (readonly [from: number, to: number])[];
}

export interface BeatScoreOptions {
  /** Largest |offset| of a pair, inclusive. EC57: 150 ms. */
  readonly toleranceMs?: number;
  /** Counted time in seconds, `from` inclusive, `to` exclusive; left out: the whole record. */
  readonly windows?: readonly (readonly [fromS: number, toS: number])[];
}

/** The outcome of one record, or of several pooled. */
export interface BeatScore {
  readonly tp: number;
  readonly fp: number;
  readonly fn: number;
  /** Unpaired test beats inside flutter: not counted. */
  readonly inFlutter: number;
  /** Test minus reference of each counted pair, ms; positive = late. */
  readonly offsetsMs: readonly number[];
  /** Samples of the missed reference beats (with symbol) and of the extra test beats. */
  readonly missed: readonly { readonly sample: number; readonly symbol: string }[];
  readonly extra: readonly number[];
}

export interface BeatMetrics {
  readonly beats: number;
  readonly tp: number;
  readonly fp: number;
  readonly fn: number;
  readonly sensitivity: number;
  readonly precision: number;
  readonly f1: number;
  readonly offsetMedianMs: number;
  readonly absOffsetMedianMs: number;
  readonly absOffsetP95Ms: number;
}

/** Picks beats and flutter out of a record's annotations. */
export function referenceBeats(annotations: readonly Annotation[], rateHz: number): ReferenceBeats {
  const flutter: [number, number][] = [];
  let open: number | null = null;
  for (const { sample, symbol } of annotations) {
    if (symbol === '[') open ??= sample;
    if (symbol === ']' && open !== null) {
      flutter.push([open, sample]);
      open = null;
    }
  }
  if (open !== null) flutter.push([open, Number.POSITIVE_INFINITY]);
  const beats = annotations
    .filter(({ sample, symbol }) => BEAT_SYMBOLS.has(symbol) && !inside(sample, flutter))
    .sort((x, y) => x.sample - y.sample);
  return {
    rateHz,
    samples: Float64Array.from(beats, (beat) => beat.sample),
    symbols: beats.map((beat) => beat.symbol),
    flutter,
  };
}

/**
 * Pairs reference and test beats one to one and in time order (ANSI/AAMI EC57 beat-by-beat matching): of all pairings within
 * the tolerance the one with the most pairs, and of these the one with the least sum of |offset|.
 * @param reference ascending samples
 * @param test ascending samples
 * @returns for each reference beat the index of its test beat, or -1
 */
export function matchBeats(reference: ArrayLike<number>, test: ArrayLike<number>, tolerance: number): Int32Array {
  const paired = new Int32Array(reference.length).fill(-1);
  let i = 0;
  let j = 0;
  while (i < reference.length && j < test.length) {
    const offset = test[j]! - reference[i]!;
    if (offset > tolerance) i++;
    else if (offset < -tolerance) j++;
    else {
      // Grow the stretch of beats that hang together, so that the exact search below stays small.
      let iEnd = i + 1;
      let jEnd = j + 1;
      for (;;) {
        if (iEnd < reference.length && reference[iEnd]! - test[jEnd - 1]! <= tolerance) iEnd++;
        else if (jEnd < test.length && test[jEnd]! - reference[iEnd - 1]! <= tolerance) jEnd++;
        else break;
      }
      matchStretch(reference, test, tolerance, [i, iEnd, j, jEnd], paired);
      i = iEnd;
      j = jEnd;
    }
  }
  return paired;
}

/** Scores one record. */
export function scoreBeats(
  reference: ReferenceBeats,
  test: ArrayLike<number>,
  { toleranceMs = 150, windows }: BeatScoreOptions = {},
): BeatScore {
  const { rateHz, samples, symbols, flutter } = reference;
  const counted = (sample: number) =>
    !windows || windows.some(([from, to]) => sample / rateHz >= from && sample / rateHz < to);
  const pairOf = matchBeats(samples, test, (toleranceMs * rateHz) / 1000);
  const used = new Uint8Array(test.length);
  const offsetsMs: number[] = [];
  const missed: { sample: number; symbol: string }[] = [];
  for (let i = 0; i < samples.length; i++) {
    const sample = samples[i]!;
    const j = pairOf[i]!;
    if (j >= 0) used[j] = 1;
    if (!counted(sample)) continue;
    if (j >= 0) offsetsMs.push(((test[j]! - sample) * 1000) / rateHz);
    else missed.push({ sample, symbol: symbols[i]! });
  }
  const extra: number[] = [];
  let inFlutter = 0;
  for (let j = 0; j < test.length; j++) {
    if (used[j] || !counted(test[j]!)) continue;
    if (inside(test[j]!, flutter)) inFlutter++;
    else extra.push(test[j]!);
  }
  return { tp: offsetsMs.length, fp: extra.length, fn: missed.length, inFlutter, offsetsMs, missed, extra };
}

/** Adds up the counts and offsets of several records ("gross" figures). */
export function poolScores(scores: readonly BeatScore[]): BeatScore {
  return {
    tp: sum(scores.map((s) => s.tp)),
    fp: sum(scores.map((s) => s.fp)),
    fn: sum(scores.map((s) => s.fn)),
    inFlutter: sum(scores.map((s) => s.inFlutter)),
    offsetsMs: scores.flatMap((s) => s.offsetsMs),
    missed: scores.flatMap((s) => s.missed),
    extra: scores.flatMap((s) => s.extra),
  };
}

/** Figures of a score; NaN where there is nothing to divide by. */
export function beatMetrics({ tp, fp, fn, offsetsMs }: BeatScore): BeatMetrics {
  const absolute = offsetsMs.map(Math.abs);
  return {
    beats: tp + fn,
    tp,
    fp,
    fn,
    sensitivity: tp / (tp + fn),
    precision: tp / (tp + fp),
    f1: (2 * tp) / (2 * tp + fp + fn),
    offsetMedianMs: quantile(offsetsMs, 0.5),
    absOffsetMedianMs: quantile(absolute, 0.5),
    absOffsetP95Ms: quantile(absolute, 0.95),
  };
}

/** Quantile with linear interpolation between order statistics; NaN for no values. */
export function quantile(values: readonly number[], q: number): number {
  if (values.length === 0) return Number.NaN;
  const sorted = Float64Array.from(values).sort();
  const at = q * (sorted.length - 1);
  const low = sorted[Math.floor(at)]!;
  return low + (at - Math.floor(at)) * (sorted[Math.ceil(at)]! - low);
}

function matchStretch(
  reference: ArrayLike<number>,
  test: ArrayLike<number>,
  tolerance: number,
  [i0, i1, j0, j1]: readonly [number, number, number, number],
  paired: Int32Array,
): void {
  const rows = i1 - i0;
  const columns = j1 - j0 + 1;
  // A pair is worth more than all offsets together, so the best total has the most pairs first.
  const worth = (tolerance + 1) * (Math.min(rows, columns) + 1);
  const best = new Float64Array((rows + 1) * columns);
  for (let i = 1; i <= rows; i++) {
    for (let j = 1; j < columns; j++) {
      let top = Math.max(best[(i - 1) * columns + j]!, best[i * columns + j - 1]!);
      const offset = Math.abs(test[j0 + j - 1]! - reference[i0 + i - 1]!);
      if (offset <= tolerance) top = Math.max(top, best[(i - 1) * columns + j - 1]! + worth - offset);
      best[i * columns + j] = top;
    }
  }
  let i = rows;
  let j = columns - 1;
  while (i > 0 && j > 0) {
    const here = best[i * columns + j]!;
    if (here === best[(i - 1) * columns + j]!) i--;
    else if (here === best[i * columns + j - 1]!) j--;
    else {
      paired[i0 + i - 1] = j0 + j - 1;
      i--;
      j--;
    }
  }
}

function inside(sample: number, spans: readonly (readonly [number, number])[]): boolean {
  return spans.some(([from, to]) => sample >= from && sample <= to);
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}

import {
  SHOCKABLE_FEATURES,
  SHOCKABLE_SAMPLES,
  ShockableInputs,
  type ShockablePreprocessing,
  standardiseShockable,
} from '../../../inference/windows/shockable-ecg.js';
import type { ShockableRecord } from '../../data/shockable-records.js';
import { predict } from '../../train/loop.js';
import type { Fitted } from './fit.js';
import { LABELS } from './network.js';

const FEATURE_COUNT = SHOCKABLE_FEATURES.length;

/** A record's windows, one a second, with what a model said of them. */
export interface ScoredRecord {
  readonly record: ShockableRecord;
  /** Probabilities, windows x LABELS. */
  readonly scores: Float32Array;
}

/** What a window's shockable classes have together. */
export function shockableScore({ scores }: ScoredRecord, window: number): number {
  return 1 - scores[window * LABELS.length]!;
}

/** A record's windows as the model takes them. */
export function inputsOf(record: ShockableRecord, preprocessing: ShockablePreprocessing) {
  const count = record.ends.length;
  const signals = new Float32Array(count * SHOCKABLE_SAMPLES);
  const features = record.features.slice();
  const inputs = new ShockableInputs();
  for (let w = 0; w < count; w++) {
    const end = record.ends[w]!;
    const window = record.signal.subarray(end - SHOCKABLE_SAMPLES, end);
    signals.set(inputs.writeSignal(window, record.usual[w]!), w * SHOCKABLE_SAMPLES);
    standardiseShockable(features.subarray(w * FEATURE_COUNT, (w + 1) * FEATURE_COUNT), preprocessing);
  }
  return { count, signals, features };
}

/** What a model says of every window of some records. */
export function score({ model, preprocessing }: Fitted, records: readonly ShockableRecord[]): ScoredRecord[] {
  return records.map((record) => {
    const { count, signals, features } = inputsOf(record, preprocessing);
    return { record, scores: softmax(predict(model, [signals, features], count)) };
  });
}

/** Probabilities out of rows of logits. */
export function softmax(logits: Float32Array): Float32Array {
  const out = new Float32Array(logits.length);
  for (let from = 0; from < logits.length; from += LABELS.length) {
    let largest = Number.NEGATIVE_INFINITY;
    for (let i = 0; i < LABELS.length; i++) largest = Math.max(largest, logits[from + i]!);
    let sum = 0;
    for (let i = 0; i < LABELS.length; i++) sum += Math.exp(logits[from + i]! - largest);
    for (let i = 0; i < LABELS.length; i++) out[from + i] = Math.exp(logits[from + i]! - largest) / sum;
  }
  return out;
}

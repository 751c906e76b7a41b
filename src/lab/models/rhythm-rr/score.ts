import { RHYTHM_BEATS, RhythmRrWindows } from '../../../inference/windows/rhythm-rr.js';
import type { RhythmRecord } from '../../data/rhythm-records.js';
import { predict } from '../../train/loop.js';
import type { Fitted } from './fit.js';
import { FEATURE_VALUES, SEQUENCE_VALUES } from './sampling.js';

/** The daemon asks every so many beats. */
export const DAEMON_EVERY = 5;

/** A record's windows with what a model said of them. */
export interface ScoredRhythm {
  readonly record: RhythmRecord;
  /** For each window the interval it ends at. */
  readonly ends: Uint32Array;
  readonly startMs: Float64Array;
  /** Probability of fibrillation. */
  readonly scores: Float32Array;
}

/** Windows of a record, as the daemon would make them of its intervals. */
export interface RhythmWindowSet {
  readonly count: number;
  readonly sequences: Float32Array;
  readonly features: Float32Array;
  readonly ends: Uint32Array;
  readonly startMs: Float64Array;
}

/** Runs a record's intervals through the daemon's windows. */
export function windowsOf(record: RhythmRecord, everyBeats: number, preprocessing: object): RhythmWindowSet {
  // The first window of a stretch takes 60 intervals, however far apart the others are.
  const most = Math.ceil(record.count / Math.min(everyBeats, RHYTHM_BEATS));
  const sequences = new Float32Array(most * SEQUENCE_VALUES);
  const features = new Float32Array(most * FEATURE_VALUES);
  const ends = new Uint32Array(most);
  const starts = new Float64Array(most);
  let count = 0;
  let interval = 0;
  const windows = new RhythmRrWindows({
    preprocessing: { ...preprocessing },
    everyBeats,
    onWindow([sequence, vector], _tMs, startMs) {
      sequences.set(sequence!, count * SEQUENCE_VALUES);
      features.set(vector!, count * FEATURE_VALUES);
      ends[count] = interval;
      starts[count] = startMs;
      count++;
    },
  });
  for (; interval < record.count; interval++) windows.push(record.rrMs[interval]!, record.tMs[interval]!);
  return {
    count,
    sequences: sequences.subarray(0, count * SEQUENCE_VALUES),
    features: features.subarray(0, count * FEATURE_VALUES),
    ends: ends.slice(0, count),
    startMs: starts.slice(0, count),
  };
}

/** What a model says of every window of some records. */
export function score({ model, preprocessing }: Fitted, records: readonly RhythmRecord[], everyBeats: number) {
  return records.map((record): ScoredRhythm => {
    const { count, sequences, features, ends, startMs } = windowsOf(record, everyBeats, preprocessing);
    const logits = predict(model, [sequences, features], count);
    return { record, ends, startMs, scores: scoresOf(logits) };
  });
}

/** Probability of fibrillation out of rows of logits (regular, afib). */
export function scoresOf(logits: Float32Array): Float32Array {
  return Float32Array.from(
    { length: logits.length / 2 },
    (_, i) => 1 / (1 + Math.exp(logits[2 * i]! - logits[2 * i + 1]!)),
  );
}

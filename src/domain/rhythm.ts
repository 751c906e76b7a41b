import type { StreamMs } from './clock.js';

export type RhythmLabel = 'regular' | 'afib' | 'unknown';

/** Who judged: the rhythm model, or the rule that stands in for it. */
export type RhythmSource = 'model' | 'rule';

/** Intervals that a verdict on the rhythm rests on; fewer make a hint. */
export const RHYTHM_VERDICT_BEATS = 60;

/** A rhythm estimate over the last beats. */
export interface Rhythm {
  /** Stream time of the newest beat of the window. */
  readonly tMs: StreamMs;
  readonly label: RhythmLabel;
  /** 0 to 1, evidence for atrial fibrillation. */
  readonly score: number;
  readonly windowBeats: number;
  /** Stream time of the oldest beat of the window: an episode cannot be said to begin before it. */
  readonly windowStartMs: StreamMs;
  readonly source?: RhythmSource;
}

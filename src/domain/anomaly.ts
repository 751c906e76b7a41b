import type { StreamMs } from './clock.js';

/** One figure of the last minute of rhythm beside what is usual of this person. */
export interface UsualRange {
  readonly now: number;
  /** Between these lies the person's own day, but for a twentieth. */
  readonly low: number;
  readonly high: number;
}

/** How far the last intervals depart from what is usual of this person. */
export interface AnomalyVerdict {
  /** Stream time of the newest beat of the window. */
  readonly tMs: StreamMs;
  readonly windowStartMs: StreamMs;
  /** In units of what this person's normal rhythm reaches once in a hundred windows; above 1 is unusual. */
  readonly score: number;
  /** Too little of this person's rhythm is known for the score to mean anything. */
  readonly learning: boolean;
  readonly rateBpm: UsualRange;
  /** Median change from beat to beat, percent of the interval. */
  readonly irregularityPercent: UsualRange;
  /** Share of beats that come early with a pause behind them, percent. */
  readonly prematurePercent: UsualRange;
}

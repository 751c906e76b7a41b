import type { Stage } from '../domain/stage.js';
import type { LatencyFigures } from './latency.js';

/** One interval: `[count, p50Ms, p99Ms, p999Ms]` per stage that worked in it. Arrays, because an hour of them travels. */
export interface HistoryPoint {
  readonly at: string;
  readonly stages: Partial<Record<Stage, readonly [count: number, p50Ms: number, p99Ms: number, p999Ms: number]>>;
}

/** An hour of points, one every 15 s. */
const KEPT = 240;

/** The latency of the last hour, oldest first. */
export class LatencyHistory {
  private readonly kept: HistoryPoint[] = [];

  add(wallMs: number, figures: Partial<Record<Stage, LatencyFigures>>): void {
    const stages: HistoryPoint['stages'] = Object.fromEntries(
      Object.entries(figures).map(([stage, { count, p50Ms, p99Ms, p999Ms }]) => [
        stage,
        [count, rounded(p50Ms), rounded(p99Ms), rounded(p999Ms)],
      ]),
    );
    this.kept.push({ at: new Date(wallMs).toISOString(), stages });
    if (this.kept.length > KEPT) this.kept.shift();
  }

  points(): readonly HistoryPoint[] {
    return this.kept;
  }

  get last(): HistoryPoint | undefined {
    return this.kept.at(-1);
  }
}

function rounded(ms: number): number {
  return Math.round(ms * 1000) / 1000;
}

import { build, type Histogram as Hdr } from 'hdr-histogram-js';
import type { Stage, StageRecorder } from '../domain/stage.js';

/** Percentiles of one stage, ms. */
export interface LatencyFigures {
  readonly count: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly p999Ms: number;
  readonly maxMs: number;
}

/** 1 us to 60 s with three significant digits: exact enough that a p99 is a figure, not a bucket's edge. */
const HIGHEST_US = 60_000_000;

/** Exact percentiles per stage, since the start and over a sliding last minute. */
export class LatencyBook implements StageRecorder {
  private readonly stages = new Map<Stage, Hdr>();
  private readonly recent = new Map<Stage, [current: Hdr, former: Hdr]>();

  constructor(private readonly onRecord?: (stage: Stage, durationMs: number) => void) {}

  record(stage: Stage, durationMs: number): void {
    const us = Math.max(1, Math.min(HIGHEST_US, Math.round(durationMs * 1000)));
    let all = this.stages.get(stage);
    let recent = this.recent.get(stage);
    if (!all || !recent) {
      all = newHdr();
      recent = [newHdr(), newHdr()];
      this.stages.set(stage, all);
      this.recent.set(stage, recent);
    }
    all.recordValue(us);
    recent[0].recordValue(us);
    this.onRecord?.(stage, durationMs);
  }

  /** Called every 30 s: `lastMinute` then covers the last 30 to 60 s. */
  rotate(): void {
    for (const pair of this.recent.values()) {
      pair[1].reset();
      pair.reverse();
    }
  }

  sinceStart(): Partial<Record<Stage, LatencyFigures>> {
    return figures(this.stages, (hdr) => hdr);
  }

  lastMinute(): Partial<Record<Stage, LatencyFigures>> {
    return figures(this.recent, ([current, former]) => {
      const sum = newHdr();
      sum.add(current);
      sum.add(former);
      return sum;
    });
  }
}

function newHdr(): Hdr {
  return build({
    lowestDiscernibleValue: 1,
    highestTrackableValue: HIGHEST_US,
    numberOfSignificantValueDigits: 3,
    bitBucketSize: 32,
  });
}

function figures<T>(from: Map<Stage, T>, hdrOf: (value: T) => Hdr): Partial<Record<Stage, LatencyFigures>> {
  const out: Partial<Record<Stage, LatencyFigures>> = {};
  for (const [stage, value] of from) {
    const hdr = hdrOf(value);
    if (hdr.totalCount === 0) continue;
    out[stage] = {
      count: hdr.totalCount,
      p50Ms: hdr.getValueAtPercentile(50) / 1000,
      p99Ms: hdr.getValueAtPercentile(99) / 1000,
      p999Ms: hdr.getValueAtPercentile(99.9) / 1000,
      maxMs: hdr.maxValue / 1000,
    };
  }
  return out;
}

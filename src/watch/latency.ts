import type { Histogram as Hdr } from 'hdr-histogram-js';
// Not the whole package: its WebAssembly and its log files would be read at each start and never used.
import { build } from 'hdr-histogram-js/dist/HistogramBuilder.js';
import type { Stage, StageRecorder, StageSubject } from '../domain/stage.js';
import { LatencyHistory } from './latency-history.js';

/** Percentiles of one stage, ms. */
export interface LatencyFigures {
  readonly count: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly p999Ms: number;
  readonly maxMs: number;
}

/** How many durations fell into each bin; bin i reaches from `edgesMs[i]` to `edgesMs[i + 1]`. */
export interface DurationBins {
  readonly edgesMs: readonly number[];
  readonly counts: readonly number[];
}

export type DurationListener = (stage: Stage, durationMs: number, subject: StageSubject | undefined) => void;

/** 1 us to 60 s with three significant digits: exact enough that a p99 is a figure, not a bucket's edge. */
const HIGHEST_US = 60_000_000;
/** `rotate` is called this often; four slots make the last minute. */
export const ROTATE_MS = 15_000;
const SLOTS = 4;
/** Bins of a drawn histogram: ten a decade from 10 us to 10 s. */
const BIN_EDGES_MS: readonly number[] = Array.from({ length: 61 }, (_, i) => 10 ** (i / 10 - 2));

interface StageBook {
  readonly all: Hdr;
  /** The current slot first, then older ones. */
  readonly slots: Hdr[];
}

/** Exact percentiles per stage: since the start, over the last minute, and a point every 15 s for the last hour. */
export class LatencyBook implements StageRecorder {
  readonly history = new LatencyHistory();
  private readonly stages = new Map<Stage, StageBook>();

  constructor(private readonly onRecord?: DurationListener) {}

  record(stage: Stage, durationMs: number, subject?: StageSubject): void {
    const us = Math.max(1, Math.min(HIGHEST_US, Math.round(durationMs * 1000)));
    let book = this.stages.get(stage);
    if (!book) {
      book = { all: newHdr(), slots: [newHdr()] };
      this.stages.set(stage, book);
    }
    book.all.recordValue(us);
    book.slots[0]!.recordValue(us);
    this.onRecord?.(stage, durationMs, subject);
  }

  /** A recorder whose work is this sensor's; made once, so that recording needs no object of its own. */
  of(sensor: string): StageRecorder {
    const subject: StageSubject = { sensor };
    return { record: (stage, durationMs) => this.record(stage, durationMs, subject) };
  }

  /** Called every `ROTATE_MS`: what was recorded since the last call becomes a point of the history. */
  rotate(wallMs: number): void {
    const point: Partial<Record<Stage, LatencyFigures>> = {};
    for (const [stage, { slots }] of this.stages) {
      if (slots[0]!.totalCount > 0) point[stage] = figuresOf(slots[0]!);
      const next = slots.length < SLOTS ? newHdr() : slots.pop()!;
      next.reset();
      slots.unshift(next);
    }
    this.history.add(wallMs, point);
  }

  sinceStart(): Partial<Record<Stage, LatencyFigures>> {
    return this.each(({ all }) => all);
  }

  /** The last 45 to 60 s. */
  lastMinute(): Partial<Record<Stage, LatencyFigures>> {
    return this.each(({ slots }) => {
      const sum = newHdr();
      for (const slot of slots) if (slot.totalCount > 0) sum.add(slot);
      return sum;
    });
  }

  /** How a stage's durations since the start are spread; empty bins at both ends are left out. */
  bins(stage: Stage): DurationBins {
    const counts = new Array<number>(BIN_EDGES_MS.length - 1).fill(0);
    const hdr = this.stages.get(stage)?.all;
    if (hdr) {
      for (const edge of eachRecorded(hdr)) {
        const at = Math.floor((Math.log10(edge.us / 1000) + 2) * 10);
        counts[Math.max(0, Math.min(counts.length - 1, at))]! += edge.count;
      }
    }
    const first = counts.findIndex((count) => count > 0);
    if (first < 0) return { edgesMs: [], counts: [] };
    const last = counts.findLastIndex((count) => count > 0);
    return { edgesMs: BIN_EDGES_MS.slice(first, last + 2), counts: counts.slice(first, last + 1) };
  }

  private each(hdrOf: (book: StageBook) => Hdr): Partial<Record<Stage, LatencyFigures>> {
    const out: Partial<Record<Stage, LatencyFigures>> = {};
    for (const [stage, book] of this.stages) {
      const hdr = hdrOf(book);
      if (hdr.totalCount > 0) out[stage] = figuresOf(hdr);
    }
    return out;
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

function figuresOf(hdr: Hdr): LatencyFigures {
  return {
    count: hdr.totalCount,
    p50Ms: hdr.getValueAtPercentile(50) / 1000,
    p99Ms: hdr.getValueAtPercentile(99) / 1000,
    p999Ms: hdr.getValueAtPercentile(99.9) / 1000,
    maxMs: hdr.maxValue / 1000,
  };
}

/** The library's own iterator over what was recorded is not in its public type. */
interface Recorded {
  recordedValuesIterator: {
    reset(): void;
    hasNext(): boolean;
    next(): { valueIteratedTo: number; countAtValueIteratedTo: number };
  };
}

function* eachRecorded(hdr: Hdr): Generator<{ us: number; count: number }> {
  const iterator = (hdr as unknown as Recorded).recordedValuesIterator;
  iterator.reset();
  while (iterator.hasNext()) {
    const { valueIteratedTo, countAtValueIteratedTo } = iterator.next();
    yield { us: valueIteratedTo, count: countAtValueIteratedTo };
  }
}

import type { Beat, BeatSource } from '../domain/beat.js';
import type { StreamMs } from '../domain/clock.js';

/** A device may hand over intervals in bundles; further than this from the arrival, the chain of them has broken. */
const MAX_CHAIN_ERROR_MS = 3000;

/** Makes beats out of what a detector or a device reports: times, RR intervals, no interval across a gap. */
export class BeatAssembler {
  private lastMs: StreamMs | null = null;

  constructor(private readonly source: BeatSource) {}

  /** A beat whose time is known. */
  at(tMs: StreamMs, sample: number, decidedAtMs: StreamMs, quality: number): Beat {
    const rrMs = this.lastMs === null ? null : tMs - this.lastMs;
    this.lastMs = tMs;
    return { tMs, sample, rrMs, decidedAtMs, quality, source: this.source };
  }

  /** A beat known by the interval that it ends; its time is the sum of the intervals, held to their arrival. */
  afterInterval(rrMs: number, arrivedAtMs: StreamMs, quality: number): Beat {
    const chained = this.lastMs === null ? arrivedAtMs : this.lastMs + rrMs;
    const tMs = Math.abs(chained - arrivedAtMs) > MAX_CHAIN_ERROR_MS ? arrivedAtMs : Math.min(chained, arrivedAtMs);
    this.lastMs = tMs;
    return { tMs, sample: -1, rrMs, decidedAtMs: arrivedAtMs, quality, source: this.source };
  }

  /** Samples or contact were lost: what comes is not the successor of what was. */
  gap(): void {
    this.lastMs = null;
  }
}

import type { Pipeline } from '../../daemon/pipeline.js';
import type { StreamMs } from '../../domain/clock.js';
import type { Carries } from '../../domain/reading.js';
import type { SampleClock } from '../../sensor/sample-clock.js';

/** A record on its way through the pipeline. */
export interface ReplaySource {
  readonly record: string;
  /** Samples (or annotation ticks) per second; what `sample` in the events counts. */
  readonly rateHz: number;
  /** Name of the signal that is played; null where the record is beats alone. */
  readonly signal: string | null;
  readonly carries: Carries;
  /** Beats come from the source, not from our detector. */
  readonly givesBeats: boolean;
  /** Times of the samples where the record has a clock of its own; left out: the rate is exact. */
  readonly sampleClock?: SampleClock;
  /** The record in order: each step reaches up to `tMs` and puts its readings into the pipeline. */
  steps(): Iterable<ReplayStep>;
}

export interface ReplayStep {
  readonly tMs: StreamMs;
  feed(pipeline: Pipeline): void;
}

/** A record that cannot be played; `message` is for the person who named it. */
export class ReplayError extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'ReplayError';
  }
}

/** Recorded time between two rounds of the alarm rules, as in the daemon. */
export const STEP_MS = 100;

export const NOTHING: Carries = {
  waveform: null,
  beatFlags: false,
  rr: false,
  heartRate: false,
  spo2: false,
  contact: false,
  battery: false,
};

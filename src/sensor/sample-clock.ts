import type { StreamMs } from '../domain/clock.js';

/** Gives each sample of a waveform its stream time. */
export interface SampleClock {
  timeOf(sample: number): StreamMs;
  /** Milliseconds between samples, as best known. */
  readonly periodMs: number;
}

/** A record's own clock: exact. */
export function exactSampleClock(rateHz: number, startMs: StreamMs = 0): SampleClock {
  const periodMs = 1000 / rateHz;
  return { periodMs, timeOf: (sample) => startMs + sample * periodMs };
}

/** Arrivals are grouped by this much sample time; of each group only the least delayed one counts. */
const GROUP_MS = 1000;
/** Groups the line is fitted through: one minute, long against USB jitter (16 ms), short against a crystal's drift. */
const GROUPS = 60;
/** A crystal is off by parts per thousand at the most; more than this means another rate, which is not ours to mend. */
const MAX_RATE_ERROR = 0.03;
/**
 * Later than this, and not made up for at once: the samples in between were never sent (leads off, a board that was busy)
 * or were lost uncounted (a full kernel buffer). What merely waited comes in one burst.
 */
const HOLE_MS = 1000;
/** With fewer groups the slope says more about jitter than about the device. */
const MIN_GROUPS_FOR_RATE = 12;

/**
 * Maps a sample counter to the monotonic clock by a line through the least delayed arrivals.
 *
 * Bytes come late, never early: USB converters hand them over in bursts (16 ms for an FTDI chip), and a busy machine
 * adds to it. So the earliest arrival of each second lies close to the truth, and a line through a minute of those
 * gives the device's true rate (one that says 250 Hz and runs at 249.3 is followed) while bursts never reach the RR
 * intervals, which are counted in samples.
 */
export class ArrivalSampleClock implements SampleClock {
  periodMs: number;
  private readonly nominalMs: number;
  private originMs: StreamMs = Number.NaN;
  private readonly groupSample = new Float64Array(GROUPS);
  private readonly groupDelay = new Float64Array(GROUPS);
  private groups = 0;
  private groupEndSample = 0;
  private bestDelay = Number.POSITIVE_INFINITY;
  private bestSample = 0;
  private lastArrivedMs: StreamMs = Number.NaN;

  constructor(rateHz: number) {
    this.nominalMs = 1000 / rateHz;
    this.periodMs = this.nominalMs;
  }

  get rateHz(): number {
    return 1000 / this.periodMs;
  }

  timeOf(sample: number): StreamMs {
    return this.originMs + sample * this.periodMs;
  }

  /** The next sample has number `sampleCount` and its bytes came at `arrivedAtMs`: a first guess, to have times at all. */
  begin(sampleCount: number, arrivedAtMs: StreamMs): void {
    if (Number.isNaN(this.originMs)) {
      this.originMs = arrivedAtMs - sampleCount * this.periodMs;
      this.groupEndSample = sampleCount + GROUP_MS / this.nominalMs;
    }
  }

  /**
   * A chunk has been decoded: samples up to (not including) `sampleCount` had arrived by `arrivedAtMs`.
   * @returns true where samples are missing before these that nobody counted: the line begins anew at them
   */
  arrived(sampleCount: number, arrivedAtMs: StreamMs): boolean {
    const lastSample = sampleCount - 1;
    this.begin(lastSample, arrivedAtMs);
    const predictedMs = this.timeOf(lastSample);
    const pausedMs = arrivedAtMs - this.lastArrivedMs;
    this.lastArrivedMs = arrivedAtMs;
    if (pausedMs > HOLE_MS && arrivedAtMs - predictedMs > HOLE_MS) {
      this.beginAnew(lastSample, arrivedAtMs);
      return true;
    }
    // Nothing arrives before it happened: an early arrival proves the line too late.
    if (arrivedAtMs < predictedMs) this.originMs -= predictedMs - arrivedAtMs;
    const delay = arrivedAtMs - lastSample * this.nominalMs;
    if (delay < this.bestDelay) {
      this.bestDelay = delay;
      this.bestSample = lastSample;
    }
    if (sampleCount < this.groupEndSample) return false;
    // Many small holes add up; a whole group this late has not been made up for.
    if (this.bestDelay - (this.timeOf(this.bestSample) - this.bestSample * this.nominalMs) > HOLE_MS) {
      this.beginAnew(lastSample, arrivedAtMs);
      return true;
    }
    this.closeGroup(sampleCount);
    return false;
  }

  /** The counter or the link began anew: the former line says nothing about what comes. The learnt rate is kept. */
  restart(): void {
    this.originMs = Number.NaN;
    this.groups = 0;
    this.bestDelay = Number.POSITIVE_INFINITY;
    this.lastArrivedMs = Number.NaN;
  }

  private beginAnew(lastSample: number, arrivedAtMs: StreamMs): void {
    this.restart();
    this.begin(lastSample, arrivedAtMs);
    this.lastArrivedMs = arrivedAtMs;
  }

  private closeGroup(sampleCount: number): void {
    const slot = this.groups % GROUPS;
    this.groupSample[slot] = this.bestSample;
    this.groupDelay[slot] = this.bestDelay;
    this.groups++;
    this.groupEndSample = sampleCount + GROUP_MS / this.nominalMs;
    this.bestDelay = Number.POSITIVE_INFINITY;
    this.fit();
  }

  /** Least squares through the groups' earliest arrivals, then shifted down until no group lies below the line. */
  private fit(): void {
    const n = Math.min(this.groups, GROUPS);
    let meanSample = 0;
    let meanDelay = 0;
    for (let i = 0; i < n; i++) {
      meanSample += this.groupSample[i]! / n;
      meanDelay += this.groupDelay[i]! / n;
    }
    let covariance = 0;
    let variance = 0;
    for (let i = 0; i < n; i++) {
      const ds = this.groupSample[i]! - meanSample;
      covariance += ds * (this.groupDelay[i]! - meanDelay);
      variance += ds * ds;
    }
    const limit = this.nominalMs * MAX_RATE_ERROR;
    const slope = n >= MIN_GROUPS_FOR_RATE && variance > 0 ? covariance / variance : this.periodMs - this.nominalMs;
    this.periodMs = this.nominalMs + Math.max(-limit, Math.min(limit, slope));
    let origin = Number.POSITIVE_INFINITY;
    for (let i = 0; i < n; i++) {
      origin = Math.min(origin, this.groupDelay[i]! - (this.periodMs - this.nominalMs) * this.groupSample[i]!);
    }
    this.originMs = origin;
  }
}

/** Left to the device's start-up before anything is counted. */
const MEASURE_SKIP_MS = 1000;
/** Samples are counted over spans of this length. */
const MEASURE_SPAN_MS = 2000;
/** Two spans in a row must agree within this share: a hole or a burst of kept-back bytes spoils one of them. */
const MEASURE_AGREEMENT = 0.1;

/** Measures the rate of a device that has no fixed one (an Arduino loop printing as fast as it can). */
export class RateMeter {
  private startMs = Number.NaN;
  private count = 0;
  private fromMs = Number.NaN;
  private lastSpan: { readonly count: number; readonly ms: number } | null = null;

  /** @returns samples per second once known (about 5 s after the first sample), else null */
  arrived(samples: number, arrivedAtMs: StreamMs): number | null {
    // Bytes that are no samples (another baud rate, a boot message) say nothing of a rate.
    if (samples === 0) return null;
    if (Number.isNaN(this.startMs)) this.startMs = arrivedAtMs;
    if (arrivedAtMs - this.startMs < MEASURE_SKIP_MS) return null;
    if (Number.isNaN(this.fromMs)) {
      this.fromMs = arrivedAtMs;
      return null;
    }
    this.count += samples;
    const ms = arrivedAtMs - this.fromMs;
    if (ms < MEASURE_SPAN_MS) return null;
    const last = this.lastSpan;
    const span = { count: this.count, ms };
    this.lastSpan = span;
    this.count = 0;
    this.fromMs = arrivedAtMs;
    if (!last || Math.abs((span.count / span.ms) * (last.ms / last.count) - 1) > MEASURE_AGREEMENT) return null;
    return ((span.count + last.count) * 1000) / (span.ms + last.ms);
  }

  /** The link was opened anew, or what was measured cannot be: counting begins again. */
  restart(): void {
    this.startMs = Number.NaN;
    this.fromMs = Number.NaN;
    this.count = 0;
    this.lastSpan = null;
  }
}

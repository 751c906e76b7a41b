import type { StreamMs } from '../domain/clock.js';
import { MAX_RR_MS, MIN_RR_MS } from './rr.js';

/** As bedside monitors do: a mean over eight beats (Philips and GE average 8 to 12), here robust against one wrong beat. */
const BEATS = 8;
/** Fewer intervals than this are no rate yet. */
const MIN_BEATS = 2;
/** After this long without a beat an old rate would be a lie. */
const GONE_MS = 5000;

/** The heart rate to show: from the last eight intervals without the shortest and the longest; null when there is none. */
export class HeartRate {
  private readonly rr = new Float64Array(BEATS);
  private count = 0;
  private lastBeatMs: StreamMs | null = null;
  private shown: number | null = null;

  /** Beats per minute, not rounded; null before the second interval and 5 s after the last beat. */
  get bpm(): number | null {
    return this.shown;
  }

  beat(beat: { readonly tMs: StreamMs; readonly rrMs: number | null }): void {
    this.tick(beat.tMs);
    this.lastBeatMs = beat.tMs;
    if (beat.rrMs === null || !(beat.rrMs >= MIN_RR_MS && beat.rrMs <= MAX_RR_MS)) return;
    this.rr[this.count++ % BEATS] = beat.rrMs;
    this.shown = this.compute();
  }

  tick(tMs: StreamMs): void {
    if (this.lastBeatMs !== null && tMs - this.lastBeatMs > GONE_MS) this.clear();
  }

  /** Forget everything: contact was lost. */
  clear(): void {
    this.count = 0;
    this.lastBeatMs = null;
    this.shown = null;
  }

  private compute(): number | null {
    const count = Math.min(this.count, BEATS);
    if (count < MIN_BEATS) return null;
    let sum = 0;
    let shortest = Number.POSITIVE_INFINITY;
    let longest = 0;
    for (let at = 0; at < count; at++) {
      const rrMs = this.rr[at]!;
      sum += rrMs;
      shortest = Math.min(shortest, rrMs);
      longest = Math.max(longest, rrMs);
    }
    // With one missed beat or one extra the mean would jump by an eighth or more.
    return count < 5 ? (60_000 * count) / sum : (60_000 * (count - 2)) / (sum - shortest - longest);
  }
}

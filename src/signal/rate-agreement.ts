import type { StreamMs } from '../domain/clock.js';

/** Two rates agree within the greater of these: devices average over 4 to 16 beats, ours over 8. */
const WITHIN_BPM = 10;
const WITHIN_SHARE = 0.15;
/** So long apart before it counts, longer than any device averages; so long together before it is over. */
const APART_MS = 30_000;
const TOGETHER_MS = 10_000;
/** A rate that was not renewed for this long is none. */
const FRESH_MS = 5_000;

/**
 * Whether two ways to the same heart's rate tell the same: a device's own bpm against ours. A lasting disagreement means
 * that one of them counts notches, misses every other beat, or looks at no heart at all, and nobody can say which.
 */
export class RateAgreement {
  /** They have been apart for long and not been together since. */
  disagrees = false;
  private other = Number.NaN;
  private otherAtMs: StreamMs = Number.NEGATIVE_INFINITY;
  private apartSinceMs: StreamMs | null = null;
  private togetherSinceMs: StreamMs | null = null;

  /** The other side's rate; 0 or NaN: it has none. */
  told(bpm: number, tMs: StreamMs): void {
    this.other = bpm > 0 ? bpm : Number.NaN;
    this.otherAtMs = tMs;
  }

  /** Ours at this time, or null; true when `disagrees` changed. Without one of the two rates nothing is decided. */
  compare(bpm: number | null, tMs: StreamMs): boolean {
    if (bpm === null || Number.isNaN(this.other) || tMs - this.otherAtMs > FRESH_MS) {
      this.apartSinceMs = null;
      this.togetherSinceMs = null;
      return false;
    }
    const was = this.disagrees;
    if (Math.abs(bpm - this.other) > Math.max(WITHIN_BPM, WITHIN_SHARE * Math.max(bpm, this.other))) {
      this.togetherSinceMs = null;
      this.apartSinceMs ??= tMs;
      if (tMs - this.apartSinceMs >= APART_MS) this.disagrees = true;
    } else {
      this.apartSinceMs = null;
      this.togetherSinceMs ??= tMs;
      if (tMs - this.togetherSinceMs >= TOGETHER_MS) this.disagrees = false;
    }
    return was !== this.disagrees;
  }

  clear(): void {
    this.disagrees = false;
    this.other = Number.NaN;
    this.apartSinceMs = null;
    this.togetherSinceMs = null;
  }
}

import type { StreamMs } from '../domain/clock.js';
import type { BeatHistory } from './beats.js';

/** A beat shows a heart where its outline correlates with one of those before it above this, as in `waveform.ts` and for ectopic beats. */
const REPEAT = 0.9;
/** What was seen so long ago is forgotten: longer than a fibrillation lasts, in which no beat repeats another. */
const FORGOTTEN_MS = 300_000;

/** Whether the newest beat shows a heart: it repeats one before it. True where no waveform is looked at. */
export function showsHeart(beats: BeatHistory): boolean {
  return Number.isNaN(beats.leak(0)) || beats.bestAlike(0) > REPEAT;
}

/** Counts beats, as long as no hole between two of them is so long that they are forgotten. */
export class RecentBeats {
  private beats = 0;
  private lastMs: StreamMs = Number.NEGATIVE_INFINITY;

  add(tMs: StreamMs): void {
    this.beats = this.count(tMs) + 1;
    this.lastMs = tMs;
  }

  count(nowMs: StreamMs): number {
    return nowMs - this.lastMs <= FORGOTTEN_MS ? this.beats : 0;
  }
}

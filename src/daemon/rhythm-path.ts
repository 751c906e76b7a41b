import type { Beat } from '../domain/beat.js';
import type { Rhythm } from '../domain/rhythm.js';
import { RrIrregularity } from '../signal/irregularity.js';
import { RrCleaner } from '../signal/rr.js';

/** Beats in, rhythm out: cleaned RR intervals judged for irregularity, a new word every `EVERY_BEATS`. */
const EVERY_BEATS = 5;

export class RhythmPath {
  private readonly cleaner = new RrCleaner();
  private readonly irregularity = new RrIrregularity();
  private sinceLast = 0;
  current: Rhythm | null = null;

  constructor(private readonly onRhythm: (rhythm: Rhythm) => void) {}

  beat(beat: Beat, goodSignal: boolean): void {
    if (beat.rrMs === null) return;
    const cleaned = this.cleaner.push(beat.rrMs);
    // Intervals out of bad signal are as irregular as AF and mean nothing.
    if (!goodSignal || !cleaned.usable) return;
    const rhythm = this.irregularity.push(cleaned.rrMs, beat.tMs);
    if (!rhythm || ++this.sinceLast < EVERY_BEATS) return;
    this.sinceLast = 0;
    this.current = rhythm;
    this.onRhythm(rhythm);
  }

  gap(): void {
    this.cleaner.gap();
  }
}

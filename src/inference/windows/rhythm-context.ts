import { RHYTHM_BEATS, RHYTHM_FEATURES, RhythmFeatures } from './rhythm-rr-features.js';

/** Intervals outside these are no rhythm's, s. */
const SHORTEST_S = 0.2;
const LONGEST_S = 3;
/** The features are renewed this often: they are of 60 intervals and change slowly, and they cost as much as all others. */
const EVERY_BEATS = 5;

/**
 * What the rhythm model asks of the last 60 intervals, for the beat model: whether an early beat means anything in this
 * rhythm. Until 60 have come those that there are stand in, to and fro.
 */
export class RhythmContext {
  readonly features = new Float32Array(RHYTHM_FEATURES.length);
  private readonly ring = new Float64Array(RHYTHM_BEATS);
  private readonly ordered = new Float64Array(RHYTHM_BEATS);
  private readonly writer = new RhythmFeatures();
  private pushed = 0;

  push(rrMs: number): void {
    this.ring[this.pushed % RHYTHM_BEATS] = Math.min(LONGEST_S, Math.max(SHORTEST_S, rrMs / 1000));
    this.pushed++;
    if (this.pushed % EVERY_BEATS !== 0) return;
    const { ordered, ring, pushed } = this;
    if (pushed >= RHYTHM_BEATS) {
      for (let i = 0; i < RHYTHM_BEATS; i++) ordered[i] = ring[(pushed + i) % RHYTHM_BEATS]!;
    } else {
      for (let i = 0; i < RHYTHM_BEATS; i++) {
        const at = i % (2 * pushed);
        ordered[i] = ring[at < pushed ? at : 2 * pushed - 1 - at]!;
      }
    }
    this.writer.write(ordered, this.features);
  }
}

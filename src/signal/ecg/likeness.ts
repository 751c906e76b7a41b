import { SHAPES_COMPARED } from '../../domain/beat.js';

/** The outline of a beat: this far on both sides of it, and so far it may be shifted against another one. */
const HALF_MS = 150;
const SHIFT_MS = 50;
/** The signal holds nothing above 20 Hz here, so an outline needs no more points than this. */
const POINT_MS = 8;
const HALF = Math.round(HALF_MS / POINT_MS);
const SHIFTS = Math.round(SHIFT_MS / POINT_MS);
const LENGTH = 2 * (HALF + SHIFTS) + 1;

/**
 * Tells how far each beat's outline repeats those before it. A heart's beats of one origin repeat themselves; what
 * noise makes of a detector's threshold does not. Allocates one short array a beat.
 */
export class Likeness {
  private readonly outlines = Array.from({ length: SHAPES_COMPARED + 1 }, () => new Float64Array(LENGTH));
  private turn = 0;
  private known = 0;
  private readonly pointSamples: number;

  constructor(rateHz: number) {
    this.pointSamples = (rateHz * POINT_MS) / 1000;
  }

  /**
   * Takes a beat. `valueAt(offset)` gives the waveform `offset` samples after it (before it where negative).
   * @returns correlations (-1 to 1) with the beats before it, the last one first; at most `SHAPES_COMPARED`
   */
  take(valueAt: (offset: number) => number): number[] {
    const own = this.outlines[this.turn]!;
    for (let i = 0; i < LENGTH; i++) own[i] = valueAt(Math.round((i - HALF - SHIFTS) * this.pointSamples));
    const alike: number[] = [];
    for (let back = 1; back <= this.known; back++) {
      alike.push(
        bestCorrelation(own, this.outlines[(this.turn + this.outlines.length - back) % this.outlines.length]!),
      );
    }
    this.turn = (this.turn + 1) % this.outlines.length;
    this.known = Math.min(this.known + 1, SHAPES_COMPARED);
    return alike;
  }

  /** What comes is not to be compared with what was. */
  forget(): void {
    this.known = 0;
  }
}

/** Of the middle of `own` with `other`, at the shift that suits best. */
function bestCorrelation(own: Float64Array, other: Float64Array): number {
  let best = -1;
  for (let shift = -SHIFTS; shift <= SHIFTS; shift++) best = Math.max(best, correlationAt(own, other, shift));
  return best;
}

function correlationAt(own: Float64Array, other: Float64Array, shift: number): number {
  const n = 2 * HALF + 1;
  let x = 0;
  let y = 0;
  let xx = 0;
  let yy = 0;
  let xy = 0;
  for (let i = SHIFTS; i < SHIFTS + n; i++) {
    const a = own[i]!;
    const b = other[i + shift]!;
    x += a;
    y += b;
    xx += a * a;
    yy += b * b;
    xy += a * b;
  }
  const spread = (xx - (x * x) / n) * (yy - (y * y) / n);
  return spread > 0 ? (xy - (x * y) / n) / Math.sqrt(spread) : 0;
}

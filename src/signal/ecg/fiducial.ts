import { type FrontEnd, HISTORY } from './front-end.js';

const MASK = HISTORY - 1;

/** The R peak lies within this many samples (86 ms) of the candidate. */
const REACH = 11;
/** The baseline is a line between the means of 8 samples 28..21 before and 21..28 after. */
const BASE_NEAR = 21;
const BASE_FAR = 28;
/** A positive lobe is the R peak unless the negative one outdoes it this much (height times sharpness, as a root). */
const POSITIVE_FROM = 0.25;

/** Picks the R peak around candidate `c`: the index in detector samples, and whether it points up. */
export class Fiducial {
  at = 0;
  up = true;

  /** Needs `c + 28 <= front.n`. Never earlier than `earliest`. */
  find(front: FrontEnd, c: number, earliest: number): void {
    const z = front.z;
    let left = 0;
    let right = 0;
    for (let i = BASE_NEAR; i <= BASE_FAR; i++) {
      left += z[(c - i) & MASK]!;
      right += z[(c + i) & MASK]!;
    }
    const width = BASE_FAR - BASE_NEAR + 1;
    const base = (left + right) / (2 * width);
    const slope = (right - left) / (width * (BASE_NEAR + BASE_FAR));
    const from = Math.max(c - REACH, Math.min(earliest, c));
    let highest = from;
    let lowest = from;
    let high = -Infinity;
    let low = Infinity;
    for (let k = from; k <= c + REACH; k++) {
      const v = z[k & MASK]! - base - slope * (k - c);
      if (v > high) {
        high = v;
        highest = k;
      }
      if (v < low) {
        low = v;
        lowest = k;
      }
    }
    const up = Math.max(0, high) * Math.max(0, sharpness(z, highest));
    const down = Math.max(0, -low) * Math.max(0, -sharpness(z, lowest));
    this.up = up > POSITIVE_FROM * POSITIVE_FROM * down || (up === 0 && down === 0);
    this.at = this.up ? highest : lowest;
  }
}

/** Second difference over 47 ms: positive on top of an upward lobe. */
function sharpness(z: Float64Array, k: number): number {
  return 2 * z[k & MASK]! - z[(k - 6) & MASK]! - z[(k + 6) & MASK]!;
}

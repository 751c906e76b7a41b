import { type FrontEnd, HISTORY } from './front-end.js';

const MASK = HISTORY - 1;

/** The R peak lies within this many samples (86 ms) of the candidate. */
const REACH = 11;
/** The baseline is a line between the means of 8 samples 28..21 before and 21..28 after. */
const BASE_NEAR = 21;
const BASE_FAR = 28;
/**
 * The upward lobe is the R peak if it has more than this share of the downward one's height times sharpness: where
 * MITDB's and SVDB's annotators put their marks.
 */
const POSITIVE_FROM = 1 / 16;
/** A vote counts this much less with every later one: about 20 beats are remembered. */
const FADE = 0.95;
/** Votes are kept for peaks up to this many samples from the outline's place. */
const SPREAD = 24;
/** From so much vote on (the third beat) the votes decide. */
const ENOUGH = 2.5;
/** A peak moves at most this far from the place voted for. */
const PLAY = 2;

/** Picks the R peak around candidate `c`: the index in detector samples, and whether it points up. */
export class Fiducial {
  at = 0;
  up = true;
  private readonly upVotes = new Float64Array(2 * SPREAD + 1);
  private readonly downVotes = new Float64Array(2 * SPREAD + 1);
  private vote = 0;
  private weight = 1;

  /**
   * Needs `c + 28 <= front.n`.
   * @param earliest the peak is not sought before this index
   * @param place where the beat's outline lies, if it is the usual one; else -1. Beats of the usual outline have their peak at
   *   the same place of it, by majority, so that noise does not throw it from one lobe to another.
   */
  find(front: FrontEnd, c: number, earliest: number, place: number): void {
    this.choose(front, c, earliest);
    const offset = this.at - place;
    if (place < 0 || offset < -SPREAD || offset > SPREAD) return;
    this.castVote(offset);
    if (this.vote >= ENOUGH) this.follow(front, place, earliest);
  }

  /** Outlines are counted from another place now. */
  forgetVotes(): void {
    this.upVotes.fill(0);
    this.downVotes.fill(0);
    this.vote = 0;
  }

  private castVote(offset: number): void {
    // Instead of letting all others fade, each new vote weighs more, until it is time to bring the scale back.
    this.weight /= FADE;
    if (this.weight > 1e6) this.rescale();
    const votes = this.up ? this.upVotes : this.downVotes;
    votes[offset + SPREAD] = votes[offset + SPREAD]! + this.weight;
    this.vote = this.vote * FADE + 1;
  }

  private rescale(): void {
    for (let i = 0; i <= 2 * SPREAD; i++) {
      this.upVotes[i] = this.upVotes[i]! / this.weight;
      this.downVotes[i] = this.downVotes[i]! / this.weight;
    }
    this.weight = 1;
  }

  /** The extremum near the place with most votes. */
  private follow(front: FrontEnd, place: number, earliest: number): void {
    let most = 0;
    let at = 0;
    let up = true;
    for (let i = 0; i <= 2 * SPREAD; i++) {
      const ups = around(this.upVotes, i);
      const downs = around(this.downVotes, i);
      if (ups > most || downs > most) {
        up = ups >= downs;
        most = up ? ups : downs;
        at = place + i - SPREAD;
      }
    }
    const sign = up ? 1 : -1;
    let top = Number.NEGATIVE_INFINITY;
    for (let k = Math.max(at - PLAY, earliest); k <= at + PLAY; k++) {
      const v = sign * front.z[k & MASK]!;
      if (v > top) {
        top = v;
        this.at = k;
        this.up = up;
      }
    }
  }

  /** The peak by this beat alone. */
  private choose(front: FrontEnd, c: number, earliest: number): void {
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
    this.up = up > POSITIVE_FROM * down || (up === 0 && down === 0);
    this.at = this.up ? highest : lowest;
  }
}

function around(votes: Float64Array, i: number): number {
  return votes[i]! + 0.7 * ((votes[i - 1] ?? 0) + (votes[i + 1] ?? 0));
}

/** Second difference over 47 ms: positive on top of an upward lobe. */
function sharpness(z: Float64Array, k: number): number {
  return 2 * z[k & MASK]! - z[(k - 6) & MASK]! - z[(k + 6) & MASK]!;
}

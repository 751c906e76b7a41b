import { steps } from './shape.js';
import type { BeatState } from './state.js';

const KEPT = 12;
/** No beat within this time after another (188 ms) is found by looking back. */
const CLOSEST = 24;
/** The histories reach this far back, with room for what is read around a candidate. */
const OLDEST = 840;

/**
 * Remembers rejected candidates. When a beat is overdue (1.5 running RR intervals and 156 ms, after Pan and Tompkins 1985) the
 * likeliest of them is taken after all.
 */
export class SearchBack {
  private readonly at = new Float64Array(KEPT);
  private readonly probability = new Float64Array(KEPT);
  private readonly energy = new Float64Array(KEPT);
  private count = 0;
  /** Probability of the candidate `find` returned. */
  found = 0;

  forget(): void {
    this.count = 0;
  }

  remember(c: number, probability: number, energy: number): void {
    if (this.count === KEPT) {
      this.at.copyWithin(0, 1);
      this.probability.copyWithin(0, 1);
      this.energy.copyWithin(0, 1);
      this.count--;
    }
    this.at[this.count] = c;
    this.probability[this.count] = probability;
    this.energy[this.count] = energy;
    this.count++;
  }

  /** Forgets what lies before or at a beat just accepted at `c`. */
  passed(c: number): void {
    let kept = 0;
    for (let i = 0; i < this.count; i++) {
      if (this.at[i]! <= c) continue;
      this.at[kept] = this.at[i]!;
      this.probability[kept] = this.probability[i]!;
      this.energy[kept] = this.energy[i]!;
      kept++;
    }
    this.count = kept;
  }

  /**
   * The rejected candidate to accept after all, or -1.
   * @param now index up to which candidates have been judged
   */
  find(state: BeatState, now: number): number {
    const since = now - state.lastBeat;
    if (this.count === 0 || since <= 1.5 * state.rr + 20) return -1;
    let best = -1;
    let top = 0.15;
    for (let i = 0; i < this.count; i++) {
      const c = this.at[i]!;
      if (c - state.lastBeat <= CLOSEST || now - c > OLDEST) continue;
      if (this.probability[i]! <= top) continue;
      if (this.energy[i]! <= state.energyAtBeat - 1.6 && since < steps(4)) continue;
      top = this.probability[i]!;
      best = c;
    }
    this.found = top;
    return best;
  }
}

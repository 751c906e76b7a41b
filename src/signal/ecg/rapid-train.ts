import { type Measurement, steps } from './shape.js';
import type { BeatState } from './state.js';

// Ventricular tachycardia: a train of broad, evenly spaced waves of about one size. The recordings with beat marks hold hardly any of it,
// so the network takes most of its waves for T waves and noise, just when a beat must not be missed. What makes a train is
// stated here instead, by its nature (rate, evenness, size). The limits were set on the VT episodes of vfdb, which has no beat
// marks, by the rate found against the rate of the waves; on mitdb and svdb they cost nothing (`npm run bench:beats`).

/** Cycle of a tachycardia that counts: 130 to 300 a minute. */
const SHORTEST = steps(0.2);
const LONGEST = steps(0.46);
/** Intervals of a train may differ from one to the next by this share. */
const EVEN = 0.35;
/** Waves of a train are of about one energy (ln); their outline may turn (torsades). */
const SAME_ENERGY = 1.2;
/** So many waves make a train: with fewer, flutter waves and T waves between two beats would. */
const WAVES = 6;
/** A train is about as large as the beats before it (ln), in the fast or in the slow band. */
const LEAST_ENERGY = 1.5;
/** Its waves have no stronger neighbour: T waves follow theirs. */
const NO_RIVAL = 0.5;
const KEPT = 16;

/** Finds trains of rapid beats among candidates, accepted or not. */
export class RapidTrain {
  private readonly at = new Float64Array(KEPT);
  private readonly energy = new Float64Array(KEPT);
  /** Interval to the wave before it in its train, how many waves there are up to it, and which slot that one has. */
  private readonly interval = new Float64Array(KEPT);
  private readonly length = new Int32Array(KEPT);
  private readonly before = new Int32Array(KEPT);
  private count = 0;
  /** Candidates of the train that `hear` found, oldest first; `size` of them. */
  readonly waves = new Float64Array(KEPT);
  size = 0;

  forget(): void {
    this.count = 0;
    this.size = 0;
  }

  /**
   * Takes candidate `c`, which `m` holds.
   * @returns whether it is at least the sixth wave of a train; those not yet accepted are then in `waves`, `c` the last
   */
  hear(state: BeatState, c: number, m: Measurement): boolean {
    const slot = this.count % KEPT;
    this.at[slot] = c;
    this.energy[slot] = m.eA;
    this.interval[slot] = 0;
    this.length[slot] = 1;
    this.before[slot] = -1;
    const oldest = Math.max(0, this.count - KEPT + 1);
    for (let k = this.count - 1; k >= oldest; k--) {
      const other = k % KEPT;
      const interval = c - this.at[other]!;
      if (interval > LONGEST) break;
      // A beat accepted in between belongs to another rhythm than these waves.
      if (interval < SHORTEST || this.at[other]! < state.lastBeat) continue;
      if (Math.abs(m.eA - this.energy[other]!) > SAME_ENERGY) continue;
      const even = Math.abs(interval - this.interval[other]!) <= EVEN * interval;
      const length = even ? this.length[other]! + 1 : 2;
      if (length <= this.length[slot]!) continue;
      this.length[slot] = length;
      this.interval[slot] = interval;
      this.before[slot] = k;
    }
    this.count++;
    if (this.length[slot]! < WAVES) return false;
    if (m.beforeEnergy > NO_RIVAL || m.afterEnergy > NO_RIVAL) return false;
    if (m.eA < state.energy - LEAST_ENERGY && m.eB < state.slow - LEAST_ENERGY) return false;
    this.collect(state, this.count - 1);
    return true;
  }

  /** Waves of the train that ends at candidate number `k`, as far as they are kept and come after the last beat. */
  private collect(state: BeatState, k: number): void {
    let size = 0;
    for (let at = k; at >= 0 && this.count - at <= KEPT; at = this.before[at % KEPT]!) {
      if (this.at[at % KEPT]! <= state.lastBeat) break;
      this.waves[size++] = this.at[at % KEPT]!;
    }
    this.size = size;
    this.waves.subarray(0, size).reverse();
  }
}

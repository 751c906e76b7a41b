import { type FrontEnd, HISTORY } from './front-end.js';
import { logOf } from './shape.js';

const MASK = HISTORY - 1;

/** Stretches of 62 ms, for 1 s after a beat. */
const STRETCH = 8;
const STRETCHES = 16;
/** The QRS itself and the approach of the next one are left out. */
const CLEAR_OF_BEAT = 20;
const STEP = 0.15;
/** What is assumed until it has been seen: well below a beat. */
const UNSEEN = -1.5;

/**
 * What usually follows this heart's beats: the running mean of the greatest energy (ln, against the beats' level) in each
 * 62 ms after a beat. A T wave is expected where it always comes; an early beat is not.
 */
export class Aftermath {
  private readonly course = new Float64Array(STRETCHES).fill(UNSEEN);

  /** Learns from what lies between a beat and the next. `level` is the beats' energy level (ln). */
  learn(front: FrontEnd, beat: number, next: number, level: number): void {
    // After a very long pause the beat is no longer in the history.
    if (front.n - beat >= HISTORY) return;
    const energy = front.energy;
    for (let s = 2; s < STRETCHES; s++) {
      const from = beat + s * STRETCH;
      if (from + STRETCH > next - CLEAR_OF_BEAT) break;
      let top = 0;
      for (let k = from; k < from + STRETCH; k++) if (energy[k & MASK]! > top) top = energy[k & MASK]!;
      const here = Math.max(-4, logOf(top) - level);
      this.course[s] = this.course[s]! + STEP * (here - this.course[s]!);
    }
  }

  /** What is usual `since` samples after a beat, the neighbouring stretches included. */
  usual(since: number): number {
    const s = Math.floor(since / STRETCH);
    if (s >= STRETCHES || s < 0) return UNSEEN;
    const before = s > 0 ? this.course[s - 1]! : UNSEEN;
    const after = s + 1 < STRETCHES ? this.course[s + 1]! : UNSEEN;
    return Math.max(before, this.course[s]!, after);
  }

  /** The same, of that stretch alone. */
  usualJustThen(since: number): number {
    const s = Math.floor(since / STRETCH);
    return s < STRETCHES && s >= 0 ? this.course[s]! : UNSEEN;
  }
}

import { randomFrom } from '../random.js';
import type { Resumable } from './checkpoint.js';

/** A small seeded generator, so that a training is the same each time on the same backend. */
export class Random implements Resumable {
  /** Uniform in [0, 1). */
  readonly uniform: () => number;
  private readonly state: { at: number };
  private spareNormal = Number.NaN;

  constructor(seed: number) {
    this.state = { at: seed >>> 0 };
    this.uniform = randomFrom(this.state);
  }

  save(): unknown {
    return [this.state.at, Number.isNaN(this.spareNormal) ? null : this.spareNormal];
  }

  restore(saved: unknown): void {
    const [at, spare] = saved as [number, number | null];
    this.state.at = at;
    this.spareNormal = spare ?? Number.NaN;
  }

  /** Uniform integer in [0, n). */
  below(n: number): number {
    return Math.floor(this.uniform() * n);
  }

  /** Standard normal (Marsaglia's polar method). */
  normal(): number {
    if (!Number.isNaN(this.spareNormal)) {
      const spare = this.spareNormal;
      this.spareNormal = Number.NaN;
      return spare;
    }
    for (;;) {
      const u = 2 * this.uniform() - 1;
      const v = 2 * this.uniform() - 1;
      const s = u * u + v * v;
      if (s >= 1 || s === 0) continue;
      const scale = Math.sqrt((-2 * Math.log(s)) / s);
      this.spareNormal = v * scale;
      return u * scale;
    }
  }

  /** Shuffles in place. */
  shuffle<T>(items: T[]): T[] {
    for (let i = items.length - 1; i > 0; i--) {
      const k = this.below(i + 1);
      [items[i], items[k]] = [items[k]!, items[i]!];
    }
    return items;
  }
}

import type { BeatOrigin } from './beat.js';
import { Body } from './body.js';
import type { Random } from './random.js';

/** Where the next beat falls and what it is. */
export interface NextBeat {
  rrMs: number;
  class: 'N' | 'S' | 'V';
  origin: BeatOrigin;
}

/** A rhythm: asked after each beat for the next. */
export interface RhythmProcess {
  next(previousMs: number): NextBeat;
}

/** Heart rate over time, bpm. */
export type RateCourse = (tMs: number) => number;

/** From one rate to another in a smooth ramp, then steady. */
export function ramp(fromBpm: number, toBpm: number, startMs: number, rampMs: number): RateCourse {
  return (tMs) => {
    if (rampMs <= 0 || tMs >= startMs + rampMs) return toBpm;
    const x = Math.max(0, (tMs - startMs) / rampMs);
    return fromBpm + (toBpm - fromBpm) * x * x * (3 - 2 * x);
  };
}

/** The sinus node: its rate course, breathed and slowly modulated upon. */
export class SinusRhythm implements RhythmProcess {
  constructor(
    private readonly course: RateCourse,
    private readonly body: Body,
  ) {}

  rrAt(tMs: number): number {
    const meanMs = 60_000 / this.course(tMs);
    const rr = meanMs + Body.deviationMs(meanMs) * this.body.variability(tMs);
    return Math.max(0.6 * meanMs, rr);
  }

  next(previousMs: number): NextBeat {
    return { rrMs: this.rrAt(previousMs), class: 'N', origin: 'sinus' };
  }
}

/**
 * Sinus rhythm with early beats. A ventricular one leaves the sinus node undisturbed, so the beat after it comes when
 * it was due anyway (full compensatory pause); an atrial one resets the node (pause hardly longer than a cycle).
 */
export class EctopicRhythm implements RhythmProcess {
  private earlyMs = 0;
  private sinceEarly = 0;

  /** `chance` is asked at each sinus beat with the sinus beats since the last early one. */
  constructor(
    private readonly sinus: SinusRhythm,
    private readonly kind: 'V' | 'S',
    private readonly chance: (sinusBeatsSince: number, rrMs: number) => boolean,
    private readonly random: Random,
  ) {}

  next(previousMs: number): NextBeat {
    const rrMs = this.sinus.rrAt(previousMs);
    if (this.earlyMs > 0) {
      const pause = this.kind === 'V' ? Math.max(rrMs, 2 * rrMs - this.earlyMs) : 1.08 * rrMs;
      this.earlyMs = 0;
      this.sinceEarly = 1;
      return { rrMs: pause, class: 'N', origin: 'sinus' };
    }
    if (this.sinceEarly > 0 && this.chance(this.sinceEarly, rrMs)) {
      // Coupling interval: fixed in one person to some percent (Lown; uniform focus).
      this.earlyMs = rrMs * (this.kind === 'V' ? 0.58 : 0.66) * (1 + 0.03 * this.random.normal());
      return this.kind === 'V'
        ? { rrMs: this.earlyMs, class: 'V', origin: 'ventricular' }
        : { rrMs: this.earlyMs, class: 'S', origin: 'atrial' };
    }
    this.sinceEarly += 1;
    return { rrMs, class: 'N', origin: 'sinus' };
  }
}

/**
 * Conducted beats of atrial fibrillation: irregularly irregular. Successive intervals are nearly independent; they have
 * a floor (the AV node's refractory time) and a tail to the right, here a shifted log-normal with a coefficient of
 * variation of 0.22 about the mean (0.15 to 0.30 in recordings; Bootsma 1970, Tateno and Glass 2001).
 */
export class FibrillatingAtria implements RhythmProcess {
  private readonly floorMs: number;
  private readonly mu: number;
  private readonly sigma: number;

  constructor(
    bpm: number,
    private readonly random: Random,
  ) {
    const meanMs = 60_000 / bpm;
    this.floorMs = Math.min(0.75 * meanMs, Math.max(240, 0.5 * meanMs));
    const excess = meanMs - this.floorMs;
    const cv = (0.22 * meanMs) / excess;
    this.sigma = Math.sqrt(Math.log(1 + cv * cv));
    this.mu = Math.log(excess) - (this.sigma * this.sigma) / 2;
  }

  next(): NextBeat {
    const rrMs = this.floorMs + Math.exp(this.mu + this.sigma * this.random.normal());
    return { rrMs, class: 'N', origin: 'fibrillating-atria' };
  }
}

/** A ventricular run of one focus: starts early, then nearly regular (monomorphic VT jitters by about 10 ms). */
export class VentricularRun implements RhythmProcess {
  constructor(
    private readonly bpm: number,
    private readonly random: Random,
  ) {}

  next(): NextBeat {
    const rrMs = 60_000 / this.bpm + 8 * this.random.normal();
    return { rrMs, class: 'V', origin: 'ventricular' };
  }
}

import type { Episode } from '../scenario.js';
import type { HeartBeat } from './beat.js';
import type { Body } from './body.js';
import type { Random } from './random.js';
import {
  EctopicRhythm,
  FibrillatingAtria,
  type RateCourse,
  type RhythmProcess,
  ramp,
  SinusRhythm,
  VentricularRun,
} from './rhythms.js';

/** An episode as it really ran: it begins with the last beat of the one before it, so its times are not round. */
export interface Segment {
  readonly index: number;
  readonly episode: Episode;
  readonly startMs: number;
  /** Infinity for a last episode that is held. */
  readonly endMs: number;
  /** Sinus rate over time; null in every other rhythm. */
  readonly course: RateCourse | null;
}

export type AtEnd = 'hold' | 'repeat' | 'stop';

/** How long after the last beat a fibrillating ventricle starts: on the T wave, where it is vulnerable. */
const R_ON_T_MS = 280;

/**
 * Walks a scenario and yields its beats in order, for ever or to the scenario's end. A new rhythm takes over right
 * after a beat of the old one; a pause or asystole is one RR interval of exactly the episode's length, ended by an
 * escape beat; ventricular fibrillation has no beats at all.
 */
export class BeatTrain {
  private segment: Segment;
  private process: RhythmProcess | null;
  private lastBeatMs: number;
  private firstBeat = true;
  private escapeDue = false;
  private pacedRrMs = 850;
  private ended = false;
  /** Where a scenario that stops has its end; Infinity until that is known. */
  endsAtMs = Number.POSITIVE_INFINITY;

  constructor(
    private readonly episodes: readonly Episode[],
    private readonly atEnd: AtEnd,
    private readonly body: Body,
    private readonly random: Random,
    private readonly onSegment: (segment: Segment) => void,
  ) {
    this.lastBeatMs = 0;
    this.segment = this.enter(0, 0, null);
    this.process = this.processFor(this.segment);
    // Start somewhere inside the first cycle, not with a beat at time zero.
    this.lastBeatMs = this.process === null ? 0 : -this.process.next(0).rrMs * this.random.between(0.2, 0.6);
    onSegment(this.segment);
  }

  /** The next beat; null when none is known to fall before `untilMs` (fibrillation, silence, the end). */
  next(untilMs: number): HeartBeat | null {
    while (!this.ended) {
      if (this.escapeDue) {
        this.escapeDue = false;
        const from = this.lastBeatMs;
        return this.beat(this.segment.startMs - from, 'N', 'sinus');
      }
      if (this.process !== null) {
        const candidate = this.process.next(this.lastBeatMs);
        if (this.lastBeatMs + candidate.rrMs < this.segment.endMs) {
          return this.beat(candidate.rrMs, candidate.class, candidate.origin);
        }
      } else if (this.segment.endMs > untilMs) {
        return null;
      }
      this.advance();
    }
    return null;
  }

  private advance(): void {
    const old = this.segment;
    const silent = old.episode.rhythm === 'pause' || old.episode.rhythm === 'asystole';
    const nextIndex = old.index + 1;
    const last = nextIndex >= this.episodes.length;
    if (last && this.atEnd === 'stop') {
      this.ended = true;
      this.endsAtMs = old.endMs;
      return;
    }
    const index = last ? 0 : nextIndex;
    const episode = this.episodes[index]!;
    let startMs = this.process === null ? old.endMs : Math.max(old.startMs, this.lastBeatMs);
    if (episode.rhythm === 'ventricular-fibrillation' && this.process !== null) startMs += R_ON_T_MS;
    this.escapeDue = silent && episode.rhythm !== 'ventricular-fibrillation';
    if (this.process === null && !this.escapeDue) {
      // There is no beat to count from: the first one that comes ends no RR interval.
      this.lastBeatMs = startMs;
      this.firstBeat = true;
    }
    this.segment = this.enter(index, startMs, old);
    this.process = this.processFor(this.segment);
    this.onSegment(this.segment);
  }

  private enter(index: number, startMs: number, before: Segment | null): Segment {
    const episode = this.episodes[index]!;
    const held = this.atEnd === 'hold' && index === this.episodes.length - 1;
    let course: RateCourse | null = null;
    if (isSinusDriven(episode)) {
      const from = before?.course?.(startMs) ?? episode.bpm;
      course = ramp(from, episode.bpm, startMs, episode.rampSeconds * 1000);
    }
    const endMs = held ? Number.POSITIVE_INFINITY : startMs + episode.seconds * 1000;
    return { index, episode, startMs, endMs, course };
  }

  private processFor({ episode, course }: Segment): RhythmProcess | null {
    const random = this.random;
    switch (episode.rhythm) {
      case 'sinus':
      case 'sinus-tachycardia':
      case 'sinus-bradycardia':
        return new SinusRhythm(course!, this.body);
      case 'pvc':
      case 'pac': {
        const perMs = episode.perMinute / 60_000;
        // At least three sinus beats between: isolated, not coupled.
        const chance = (since: number, rrMs: number): boolean =>
          since >= 3 && random.next() < Math.min(1, perMs * rrMs * 1.6);
        return new EctopicRhythm(
          new SinusRhythm(course!, this.body),
          episode.rhythm === 'pvc' ? 'V' : 'S',
          chance,
          random,
        );
      }
      case 'bigeminy':
        return new EctopicRhythm(new SinusRhythm(course!, this.body), 'V', () => true, random);
      case 'atrial-fibrillation':
        return new FibrillatingAtria(episode.bpm, random);
      case 'ventricular-tachycardia':
        return new VentricularRun(episode.bpm, random);
      case 'ventricular-fibrillation':
      case 'pause':
      case 'asystole':
        return null;
    }
  }

  private beat(rrMs: number, beatClass: HeartBeat['class'], origin: HeartBeat['origin']): HeartBeat {
    const tMs = this.lastBeatMs + rrMs;
    this.lastBeatMs = tMs;
    // QT follows the rate over some beats (Franz 1988); a pause must not stretch it at once.
    this.pacedRrMs += 0.25 * (Math.min(1500, rrMs) - this.pacedRrMs);
    // Filling of the ventricle: nearly complete 400 ms after the valve opens, little after 250 ms.
    const filling = Math.min(1, Math.max(0, 1 - Math.exp(-(rrMs - 220) / 180)));
    const contraction = beatClass === 'V' ? 0.6 : 1;
    const first = this.firstBeat;
    this.firstBeat = false;
    return {
      tMs,
      rrMs: first ? null : rrMs,
      class: beatClass,
      origin,
      fibrillating: origin === 'fibrillating-atria',
      pulse: Math.min(1.15, filling * contraction * 1.05),
      gain: 1 + 0.02 * this.random.normal(),
      pacedRrMs: this.pacedRrMs,
    };
  }
}

function isSinusDriven(episode: Episode): boolean {
  switch (episode.rhythm) {
    case 'sinus':
    case 'sinus-tachycardia':
    case 'sinus-bradycardia':
    case 'pvc':
    case 'pac':
    case 'bigeminy':
      return true;
    default:
      return false;
  }
}

import type { AlertKind } from '../domain/alert.js';
import type { Segment } from './heart/train.js';

/** Something that truly happened in the synthetic heart. */
export interface Truth {
  /** Simulated time, ms from the start. */
  readonly tMs: number;
  /** `episode`: a new stretch of the scenario; `begin`/`end`: of the condition `kind`, which an alert should name. */
  readonly event: 'episode' | 'begin' | 'end';
  readonly kind: AlertKind | null;
  /** Index into the scenario's episodes. */
  readonly episode: number;
  readonly label: string;
}

/** A condition that ought to be noticed, and when it begins. */
export interface Condition {
  readonly kind: AlertKind;
  readonly fromMs: number;
}

/** A rate has to last this long to count as tachycardia or bradycardia. */
const SUSTAINED_S = 15;

/**
 * The conditions a segment holds, by the contract's thresholds (PhysioNet/CinC 2015 for the extreme rates, asystole and
 * ventricular tachycardia; 150, 45 bpm and 3 s for the adjustable ones). Rates are the rhythm's mean.
 */
export function conditionsOf({ episode, startMs, endMs, course }: Segment): Condition[] {
  if (!episode.contact) return [{ kind: 'contact-off', fromMs: startMs }];
  const found: Condition[] = [];
  const add = (kind: AlertKind, fromMs = startMs): void => {
    found.push({ kind, fromMs });
  };
  const { bpm } = episode;
  // A last episode that is held has no end.
  const seconds = Math.max(episode.seconds, (endMs - startMs) / 1000);
  if (bpm > 0 && seconds * bpm >= 17 * 60) {
    if (bpm > 150 && seconds >= SUSTAINED_S)
      add(
        'tachycardia',
        crossing(startMs, episode.rampSeconds, course, (rate) => rate > 150),
      );
    if (bpm > 140)
      add(
        'extreme-tachycardia',
        crossing(startMs, episode.rampSeconds, course, (rate) => rate > 140),
      );
  }
  if (bpm > 0 && seconds * bpm >= 5 * 60) {
    if (bpm < 45)
      add(
        'bradycardia',
        crossing(startMs, episode.rampSeconds, course, (rate) => rate < 45),
      );
    if (bpm < 40)
      add(
        'extreme-bradycardia',
        crossing(startMs, episode.rampSeconds, course, (rate) => rate < 40),
      );
  }
  switch (episode.rhythm) {
    case 'atrial-fibrillation':
      add('atrial-fibrillation');
      break;
    case 'bigeminy':
      add('frequent-ectopy');
      break;
    case 'ventricular-tachycardia':
      // From its first wide beat, one interval after the last normal one.
      if (bpm > 100 && seconds * bpm >= 5 * 60) add('ventricular-tachycardia', startMs + 60_000 / bpm);
      break;
    case 'ventricular-fibrillation':
      if (seconds >= 4) add('ventricular-fibrillation');
      break;
    case 'pause':
    case 'asystole':
      if (seconds >= 3) add('pause');
      if (seconds >= 4) add('asystole');
      break;
    default:
      break;
  }
  return found;
}

function crossing(
  startMs: number,
  rampSeconds: number,
  course: Segment['course'],
  reached: (bpm: number) => boolean,
): number {
  if (course === null) return startMs;
  const lastMs = startMs + rampSeconds * 1000;
  let tMs = startMs;
  while (tMs < lastMs && !reached(course(tMs))) tMs += 50;
  return Math.min(tMs, lastMs);
}

/** Turns segments, as the simulated time reaches them, into a series of truths in time order. */
export class TruthTeller {
  private active = new Set<AlertKind>();
  private due: Truth[] = [];
  private nextMs = Number.POSITIVE_INFINITY;

  constructor(private readonly tell: (truth: Truth) => void) {}

  enter(segment: Segment): void {
    const { index, startMs, episode } = segment;
    const base = { episode: index, label: episode.label };
    const conditions = conditionsOf(segment);
    const kinds = new Set(conditions.map((condition) => condition.kind));
    // What had not begun before its episode ended never happened.
    this.due = [];
    for (const kind of this.active) {
      if (!kinds.has(kind)) this.tell({ ...base, tMs: startMs, event: 'end', kind });
    }
    this.active = new Set([...this.active].filter((kind) => kinds.has(kind)));
    this.tell({ ...base, tMs: startMs, event: 'episode', kind: null });
    for (const { kind, fromMs } of conditions) {
      if (!this.active.has(kind)) this.due.push({ ...base, tMs: fromMs, event: 'begin', kind });
    }
    this.due.sort((a, b) => a.tMs - b.tMs);
    this.nextMs = this.due[0]?.tMs ?? Number.POSITIVE_INFINITY;
  }

  /** Simulated time went on. */
  reach(tMs: number): void {
    while (tMs >= this.nextMs) {
      const truth = this.due.shift()!;
      this.active.add(truth.kind!);
      this.tell(truth);
      this.nextMs = this.due[0]?.tMs ?? Number.POSITIVE_INFINITY;
    }
  }

  /** The stream ended. */
  finish(tMs: number, episode: number, label: string): void {
    for (const kind of this.active) this.tell({ tMs, event: 'end', kind, episode, label });
    this.active.clear();
  }
}

import { explainedBy } from '../../../alarm/subsumption.js';
import { type AlertKind, HEALTH_KINDS } from '../../../domain/alert.js';
import type { AlertRun } from './play.js';
import type { Span, Truth } from './truth.js';

/** Times of alerts and of annotations are this far apart at most. */
const ROOM_S = 5;
/** Grace after an episode's end in which the alert may still come: the rules sustain, rhythm looks back a window. */
const LATE_S: Partial<Record<AlertKind, number>> = { 'atrial-fibrillation': 60, 'frequent-ectopy': 300 };

export interface KindCount {
  alerts: number;
  right: number;
  wrong: number;
  /** Of those: the reference has the kind's next of kin there (ventricular tachycardia that was called fibrillation). */
  wrongInName: number;
  /** The reference says nothing of this kind. */
  unjudged: number;
  episodes: number;
  found: number;
  /** Found by this kind or by a graver one that explains it. */
  foundOrGraver: number;
  /** From the episode's start to the alert, where none was open yet; seconds. */
  readonly delaysS: number[];
}

export interface WrongAlert {
  readonly database: string;
  readonly record: string;
  readonly kind: AlertKind;
  readonly onsetS: number;
  readonly raisedS: number;
  readonly values: unknown;
}

export type KindTable = Partial<Record<AlertKind, KindCount>>;

export function newCount(): KindCount {
  return {
    alerts: 0,
    right: 0,
    wrong: 0,
    wrongInName: 0,
    unjudged: 0,
    episodes: 0,
    found: 0,
    foundOrGraver: 0,
    delaysS: [],
  };
}

/** Holds one record's alerts against its truth, adding to `table`; returns the wrong ones. */
export function judge(table: KindTable, truth: Truth, alerts: readonly AlertRun[]): AlertRun[] {
  const wrong: AlertRun[] = [];
  for (const kind of HEALTH_KINDS) {
    const mine = alerts.filter((alert) => alert.kind === kind);
    const episodes = truth.episodes[kind] ?? [];
    if (mine.length === 0 && episodes.length === 0) continue;
    table[kind] ??= newCount();
    const count = table[kind];
    const right = truth.right[kind] ?? [];
    const akin = truth.akin?.[kind] ?? [];
    for (const alert of mine) {
      const isAt = (span: Span) => overlaps(span, alert.onsetS - ROOM_S, alert.raisedS + ROOM_S);
      count.alerts++;
      if (right.some(isAt)) count.right++;
      else if (!truth.judged.has(kind)) count.unjudged++;
      else {
        count.wrong++;
        if (akin.some(isAt)) count.wrongInName++;
        wrong.push(alert);
      }
    }
    const graver = alerts.filter((alert) => explainedBy(kind).includes(alert.kind));
    for (const episode of episodes) {
      count.episodes++;
      const hit = firstHit(mine, episode, LATE_S[kind] ?? 15);
      if (hit) {
        count.found++;
        if (hit.raisedS >= episode.startS) count.delaysS.push(hit.raisedS - episode.startS);
      }
      if (hit || firstHit(graver, episode, 15)) count.foundOrGraver++;
    }
  }
  return wrong;
}

function firstHit(alerts: readonly AlertRun[], { startS, endS }: Span, lateS: number): AlertRun | undefined {
  return alerts.find(
    (alert) => alert.endedS >= startS && alert.raisedS <= endS + lateS && alert.onsetS <= endS + ROOM_S,
  );
}

function overlaps(span: Span, fromS: number, toS: number): boolean {
  return span.startS <= toS && span.endS >= fromS;
}

export function addCounts(into: KindTable, from: KindTable): void {
  for (const [kind, count] of Object.entries(from) as [AlertKind, KindCount][]) {
    into[kind] ??= newCount();
    const sum = into[kind];
    for (const key of [
      'alerts',
      'right',
      'wrong',
      'wrongInName',
      'unjudged',
      'episodes',
      'found',
      'foundOrGraver',
    ] as const)
      sum[key] += count[key];
    sum.delaysS.push(...count.delaysS);
  }
}

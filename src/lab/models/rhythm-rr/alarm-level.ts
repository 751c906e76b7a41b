import { AlarmEngine } from '../../../alarm/engine.js';
import type { AlarmSettings } from '../../../config/alarms.js';
import { RHYTHM_BEATS } from '../../../inference/windows/rhythm-rr.js';
import { AF, type RhythmEpisode } from '../../data/rhythm-records.js';
import { onlyKinds } from '../only-kinds.js';
import type { ScoredRhythm } from './score.js';

export type AlarmSetting = Pick<AlarmSettings['atrial-fibrillation'], 'on' | 'off' | 'sustainMs' | 'clearMs'>;

/** An alert, ms from the record's start. */
export interface RaisedAlert {
  readonly raisedMs: number;
  readonly endMs: number;
}

/** What the daemon's alarm engine makes of a record's scores alone: without intervals there is no order that it waits for. */
export function alertsOf({ record, ends, startMs, scores }: ScoredRhythm, setting: AlarmSetting): RaisedAlert[] {
  const alerts: { raisedMs: number; endMs: number }[] = [];
  const engine = new AlarmEngine({
    sensor: record.record,
    settings: onlyKinds({ 'atrial-fibrillation': setting }),
    emit: ({ event, raisedMs, endedMs }) => {
      if (event === 'new') alerts.push({ raisedMs, endMs: Number.POSITIVE_INFINITY });
      else if (event === 'end' && endedMs !== null) alerts.at(-1)!.endMs = endedMs;
    },
    newId: () => String(alerts.length),
    capture: () => undefined,
    modelInfo: () => null,
  });
  for (let w = 0; w < ends.length; w++) {
    const tMs = record.tMs[ends[w]!]!;
    engine.beat({ tMs, sample: -1, rrMs: null, decidedAtMs: tMs, quality: 1, source: 'rr' });
    const score = scores[w]!;
    const label = score > 0.5 ? 'afib' : 'regular';
    engine.rhythm({ tMs, label, score, windowBeats: RHYTHM_BEATS, windowStartMs: startMs[w]! });
  }
  return alerts;
}

export interface EpisodeFigures {
  readonly leastMinutes: number;
  readonly episodes: number;
  readonly found: number;
  readonly sensitivity: number;
  /** Of the episodes that were found; 0 where the alert was open already. */
  readonly delayMedianS: number;
  readonly delayP90S: number;
  /** The same of the found episodes at whose beginning no alert was open yet. */
  readonly fresh: number;
  readonly freshDelayMedianS: number;
  readonly freshDelayP90S: number;
}

export interface AlarmFigures {
  readonly setting: AlarmSetting;
  /** Hours outside annotated fibrillation. */
  readonly hoursOutside: number;
  readonly falseAlerts: number;
  readonly falsePer24h: number;
  readonly records: number;
  readonly recordsWithFalse: readonly string[];
  readonly episodes: readonly EpisodeFigures[];
}

/** An alert counts as true with fibrillation from this long before it, as found up to this long after the episode, ms. */
const NEAR_MS = 60_000;
const LEAST_MINUTES = [1, 2, 5] as const;

/**
 * Alerts against annotated episodes. False: no fibrillation from a minute before it was raised to its end. Found: an
 * alert is open between the episode's start and a minute after its end.
 * @param flutterCounts whether flutter counts as fibrillation
 * @param alertsFor where the alerts come from: the engine fed with the scores, unless they are known already
 */
export function alarmFigures(
  scored: readonly ScoredRhythm[],
  setting: AlarmSetting,
  flutterCounts: boolean,
  alertsFor: (one: ScoredRhythm) => readonly RaisedAlert[] = (one) => alertsOf(one, setting),
): AlarmFigures {
  let outsideMs = 0;
  let falseAlerts = 0;
  const recordsWithFalse: string[] = [];
  const found: { lengthMs: number; delayMs: number | null }[] = [];
  for (const one of scored) {
    const episodes = merged(one.record.episodes.filter(({ label }) => label === AF || flutterCounts));
    const alerts = alertsFor(one);
    outsideMs += one.record.durationMs - episodes.reduce((sum, { startMs, endMs }) => sum + endMs - startMs, 0);
    const wrong = alerts.filter(
      ({ raisedMs, endMs }) => !episodes.some((e) => e.startMs <= endMs && e.endMs >= raisedMs - NEAR_MS),
    );
    falseAlerts += wrong.length;
    if (wrong.length > 0) recordsWithFalse.push(`${one.record.record}:${wrong.length}`);
    for (const { startMs, endMs } of episodes) {
      const first = alerts.find((alert) => alert.endMs >= startMs && alert.raisedMs <= endMs + NEAR_MS);
      found.push({ lengthMs: endMs - startMs, delayMs: first ? Math.max(0, first.raisedMs - startMs) : null });
    }
  }
  return {
    setting,
    hoursOutside: outsideMs / 3.6e6,
    falseAlerts,
    falsePer24h: falseAlerts / (outsideMs / 8.64e7),
    records: scored.length,
    recordsWithFalse,
    episodes: LEAST_MINUTES.map((leastMinutes) => {
      const long = found.filter(({ lengthMs }) => lengthMs >= leastMinutes * 60_000);
      const delays = long.flatMap(({ delayMs }) => (delayMs === null ? [] : [delayMs / 1000])).sort((a, b) => a - b);
      const fresh = delays.filter((delayS) => delayS > 0);
      return {
        leastMinutes,
        episodes: long.length,
        found: delays.length,
        sensitivity: delays.length / long.length,
        ...{ delayMedianS: quantile(delays, 0.5), delayP90S: quantile(delays, 0.9) },
        fresh: fresh.length,
        ...{ freshDelayMedianS: quantile(fresh, 0.5), freshDelayP90S: quantile(fresh, 0.9) },
      };
    }),
  };
}

function quantile(sorted: readonly number[], q: number): number {
  return sorted[Math.floor(sorted.length * q)] ?? Number.NaN;
}

/** Episodes that touch are one. */
function merged(episodes: readonly RhythmEpisode[]): { startMs: number; endMs: number }[] {
  const out: { startMs: number; endMs: number }[] = [];
  for (const { startMs, endMs } of episodes) {
    const last = out.at(-1);
    if (last && startMs <= last.endMs) last.endMs = Math.max(last.endMs, endMs);
    else out.push({ startMs, endMs });
  }
  return out;
}

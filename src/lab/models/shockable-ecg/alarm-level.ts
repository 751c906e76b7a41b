import { AlarmEngine } from '../../../alarm/engine.js';
import type { AlarmSettings } from '../../../config/alarms.js';
import { SHOCKABLE_FEATURES, SHOCKABLE_RATE_HZ, SHOCKABLE_SAMPLES } from '../../../inference/windows/shockable-ecg.js';
import type { ShockableRecord } from '../../data/shockable-records.js';
import { onlyKinds } from '../only-kinds.js';
import { LABELS } from './network.js';
import type { ScoredRecord } from './score.js';

export type ShockableSetting = Pick<AlarmSettings['ventricular-fibrillation'], 'on' | 'off' | 'verdicts' | 'clearMs'>;

/** An alert of one of the two kinds, s from the record's start. */
export interface RaisedAlert {
  readonly kind: 'vf' | 'vt';
  readonly raisedS: number;
  readonly onsetS: number;
  readonly endS: number;
}

const PEAK = SHOCKABLE_FEATURES.indexOf('spectralPeakHz');

/** What the daemon's alarm engine makes of a record's scores, in signal taken as good. */
export function alertsOf({ record, scores }: ScoredRecord, setting: ShockableSetting): RaisedAlert[] {
  const open = new Map<string, { kind: 'vf' | 'vt'; raisedS: number; onsetS: number; endS: number }>();
  const alerts: RaisedAlert[] = [];
  const engine = new AlarmEngine({
    sensor: record.record,
    settings: onlyKinds({ 'ventricular-fibrillation': setting, 'ventricular-tachycardia': {} }),
    emit: ({ event, id, kind, raisedMs, onsetMs, endedMs }) => {
      if (event === 'new') {
        const name = kind === 'ventricular-fibrillation' ? 'vf' : 'vt';
        const alert = { kind: name, raisedS: raisedMs / 1000, onsetS: onsetMs / 1000, endS: Number.POSITIVE_INFINITY };
        open.set(id, alert as { kind: 'vf' | 'vt'; raisedS: number; onsetS: number; endS: number });
        alerts.push(open.get(id)!);
      } else if (event === 'end' && endedMs !== null) open.get(id)!.endS = endedMs / 1000;
    },
    newId: () => String(alerts.length),
    capture: () => undefined,
    modelInfo: () => null,
  });
  engine.quality({ tMs: 0, state: 'good', reasons: [] });
  for (let w = 0; w < record.ends.length; w++) {
    const tMs = (record.ends[w]! * 1000) / SHOCKABLE_RATE_HZ;
    engine.link(tMs, 'data');
    const [other, vt, vf] = [0, 1, 2].map((i) => scores[w * LABELS.length + i]!) as [number, number, number];
    const windowStartMs = tMs - (SHOCKABLE_SAMPLES * 1000) / SHOCKABLE_RATE_HZ;
    const peakHz = record.features[w * SHOCKABLE_FEATURES.length + PEAK]!;
    engine.shockable({ tMs, windowStartMs, scores: { other, vt, vf }, ratePerMinute: 60 * peakHz });
    engine.tick(tMs);
  }
  return alerts;
}

export interface ShockableAlarmFigures {
  readonly setting: ShockableSetting | null;
  /** Episodes of 10 s and more; found by an alert of either kind. */
  readonly vf: EpisodeFigures;
  readonly vt: EpisodeFigures;
  readonly hoursOutside: number;
  readonly falseAlerts: number;
  readonly falsePerHour: number;
  /** Of the false ones, those raised while the annotators saw noise. */
  readonly falseInNoise: number;
  /** Of the false ones, those within annotated asystole. */
  readonly falseInAsystole: number;
  readonly recordsWithFalse: readonly string[];
}

export interface EpisodeFigures {
  readonly episodes: number;
  readonly found: number;
  /** Of the found ones, those told by their own kind. */
  readonly ownKind: number;
  readonly delayMedianS: number;
  readonly delayP90S: number;
  readonly missed: readonly string[];
}

const LEAST_S = 10;
/** An alert counts as true with such an episode from this long before it was raised to this long after, s. */
const NEAR_S = 10;

/**
 * Alerts against annotated episodes of VF, VFL and VT of any rate.
 * @param alertsFor where the alerts come from: the engine fed with the scores, or a replay
 */
export function shockableAlarmFigures(
  records: readonly ShockableRecord[],
  setting: ShockableSetting | null,
  alertsFor: (record: ShockableRecord) => readonly RaisedAlert[],
): ShockableAlarmFigures {
  let outsideS = 0;
  let falseAlerts = 0;
  let falseInNoise = 0;
  let falseInAsystole = 0;
  const recordsWithFalse: string[] = [];
  const found = { vf: [] as Found[], vt: [] as Found[] };
  for (const record of records) {
    const episodes = merged(record.episodes);
    const alerts = alertsFor(record);
    const lengthS = record.signal.length / SHOCKABLE_RATE_HZ;
    outsideS += lengthS - episodes.reduce((sum, { startS, endS }) => sum + endS - startS, 0);
    const wrong = alerts.filter(
      ({ raisedS, onsetS }) => !episodes.some((e) => e.startS <= raisedS + NEAR_S && e.endS >= onsetS - NEAR_S),
    );
    falseAlerts += wrong.length;
    for (const { raisedS } of wrong) {
      const name = record.rhythms.find(({ startS, endS }) => startS <= raisedS && endS > raisedS - 4)?.name;
      if (name === '(NOISE') falseInNoise++;
      if (name === '(ASYS') falseInAsystole++;
    }
    if (wrong.length > 0) recordsWithFalse.push(`${record.database}/${record.record}:${wrong.length}`);
    for (const { kind, startS, endS } of record.episodes) {
      if (endS - startS < LEAST_S) continue;
      const own = alerts.filter((alert) => alert.endS >= startS && alert.raisedS <= endS);
      const first = own.reduce((least, { raisedS }) => Math.min(least, raisedS), Number.POSITIVE_INFINITY);
      found[kind].push({
        delayS: own.length > 0 ? Math.max(0, first - startS) : null,
        ownKind: own.some((alert) => alert.kind === kind),
        name: `${record.record}@${Math.round(startS)}`,
      });
    }
  }
  return {
    setting,
    vf: episodeFigures(found.vf),
    vt: episodeFigures(found.vt),
    hoursOutside: outsideS / 3600,
    falseAlerts,
    falsePerHour: falseAlerts / (outsideS / 3600),
    falseInNoise,
    falseInAsystole,
    recordsWithFalse,
  };
}

interface Found {
  readonly delayS: number | null;
  readonly ownKind: boolean;
  readonly name: string;
}

function episodeFigures(all: readonly Found[]): EpisodeFigures {
  const delays = all.flatMap(({ delayS }) => (delayS === null ? [] : [delayS])).sort((a, b) => a - b);
  const quantile = (q: number) => delays[Math.floor(delays.length * q)] ?? Number.NaN;
  return {
    episodes: all.length,
    found: delays.length,
    ownKind: all.filter(({ ownKind, delayS }) => ownKind && delayS !== null).length,
    delayMedianS: quantile(0.5),
    delayP90S: quantile(0.9),
    missed: all.filter(({ delayS }) => delayS === null).map(({ name }) => name),
  };
}

/** Episodes that touch are one. */
function merged(episodes: ShockableRecord['episodes']): { startS: number; endS: number }[] {
  const out: { startS: number; endS: number }[] = [];
  for (const { startS, endS } of episodes) {
    const last = out.at(-1);
    if (last && startS <= last.endS) last.endS = Math.max(last.endS, endS);
    else out.push({ startS, endS });
  }
  return out;
}

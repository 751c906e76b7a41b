import { ANOMALY_LEARNING_MS } from '../../../inference/windows/anomaly-rr.js';
import { type AnomalyEpisode, EPISODE_KINDS, type EpisodeKind } from '../../data/anomaly-records.js';
import { type AnomalySetting, alertsOf, type JudgedRecord } from './score.js';

/** Alerts on people of normal rhythm. */
export interface NormalFigures {
  readonly people: number;
  readonly hours: number;
  readonly alerts: number;
  readonly per24h: number;
  readonly peopleWithAlerts: readonly string[];
}

export function normalFigures(judged: readonly JudgedRecord[], setting: AnomalySetting): NormalFigures {
  let hours = 0;
  let alerts = 0;
  const peopleWithAlerts: string[] = [];
  for (const one of judged) {
    hours += one.record.durationMs / 3.6e6;
    const count = alertsOf(one, setting).length;
    alerts += count;
    if (count > 0) peopleWithAlerts.push(`${one.record.record}:${count}`);
  }
  return { people: judged.length, hours, alerts, per24h: (24 * alerts) / hours, peopleWithAlerts };
}

export interface EpisodeFigures {
  readonly leastMinutes: number;
  readonly kinds: Readonly<Partial<Record<EpisodeKind, { readonly episodes: number; readonly found: number }>>>;
  readonly episodes: number;
  readonly found: number;
  readonly sensitivity: number;
  /** Of the found ones at whose beginning no alert was open yet, s. */
  readonly delayMedianS: number;
}

/** An alert counts for an episode from its start to a minute after its end. */
const AFTER_MS = 60_000;

/** Episodes that began after the learning time, and how many of them an alert was open in. */
export function episodeFigures(
  judged: readonly JudgedRecord[],
  setting: AnomalySetting,
  leastMinutes: number,
): EpisodeFigures {
  const kinds: Partial<Record<EpisodeKind, { episodes: number; found: number }>> = {};
  const delays: number[] = [];
  let episodes = 0;
  let found = 0;
  for (const one of judged) {
    const alerts = alertsOf(one, setting);
    const firstMs = one.record.startMs[0] ?? 0;
    for (const { kind, startMs, endMs } of joined(one.record.episodes)) {
      if (endMs - startMs < leastMinutes * 60_000 || startMs < firstMs + ANOMALY_LEARNING_MS) continue;
      const first = alerts.find((alert) => alert.endMs >= startMs && alert.raisedMs <= endMs + AFTER_MS);
      kinds[kind] ??= { episodes: 0, found: 0 };
      kinds[kind].episodes++;
      episodes++;
      if (!first) continue;
      kinds[kind].found++;
      found++;
      if (first.raisedMs > startMs) delays.push((first.raisedMs - startMs) / 1000);
    }
  }
  delays.sort((a, b) => a - b);
  return {
    leastMinutes,
    kinds: Object.fromEntries(EPISODE_KINDS.flatMap((kind) => (kinds[kind] ? [[kind, kinds[kind]]] : []))),
    episodes,
    found,
    sensitivity: found / episodes,
    delayMedianS: delays[delays.length >> 1] ?? Number.NaN,
  };
}

/** The same kind said again at once is one episode. */
function joined(episodes: readonly AnomalyEpisode[]): AnomalyEpisode[] {
  const out: AnomalyEpisode[] = [];
  for (const episode of episodes) {
    const last = out.at(-1);
    if (last && last.kind === episode.kind && last.endMs >= episode.startMs) {
      out[out.length - 1] = { ...last, endMs: episode.endMs };
    } else out.push(episode);
  }
  return out;
}

import { ANOMALY_FEATURES } from '../../../inference/windows/anomaly-rr.js';
import type { AnomalyEpisode, AnomalyRecord } from '../../data/anomaly-records.js';

const COUNT = ANOMALY_FEATURES.length;
const RATE = ANOMALY_FEATURES.indexOf('rate');
const DRIFT = ANOMALY_FEATURES.indexOf('drift');
/** An episode of so long, every so often. */
const EPISODE_MS = 5 * 60_000;
const EVERY_MS = 2 * 3_600_000;

/**
 * A person of normal rhythm whose rate jumps by a factor for five minutes every two hours, as none of our recordings
 * shows it often enough: the rate of the windows within is raised, the windows that hold the jump drift.
 */
export function withRateSteps(record: AnomalyRecord, factor: number): AnomalyRecord {
  const features = record.features.slice();
  const episodes: AnomalyEpisode[] = [];
  const firstMs = record.startMs[0] ?? 0;
  for (let startMs = firstMs + EVERY_MS; startMs + EPISODE_MS < (record.tMs.at(-1) ?? 0); startMs += EVERY_MS) {
    const endMs = startMs + EPISODE_MS;
    episodes.push({ kind: 'rate change', startMs, endMs });
    for (let w = 0; w < record.count; w++) {
      const [from, to] = [record.startMs[w]!, record.tMs[w]!];
      if (to <= startMs || from >= endMs) continue;
      const share = (Math.min(to, endMs) - Math.max(from, startMs)) / (to - from);
      if (share > 0.5) features[w * COUNT + RATE]! += Math.log(factor);
      if (share < 1 && share > 1 / 3 && share < 2 / 3)
        features[w * COUNT + DRIFT]! += Math.log(factor) * (from < startMs ? 1 : -1);
    }
  }
  return { ...record, features, episodes };
}

import type { AlarmSettings } from '../../config/alarms.js';
import type { Rule } from '../rule.js';
import { FAST_HEART } from '../waveform.js';
import { SustainedRate } from './sustained-rate.js';

/** Eight intervals, about four seconds when it matters: one early beat does not move the mean beyond a threshold. */
const INTERVALS = 8;
const FRESH_MS = 3_000;

/** A heart at or above the person's own threshold, sustained. */
export function tachycardia(settings: AlarmSettings): Rule {
  const s = settings.tachycardia;
  return new SustainedRate({
    ...s,
    kind: 'tachycardia',
    side: 'above',
    limitBpm: s.aboveBpm,
    intervals: INTERVALS,
    freshMs: FRESH_MS,
    wave: FAST_HEART,
  });
}

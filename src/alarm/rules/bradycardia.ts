import type { AlarmSettings } from '../../config/alarms.js';
import type { Rule } from '../rule.js';
import { SustainedRate } from './sustained-rate.js';

/** Four intervals: a slow heart gives few, and waiting for more only delays. */
const INTERVALS = 4;
/** Slower than 10 bpm is no rate but asystole. */
const FRESH_MS = 6_000;

/** A heart at or below the person's own threshold, sustained. */
export function bradycardia(settings: AlarmSettings): Rule {
  const s = settings.bradycardia;
  return new SustainedRate({
    ...s,
    kind: 'bradycardia',
    side: 'below',
    limitBpm: s.belowBpm,
    intervals: INTERVALS,
    freshMs: FRESH_MS,
  });
}

import type { AlarmSettings } from '../../config/alarms.js';
import type { Rule } from '../rule.js';
import { FAST_HEART } from '../waveform.js';
import { RateOverBeats } from './rate-over-beats.js';

/**
 * "Heart rate higher than 140 bpm for 17 consecutive beats": Clifford et al., The PhysioNet/Computing in Cardiology
 * Challenge 2015: Reducing False Arrhythmia Alarms in the ICU.
 */
export function extremeTachycardia(settings: AlarmSettings): Rule {
  const s = settings['extreme-tachycardia'];
  return new RateOverBeats({
    ...s,
    kind: 'extreme-tachycardia',
    side: 'above',
    limitBpm: s.aboveBpm,
    wave: FAST_HEART,
  });
}

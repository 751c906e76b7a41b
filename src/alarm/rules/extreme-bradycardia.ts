import type { AlarmSettings } from '../../config/alarms.js';
import type { Rule } from '../rule.js';
import { RateOverBeats } from './rate-over-beats.js';

/**
 * "Heart rate lower than 40 bpm for 5 consecutive beats": Clifford et al., The PhysioNet/Computing in Cardiology
 * Challenge 2015: Reducing False Arrhythmia Alarms in the ICU.
 */
export function extremeBradycardia(settings: AlarmSettings): Rule {
  const s = settings['extreme-bradycardia'];
  return new RateOverBeats({ ...s, kind: 'extreme-bradycardia', side: 'below', limitBpm: s.belowBpm });
}

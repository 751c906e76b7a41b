import { featureIndex } from './features.js';

/** Says of a candidate, from its ratios to the state, how likely it is a beat (0 to 1). */
export interface BeatJudge {
  /** @param features `FEATURE_COUNT` numbers, owned by the caller, valid during the call. @param sample the candidate's native sample. */
  judge(features: Float64Array, sample: number): number;
}

const ENERGY = featureIndex('energy');
const STEEP = featureIndex('steep');
const SINCE_SECONDS = featureIndex('sinceBeatSeconds');
const SINCE_RR = featureIndex('sinceBeatRr');
const LIKE_MAIN = featureIndex('likeMain');
const LIKE_RECENT = featureIndex('likeRecent');
const BEFORE_ENERGY = featureIndex('beforeEnergy');
const AFTER_ENERGY = featureIndex('afterEnergy');

/**
 * The classical rule: a candidate is a beat when its energy is at least 0.37 of the usual beat's, unless it follows a
 * beat within 0.36 s and is less steep (a T wave, as Pan and Tompkins 1985 have it), or has a stronger neighbour and an
 * outline of its own. Nothing learnt: it is the yardstick of the trained verifier.
 */
export const HAND_RULE: BeatJudge = {
  judge(v) {
    const energy = v[ENERGY]!;
    if (v[SINCE_SECONDS]! < 0.36 && (v[STEEP]! < -0.7 || v[SINCE_RR]! < 0.35)) return 0.02;
    const unlike = Math.max(v[LIKE_MAIN]!, v[LIKE_RECENT]!) < 0.7;
    if (unlike && (v[AFTER_ENERGY]! > 0.5 || v[BEFORE_ENERGY]! > 0.5)) return 0.05;
    return energy > -1 ? 0.9 : energy > -1.6 ? 0.2 : 0.05;
  },
};

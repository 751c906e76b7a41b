import { type Measurement, steps } from './shape.js';
import type { BeatState } from './state.js';

// Candidates about which there is nothing to ask. They spare the network two thirds of its work, and keep it from errors that
// feed on themselves: a beat it rejects teaches the state that such a thing is no beat.

/** ln of energy. */
const SMALL = 1;
const OVERSHADOWED = 1;
const ALIKE = 0.5;
const NO_RIVAL = 0.3;
/** Correlation with the usual outline from which a candidate is taken for the usual beat. */
const SAME_OUTLINE = 0.95;

/**
 * A T wave or a tail: far below the usual beat, with a neighbour shortly before that is far above it. Of 155,000 such in mitdb and
 * svdb the network called 3 likelier than 0.15. Needs `readEnergy`.
 */
export function isOvershadowed(state: BeatState, m: Measurement): boolean {
  return m.eA < state.energy - SMALL && m.beforeEnergy > OVERSHADOWED;
}

/**
 * The usual beat: outline, energy and steepness of those accepted so far, no stronger neighbour, and not so soon after
 * the last that it could be its tail. Needs `read`.
 * @param likeness correlation with the main outline
 */
export function isTheUsualBeat(state: BeatState, c: number, m: Measurement, likeness: number): boolean {
  return (
    likeness > SAME_OUTLINE &&
    Math.abs(m.eA - state.energy) < ALIKE &&
    Math.abs(m.eS - state.steep) < ALIKE &&
    m.beforeEnergy < NO_RIVAL &&
    m.afterEnergy < NO_RIVAL &&
    c - state.lastBeat > steps(0.25)
  );
}

/**
 * Large and alone on a quiet line: whatever its outline, it is a beat (an ectopic one of a focus not met before). Stronger than
 * its neighbours, not within 0.3 s of the last beat, well above everything rejected so far, and hardly any muscle noise. Needs `read`.
 */
export function standsAlone(state: BeatState, c: number, m: Measurement): boolean {
  return (
    m.eA > state.energy - ALIKE &&
    m.beforeEnergy < 0 &&
    m.afterEnergy < 0 &&
    c - state.lastBeat > steps(0.3) &&
    m.eA > state.other + 1 &&
    m.eHf < state.energy - 2
  );
}

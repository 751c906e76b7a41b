import { type FrontEnd, HISTORY } from './front-end.js';
import { centreOf, correlation, logOf, type Measurement, Outline, steps } from './shape.js';
import { type BeatState, limit } from './state.js';

const MASK = HISTORY - 1;

/** Samples after a candidate that may be read when it is judged (414 ms). The detector's delay. */
export const LOOK_AHEAD = 53;

/** The latest centre whose outline, shifts included, is final within the look-ahead (`a` is final 7 samples back). */
const LATEST_CENTRE = LOOK_AHEAD - 7 - 12;

/** Names of the ratios, in order; after them come the surroundings of the energy, of the slow and of the sharp energy. */
export const RATIOS = [
  'energy',
  'slow',
  'steep',
  'energyToLast',
  'energyToOther',
  'sinceBeatRr',
  'sinceBeatSeconds',
  'rr0',
  'logRr',
  'likeMain',
  'likeRecent',
  'likeOdd',
  'likeMainSlow',
  'widthLeft',
  'widthRight',
  'roughness',
  'usualRoughness',
  'beforeEnergy',
  'beforeDistance',
  'afterEnergy',
  'afterDistance',
  'afterLikeMain',
  'afterLikeRecent',
  'crowd',
  'greatestRecent',
  'doubt',
  'age',
  'nextAtRr',
  'rr1',
  'rr2',
  'aboveUsual',
  'aboveUsualJustThen',
  'sharp',
  'sharpBefore',
  'sharpAfter',
  'likeMainSharp',
  'likeLast',
  'likeBefore',
  'energyToBefore',
  'sharpToLast',
] as const;

export type Ratio = (typeof RATIOS)[number];

const SURROUND_FROM = -58;
const SURROUND_STEP = 4;
const SURROUND_COUNT = 25;
const SLOW_FROM = -52;
const SLOW_STEP = 8;
const SLOW_COUNT = 11;
const SHARP_FROM = -39;
const SHARP_STEP = 6;
const SHARP_COUNT = 14;

export const FEATURE_COUNT = RATIOS.length + SURROUND_COUNT + SLOW_COUNT + SHARP_COUNT;

export function featureIndex(ratio: Ratio): number {
  return RATIOS.indexOf(ratio);
}

/** Turns a measured candidate into numbers that depend on nothing but its ratios to the state. Reused, allocates nothing. */
export class FeatureMaker {
  readonly values = new Float64Array(FEATURE_COUNT);
  private readonly after = new Outline();

  /**
   * @param m candidate `c`, already measured
   * @param likeness its outline's correlation with the main one
   * @param crowd candidates of the last 2 s
   * @param greatestRecent greatest energy of the last 2 s
   */
  make(
    front: FrontEnd,
    state: BeatState,
    c: number,
    m: Measurement,
    likeness: number,
    crowd: number,
    greatestRecent: number,
  ): void {
    const v = this.values;
    const energy = front.energy;
    const level = state.energy;
    const perRr = 1 / state.rr;
    const since = c - state.lastBeat;

    const { afterAt } = m;
    const latest = c + LATEST_CENTRE;
    this.after.read(front, centreOf(front, Math.min(afterAt - 9, latest), Math.min(afterAt + 9, latest)));
    const half = m.energy / 2;

    v[0] = limit(m.eA - level, -4, 3);
    v[1] = limit(m.eB - state.slow, -4, 3);
    v[2] = limit(m.eS - state.steep, -4, 3);
    v[3] = limit(m.eA - state.lastEnergy, -4, 3);
    v[4] = limit(m.eA - state.other, -3, 4);
    v[5] = limit(since * perRr, 0, 3);
    v[6] = limit(since / steps(1), 0, 3);
    v[7] = limit(state.rr0 * perRr, 0, 3);
    v[8] = logOf(state.rr / steps(1));
    v[9] = likeness;
    v[11] = m.outline.matchClosely(state.odd);
    v[12] = correlation(m.slowOutline, state.mainSlow);
    v[13] = reach(energy, c, -1, half) / 16;
    v[14] = reach(energy, c, 1, half) / 16;
    v[15] = limit(m.eHf - level, -6, 2);
    v[16] = limit(state.roughness - level, -6, 2);
    v[17] = limit(m.beforeEnergy, -4, 3);
    v[18] = (c - m.beforeAt) / 32;
    v[19] = limit(m.afterEnergy, -4, 3);
    v[20] = (afterAt - c) / 32;
    v[21] = this.after.matchClosely(state.main);
    v[22] = bestMatch(this.after, state);
    v[23] = crowd / 8;
    v[24] = limit(logOf(greatestRecent) - level, -3, 3);
    v[25] = state.doubt;
    v[26] = Math.min(2, state.beats / 5);
    v[27] = limit((afterAt - state.lastBeat) * perRr, 0, 3);
    v[28] = limit(state.rr1 * perRr, 0, 3);
    v[29] = limit(state.rr2 * perRr, 0, 3);

    v[30] = limit(m.eA - level - state.aftermath.usual(since), -3, 4);
    v[31] = limit(m.eA - level - state.aftermath.usualJustThen(since), -3, 4);

    v[32] = limit(m.eC - state.sharp, -4, 3);
    v[33] = limit(m.sharpBefore, -4, 3);
    v[34] = limit(m.sharpAfter, -4, 3);
    v[35] = m.sharpOutline.matchClosely(state.mainSharp);

    // Where every other one is another wave (a T wave counted with each beat), these tell the two apart.
    v[36] = m.outline.matchClosely(state.outlineBack(1));
    v[37] = m.outline.matchClosely(state.outlineBack(2));
    v[10] = Math.max(v[36], v[37], m.outline.matchClosely(state.outlineBack(3)));
    v[38] = limit(m.eA - state.energyBefore, -4, 3);
    v[39] = limit(m.eC - state.lastSharp, -4, 3);

    let at = RATIOS.length;
    for (let i = 0; i < SURROUND_COUNT; i++) {
      v[at++] = limit(logOf(energy[(c + SURROUND_FROM + i * SURROUND_STEP) & MASK]!) - level, -4, 2);
    }
    for (let i = 0; i < SLOW_COUNT; i++) {
      v[at++] = limit(logOf(front.slow[(c + SLOW_FROM + i * SLOW_STEP) & MASK]!) - state.slow, -4, 2);
    }
    for (let i = 0; i < SHARP_COUNT; i++) {
      v[at++] = limit(logOf(front.sharp[(c + SHARP_FROM + i * SHARP_STEP) & MASK]!) - state.sharp, -4, 2);
    }
  }
}

function bestMatch(outline: Outline, state: BeatState): number {
  let best = -2;
  for (let i = 0; i < state.recent.length; i++) {
    const r = outline.matchClosely(state.recent[i]!);
    if (r > best) best = r;
  }
  return best;
}

/** Samples from `c` in direction `way` until the ring falls below `floor`, at most 24. */
function reach(ring: Float64Array, c: number, way: 1 | -1, floor: number): number {
  let i = 1;
  while (i < 24 && ring[(c + way * i) & MASK]! >= floor) i++;
  return i;
}

import { MAX_RR_MS, MIN_RR_MS } from '../../../signal/rr.js';
import type { Random } from '../../train/random.js';

/** What a made-up row of intervals is an example of. */
export type MadeUp = 'usual' | 'departs';

type Maker = (rrS: Float64Array, usualS: number, random: Random) => void;

/** A person's usual interval, s, with the small noise that every heart has. */
const steady = (usualS: number, random: Random) => usualS * (1 + 0.02 * random.normal());

/** Intervals without memory, as in fibrillation, from half again as fast to a little slower than usual. */
const chaotic: Maker = (rrS, usualS, random) => {
  const middle = usualS * (random.uniform() < 0.5 ? 0.55 + 0.6 * random.uniform() : 0.85);
  const spread = 0.1 + 0.15 * random.uniform();
  for (let i = 0; i < rrS.length; i++) rrS[i] = middle * Math.exp(spread * random.normal());
};

/** Every second or third beat early, its pause fully compensatory. */
const coupled: Maker = (rrS, usualS, random) => {
  const period = random.uniform() < 0.5 ? 2 : 3;
  const early = 0.5 + 0.25 * random.uniform();
  for (let i = 0; i < rrS.length; i++) {
    const share = i % period === 0 ? early : i % period === 1 ? 2 - early : 1;
    rrS[i] = share * steady(usualS, random);
  }
};

/** Sinus arrhythmia of a heart that breathes slowly: wide and smooth, and no departure. */
const breathing: Maker = (rrS, usualS, random) => {
  const depth = 0.03 + 0.09 * random.uniform();
  const turn = (2 * Math.PI) / (4 + 6 * random.uniform());
  let phase = 2 * Math.PI * random.uniform();
  for (let i = 0; i < rrS.length; i++) {
    phase += turn * (1 + 0.15 * random.normal());
    rrS[i] = steady(usualS, random) * (1 + depth * (0.7 + 0.3 * random.uniform()) * Math.sin(phase));
  }
};

/** A few intervals that a strap made up, or a few early beats: no departure either. */
const disturbed: Maker = (rrS, usualS, random) => {
  for (let i = 0; i < rrS.length; i++) rrS[i] = steady(usualS, random);
  const depth = 0.1 * random.uniform();
  for (let i = 0; i < rrS.length; i++) rrS[i]! *= 1 + depth * Math.sin((2 * Math.PI * i) / 7);
  for (let k = 1 + random.below(4); k > 0; k--) {
    const i = random.below(rrS.length - 1);
    const part = 0.6 + 0.3 * random.uniform();
    rrS[i + 1] = rrS[i + 1]! + (1 - part) * rrS[i]!;
    rrS[i]! *= part;
  }
};

const MAKERS: Readonly<Record<MadeUp, readonly (readonly [share: number, make: Maker])[]>> = {
  departs: [
    [0.5, chaotic],
    [0.5, coupled],
  ],
  usual: [
    [0.5, breathing],
    [0.5, disturbed],
  ],
};

/**
 * Fills a window with made-up intervals, s. No annotated arrhythmia is imitated from a recording: these are textbook rhythms.
 * @param usualS the person's median interval there
 */
export function makeUp(what: MadeUp, rrS: Float64Array, usualS: number, random: Random): void {
  let left = random.uniform();
  const chosen = MAKERS[what].find(([share]) => {
    left -= share;
    return left < 0;
  });
  const [, make] = chosen ?? MAKERS[what][0]!;
  make(rrS, usualS, random);
  for (let i = 0; i < rrS.length; i++) rrS[i] = Math.min(MAX_RR_MS, Math.max(MIN_RR_MS, 1000 * rrS[i]!)) / 1000;
}

import type { Random } from '../../train/random.js';

const RANDOM_SHARES = [0.03, 0.08, 0.15, 0.25, 0.35] as const;
const KEPT = [1, 0.95, 0.8] as const;
/** Half a tick of the training recordings' clock, s. */
const HALF_TICK_S = 0.5 / 128;
const LEAST_S = 0.2;
const MOST_S = 3;

/**
 * Turns a regular rhythm into one that is irregular without fibrillation, in place: ectopic beats at random, bi-, tri- or
 * quadrigeminy over the whole or a part, dropped beats (Wenckebach), or sinus arrhythmia.
 * @param rrS intervals in s, oldest first
 */
export function addEctopy(rrS: Float64Array, random: Random): void {
  const kind = random.below(4);
  if (kind === 0) {
    const share = RANDOM_SHARES[random.below(RANDOM_SHARES.length)]!;
    premature(rrS, random, 0, rrS.length, () => random.uniform() < share);
  } else if (kind <= 2) {
    const period = 2 + random.below(3);
    const kept = KEPT[random.below(KEPT.length)]!;
    let from = 0;
    let to = rrS.length;
    if (kind === 2) {
      const length = Math.floor(rrS.length * (0.2 + 0.6 * random.uniform()));
      from = random.below(rrS.length - length);
      to = from + length;
    }
    premature(rrS, random, from, to, (i) => i % period === 0 && random.uniform() < kept);
  } else if (random.uniform() < 0.5) {
    const period = 3 + random.below(4);
    const first = random.below(period);
    const factor = 1.4 + 0.5 * random.uniform();
    for (let i = first; i < rrS.length; i += period) rrS[i]! *= factor;
  } else {
    const depth = 0.05 + 0.15 * random.uniform();
    const turn = (2 * Math.PI) / (3 + 5 * random.uniform());
    const phase = 2 * Math.PI * random.uniform();
    for (let i = 0; i < rrS.length; i++) rrS[i]! *= 1 + depth * Math.sin(turn * i + phase);
  }
  limit(rrS, rrS.length);
}

/** Early beats, never two in a row; the pause after one is fully compensatory or the sinus node is reset. */
function premature(
  rrS: Float64Array,
  random: Random,
  from: number,
  to: number,
  early: (index: number) => boolean,
): void {
  const coupling = 0.5 + 0.35 * random.uniform();
  for (let i = from; i + 1 < to; i++) {
    if (!early(i)) continue;
    const both = rrS[i]! + rrS[i + 1]!;
    rrS[i]! *= Math.min(0.95, Math.max(0.35, coupling + 0.04 * random.normal()));
    if (random.uniform() < 0.6) rrS[i + 1] = both - rrS[i]!;
    else rrS[i + 1]! *= 0.95 + 0.2 * random.uniform();
    i++;
  }
}

/**
 * One to three beats missed (two intervals become one) or seen where there are none (one becomes two). The newest
 * intervals are moved, so that the last `wanted` of the result are whole.
 * @param rrS intervals in s, oldest first, with at least three more than `wanted`; changed in place
 * @returns how many intervals there are now
 */
export function misdetect(rrS: Float64Array, count: number, random: Random): number {
  const times = 1 + random.below(3);
  const missed = random.uniform() < 0.5;
  let held = count;
  for (let k = 0; k < times; k++) {
    const at = random.below(held - 1);
    if (missed) {
      rrS[at]! += rrS[at + 1]!;
      rrS.copyWithin(at + 1, at + 2, held);
      held--;
    } else {
      // The oldest makes room.
      const share = 0.25 + 0.5 * random.uniform();
      rrS.copyWithin(0, 1, at + 1);
      const whole = rrS[at]!;
      if (at > 0) rrS[at - 1] = whole * share;
      rrS[at] = whole * (1 - share);
    }
  }
  limit(rrS, held);
  return held;
}

/** Moves every beat by up to half a tick: other recordings have other clocks. */
export function dither(rrS: Float64Array, count: number, random: Random): void {
  let before = 0;
  for (let i = 0; i < count; i++) {
    const moved = (2 * random.uniform() - 1) * HALF_TICK_S;
    rrS[i]! += moved - before;
    before = moved;
  }
  limit(rrS, count);
}

function limit(rrS: Float64Array, count: number): void {
  for (let i = 0; i < count; i++) rrS[i] = Math.max(LEAST_S, Math.min(MOST_S, rrS[i]!));
}

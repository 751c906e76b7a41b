import type { StreamMs } from '../domain/clock.js';
import type { BeatHistory } from './beats.js';

/** Intervals looked at: two windows of the rhythm model; and the fewest that can show an order. */
const MOST_INTERVALS = 120;
const LEAST_INTERVALS = 60;
/** Lags compared, in beats: two breaths and more of a heart at rest. */
const LAGS = 12;
/** The level of the intervals is their mean over so many beats to both sides: what changes more slowly is no order. */
const LEVEL_BEATS = 10;
/** What a heart does; a longer interval is a hole. */
const SHORTEST_RR_MS = 200;
const LONGEST_RR_MS = 3_000;

/**
 * How far the last intervals up to a beat follow an order of their own: breathing that speeds and slows the heart, early
 * beats with their pauses, every other beat early. Fibrillating atria send their beats on in no order (Bootsma et al. 1970,
 * Circulation 41:783-794), however irregular a heart in sinus rhythm may be, what comes next in it depends on what came before.
 * The measure is that of Ljung and Box (1978, Biometrika 65:297-303) over 12 lags, of the ranks of the intervals about their
 * level, so that a single long pause has no more weight than any other interval.
 * @param untilMs time of the newest beat that counts
 * @returns Q: in a row without any order about 17 (12, and what taking out the level adds), above 36 once in 70 rows; NaN where
 * fewer than 60 intervals are known, or all are the same
 */
export function orderOfIntervals(beats: BeatHistory, untilMs: StreamMs): number {
  const logs = new Float64Array(MOST_INTERVALS);
  let count = 0;
  for (let back = 0; back < beats.length && count < MOST_INTERVALS; back++) {
    if (beats.tMs(back) > untilMs || !beats.hasInterval(back)) continue;
    const rrMs = beats.rrMs(back);
    if (rrMs >= SHORTEST_RR_MS && rrMs <= LONGEST_RR_MS) logs[count++] = Math.log(rrMs);
  }
  return count < LEAST_INTERVALS ? Number.NaN : ljungBox(ranksOf(aboutTheirLevel(logs.subarray(0, count))));
}

function aboutTheirLevel(values: Float64Array): Float64Array {
  return values.map((value, i) => {
    const near = values.subarray(Math.max(0, i - LEVEL_BEATS), i + LEVEL_BEATS + 1);
    const level = near.reduce((sum, each) => sum + each, 0) / near.length;
    // To a millionth: what is equal but for the arithmetic is equal.
    return Math.round(1e6 * (value - level));
  });
}

/** Ranks about zero. Equal values share a rank, so that an even rhythm has none. */
function ranksOf(values: Float64Array): Float64Array {
  const order = Array.from(values.keys()).sort((a, b) => values[a]! - values[b]!);
  const ranks = new Float64Array(values.length);
  for (let first = 0; first < order.length; ) {
    let next = first + 1;
    while (next < order.length && values[order[next]!] === values[order[first]!]) next++;
    for (let k = first; k < next; k++) ranks[order[k]!] = (first + next - values.length) / 2;
    first = next;
  }
  return ranks;
}

/** Q over the first lags of values whose mean is zero; NaN where they are all equal. */
function ljungBox(values: Float64Array): number {
  const count = values.length;
  const power = values.reduce((sum, value) => sum + value * value, 0);
  let q = 0;
  for (let lag = 1; lag <= LAGS; lag++) {
    let product = 0;
    for (let i = lag; i < count; i++) product += values[i]! * values[i - lag]!;
    q += (product / power) ** 2 / (count - lag);
  }
  return count * (count + 2) * q;
}

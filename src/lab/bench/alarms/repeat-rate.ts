import { SHOCKABLE_RATE_HZ, ShockableSignal } from '../../../inference/windows/shockable-ecg.js';
import { correlationAtLag } from '../../../signal/correlation.js';
import { merge, type Span } from './truth.js';

/** Windows of so many seconds, one a second. */
const WINDOW_S = 4;
const SLOWEST_S = 2;
const FASTEST_S = 0.25;
/** A window must repeat itself this well (correlation), and its period at least this well by the best of all lags. */
const REPEATS = 0.6;
const AS_GOOD = 0.9;

/**
 * Where a signal by itself repeats faster than a rate: a reference for records whose beats nobody has marked, which owes
 * nothing to a beat detector. The period is the shortest lag at which the signal repeats as well as it does at any. T waves
 * between beats, which make a detector count twice, repeat worse at half the period than at the whole. Held against the
 * annotated beats of mitdb: of 28,602 windows it calls 67 faster than 135 a minute, 65 of them rightly (130 and more), of 139
 * that are; so it is a reference for what is fast, not for what is not.
 * @param samples one lead, any unit
 */
export function spansFasterThan(bpm: number, samples: ArrayLike<number>, rateHz: number): Span[] {
  const x: number[] = [];
  const signal = new ShockableSignal(rateHz, (value) => x.push(value));
  for (let i = 0; i < samples.length; i++) signal.push(samples[i]!);
  const size = WINDOW_S * SHOCKABLE_RATE_HZ;
  const spans: Span[] = [];
  for (let from = 0; from + size <= x.length; from += SHOCKABLE_RATE_HZ) {
    const periodS = periodOf(x.slice(from, from + size));
    const startS = from / SHOCKABLE_RATE_HZ;
    if (60 / periodS > bpm) spans.push({ startS, endS: startS + WINDOW_S });
  }
  return merge(spans);
}

/** Period of one window at 125 Hz, s; NaN where it does not repeat itself. */
export function periodOf(window: readonly number[]): number {
  const shortest = Math.round(FASTEST_S * SHOCKABLE_RATE_HZ);
  const longest = Math.round(SLOWEST_S * SHOCKABLE_RATE_HZ);
  const alike: number[] = [];
  // One lag more on both sides: a peak is higher than its neighbours.
  for (let lag = shortest - 1; lag <= longest + 1; lag++) alike.push(correlationAtLag(window, lag));
  const peaks = alike.flatMap((value, i) =>
    i > 0 && i + 1 < alike.length && value >= alike[i - 1]! && value > alike[i + 1]!
      ? [{ value, lag: shortest - 1 + i }]
      : [],
  );
  const best = Math.max(...peaks.map(({ value }) => value));
  if (!(best >= REPEATS)) return Number.NaN;
  return peaks.find(({ value }) => value >= AS_GOOD * best)!.lag / SHOCKABLE_RATE_HZ;
}

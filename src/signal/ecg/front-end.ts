/** The detector works at this rate, whatever the lead's own. */
export const DETECTOR_RATE_HZ = 128;

/** Samples each history holds (8 s): enough for the search-back's oldest candidate. A power of two. */
export const HISTORY = 1024;
const MASK = HISTORY - 1;

/** Every so many samples the running sums are taken anew, so that rounding errors cannot pile up. */
const RENEW_EVERY = 64;

/** Energies at or below this are silence in every unit a lead comes in (mV, uV, counts). */
export const SILENCE = 1e-9;

/** A sample of the combined energy is final this many samples after its time. */
const ENERGY_LAG = 21;
/** A candidate is the greatest within this many samples (78 ms) on both sides. */
const PEAK_REACH = 10;
/** Shares of the slow and the sharp band in what candidates are the maxima of. */
const SLOW_SHARE = 0.2;
const SHARP_SHARE = 1.5;

/** Places in `work`: rings of 64, then the running sums. */
const SHORT = 63;
const M5 = 0;
const M13 = 64;
const DIFFERENCE = 128;
const ENERGY_9 = 192;
const SLOW_PART = 256;
const PEAKINESS = 320;
const SHARP_PART = 384;
const SHARP_9 = 448;
const SUMS = 512;
const SUM_5 = SUMS;
const SUM_13 = SUMS + 1;
const SUM_33 = SUMS + 2;
const SUM_ENERGY_9 = SUMS + 3;
const SUM_ENERGY_7 = SUMS + 4;
const SUM_SLOW_11 = SUMS + 5;
const SUM_7 = SUMS + 6;
const SUM_SHARP_9 = SUMS + 7;
const SUM_SHARP_7 = SUMS + 8;
const SUM_COUNT = 9;

/**
 * The filters, all moving averages (after the integer filters of Pan and Tompkins 1985, with centred windows, so that the
 * delays cancel), at 128 Hz. For sample k:
 *
 * - `z` the signal; m5, m13, m33 its averages over 39, 102 and 258 ms;
 * - `a` = average of three of (m5 - m13): 5-20 Hz, the sharp part of a QRS;
 * - `energy` = |a| averaged over 9, then over 7;
 * - `slow` = |m13 - m33| averaged over 11: 2-6 Hz, wide ventricular beats;
 * - `b` = m3 - m7: 12-40 Hz, the sharpest part, which wander and electrode motion hardly reach;
 * - `sharp` = |b| averaged over 9;
 * - `peakiness` = energy + 0.2 slow + 1.5 sharp (averaged over 7 more), whose local maxima are the candidates.
 *
 * Everything is linear in the signal up to the absolute values, so gain and polarity drop out of every ratio.
 */
export class FrontEnd {
  /** Index of the newest sample. All histories are rings indexed by `k & (HISTORY - 1)`. */
  n = -1;
  readonly z = new Float64Array(HISTORY);
  readonly a = new Float64Array(HISTORY);
  readonly m33 = new Float64Array(HISTORY);
  readonly energy = new Float64Array(HISTORY);
  readonly slow = new Float64Array(HISTORY);
  readonly b = new Float64Array(HISTORY);
  readonly sharp = new Float64Array(HISTORY);
  /** Short-lived histories and running sums, in one array: the compiler then checks its bounds and finds its place once. */
  private readonly work = new Float64Array(SUMS + SUM_COUNT);

  /** Forget the past, as if the signal had always been 0; the next sample has index 0. */
  restart(): void {
    this.n = -1;
    this.z.fill(0);
    this.a.fill(0);
    this.m33.fill(0);
    this.energy.fill(0);
    this.slow.fill(0);
    this.b.fill(0);
    this.sharp.fill(0);
    this.work.fill(0);
  }

  /**
   * Takes the sample `source[0]`.
   * Returns the index of a candidate that became certain with it (31 samples back), or -1.
   */
  push(source: Float64Array): number {
    const n = ++this.n;
    const value = source[0]!;
    const { z, a, b, m33, energy, slow, sharp, work: w } = this;
    z[n & MASK] = value;
    const sum5 = w[SUM_5]! + value - z[(n - 5) & MASK]!;
    const sum13 = w[SUM_13]! + value - z[(n - 13) & MASK]!;
    const sum33 = w[SUM_33]! + value - z[(n - 33) & MASK]!;
    w[SUM_5] = sum5;
    w[SUM_13] = sum13;
    w[SUM_33] = sum33;
    w[M5 + ((n - 2) & SHORT)] = sum5 * (1 / 5);
    const average13 = sum13 * (1 / 13);
    w[M13 + ((n - 6) & SHORT)] = average13;
    const average33 = sum33 * (1 / 33);
    m33[(n - 16) & MASK] = average33;

    const sum7 = w[SUM_7]! + value - z[(n - 7) & MASK]!;
    w[SUM_7] = sum7;
    const average3 = (z[(n - 2) & MASK]! + z[(n - 3) & MASK]! + z[(n - 4) & MASK]!) * (1 / 3);
    const newestB = average3 - sum7 * (1 / 7);
    b[(n - 3) & MASK] = newestB;
    const sharpPart = Math.abs(newestB);
    w[SHARP_PART + ((n - 3) & SHORT)] = sharpPart;
    const sumSharp9 = w[SUM_SHARP_9]! + sharpPart - w[SHARP_PART + ((n - 12) & SHORT)]!;
    w[SUM_SHARP_9] = sumSharp9;
    const sharp9 = Math.max(0, sumSharp9 * (1 / 9));
    sharp[(n - 7) & MASK] = sharp9;
    w[SUM_SHARP_7] = w[SUM_SHARP_7]! + sharp9 - sharp[(n - 14) & MASK]!;
    w[SHARP_9 + ((n - 10) & SHORT)] = w[SUM_SHARP_7]! * (1 / 7);

    const difference = w[M5 + ((n - 6) & SHORT)]! - average13;
    w[DIFFERENCE + ((n - 6) & SHORT)] = difference;
    const newestA = (difference + w[DIFFERENCE + ((n - 7) & SHORT)]! + w[DIFFERENCE + ((n - 8) & SHORT)]!) * (1 / 3);
    a[(n - 7) & MASK] = newestA;

    const sumEnergy9 = w[SUM_ENERGY_9]! + Math.abs(newestA) - Math.abs(a[(n - 16) & MASK]!);
    w[SUM_ENERGY_9] = sumEnergy9;
    const energy9 = sumEnergy9 * (1 / 9);
    w[ENERGY_9 + ((n - 11) & SHORT)] = energy9;
    const sumEnergy7 = w[SUM_ENERGY_7]! + energy9 - w[ENERGY_9 + ((n - 18) & SHORT)]!;
    w[SUM_ENERGY_7] = sumEnergy7;
    energy[(n - 14) & MASK] = Math.max(0, sumEnergy7 * (1 / 7));

    const slowPart = Math.abs(w[M13 + ((n - 16) & SHORT)]! - average33);
    w[SLOW_PART + ((n - 16) & SHORT)] = slowPart;
    const sumSlow11 = w[SUM_SLOW_11]! + slowPart - w[SLOW_PART + ((n - 27) & SHORT)]!;
    w[SUM_SLOW_11] = sumSlow11;
    const slowNow = Math.max(0, sumSlow11 * (1 / 11));
    slow[(n - ENERGY_LAG) & MASK] = slowNow;
    w[PEAKINESS + ((n - ENERGY_LAG) & SHORT)] =
      energy[(n - ENERGY_LAG) & MASK]! + SLOW_SHARE * slowNow + SHARP_SHARE * w[SHARP_9 + ((n - ENERGY_LAG) & SHORT)]!;

    if ((n & (RENEW_EVERY - 1)) === 0) this.renewSums();
    return this.peakAt(n - ENERGY_LAG - PEAK_REACH);
  }

  /** How much of a peak there is at `k`, not more than 63 - 21 samples back. */
  peakiness(k: number): number {
    return this.work[PEAKINESS + (k & SHORT)]!;
  }

  /** Average of |z - m3| over 117 ms around `k`: muscle and mains. Needs `k + 8 <= n`. */
  roughness(k: number): number {
    const z = this.z;
    let sum = 0;
    let left = z[(k - 8) & MASK]!;
    let here = z[(k - 7) & MASK]!;
    for (let i = k - 7; i <= k + 7; i++) {
      const right = z[(i + 1) & MASK]!;
      sum += Math.abs(here - (left + here + right) * (1 / 3));
      left = here;
      here = right;
    }
    return sum / 15;
  }

  private peakAt(c: number): number {
    const w = this.work;
    const top = w[PEAKINESS + (c & SHORT)]!;
    if (top <= SILENCE || top <= w[PEAKINESS + ((c - 1) & SHORT)]! || top < w[PEAKINESS + ((c + 1) & SHORT)]!)
      return -1;
    for (let i = 2; i <= PEAK_REACH; i++) {
      if (w[PEAKINESS + ((c - i) & SHORT)]! >= top || w[PEAKINESS + ((c + i) & SHORT)]! > top) return -1;
    }
    return c;
  }

  private renewSums(): void {
    const { n, work: w } = this;
    w[SUM_5] = sumBack(this.z, 0, MASK, n, 5);
    w[SUM_13] = sumBack(this.z, 0, MASK, n, 13);
    w[SUM_7] = sumBack(this.z, 0, MASK, n, 7);
    w[SUM_SHARP_9] = sumBack(w, SHARP_PART, SHORT, n - 3, 9);
    w[SUM_SHARP_7] = sumBack(this.sharp, 0, MASK, n - 7, 7);
    w[SUM_33] = sumBack(this.z, 0, MASK, n, 33);
    let sum = 0;
    for (let k = n - 15; k <= n - 7; k++) sum += Math.abs(this.a[k & MASK]!);
    w[SUM_ENERGY_9] = sum;
    w[SUM_ENERGY_7] = sumBack(w, ENERGY_9, SHORT, n - 11, 7);
    w[SUM_SLOW_11] = sumBack(w, SLOW_PART, SHORT, n - 16, 11);
  }
}

/** Sum of `count` values that end with index `last`, of the ring of `mask + 1` values that starts at `from`. */
function sumBack(values: Float64Array, from: number, mask: number, last: number, count: number): number {
  let sum = 0;
  for (let k = last - count + 1; k <= last; k++) sum += values[from + (k & mask)]!;
  return sum;
}

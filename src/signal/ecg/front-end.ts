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
/** A candidate is the greatest within this many samples (94 ms) on both sides. */
const PEAK_REACH = 12;

/**
 * The filters, all moving averages (after the integer filters of Pan and Tompkins 1985, with centred windows, so that the
 * delays cancel), at 128 Hz. For sample k:
 *
 * - `z` the signal; m5, m13, m33 its averages over 39, 102 and 258 ms;
 * - `a` = average of three of (m5 - m13): 5-20 Hz, the sharp part of a QRS;
 * - `energy` = |a| averaged over 9, then over 7;
 * - `slow` = |m13 - m33| averaged over 11: 2-6 Hz, wide ventricular beats;
 * - `peakiness` = energy + 0.2 slow, whose local maxima are the candidates.
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
  private readonly m5 = new Float64Array(HISTORY);
  private readonly m13 = new Float64Array(HISTORY);
  private readonly difference = new Float64Array(HISTORY);
  private readonly energy9 = new Float64Array(HISTORY);
  private readonly slowPart = new Float64Array(HISTORY);
  private readonly peakiness = new Float64Array(HISTORY);
  private sum5 = 0;
  private sum13 = 0;
  private sum33 = 0;
  private sumEnergy9 = 0;
  private sumEnergy7 = 0;
  private sumSlow11 = 0;

  /** Forget the past, as if the signal had always been 0; the next sample has index 0. */
  restart(): void {
    this.n = -1;
    for (const ring of [
      this.z,
      this.a,
      this.m33,
      this.energy,
      this.slow,
      this.m5,
      this.m13,
      this.difference,
      this.energy9,
      this.slowPart,
      this.peakiness,
    ]) {
      ring.fill(0);
    }
    this.renewSums();
  }

  /**
   * Takes the sample `source[at]`; as an array and an index, because a fraction handed over alone would be boxed.
   * Returns the index of a candidate that became certain with it (33 samples back), or -1.
   */
  push(source: Float64Array, at: number): number {
    const n = ++this.n;
    const value = source[at]!;
    const { z, a, m5, m13, m33, difference, energy, energy9, slow, slowPart, peakiness } = this;
    z[n & MASK] = value;
    this.sum5 += value - z[(n - 5) & MASK]!;
    this.sum13 += value - z[(n - 13) & MASK]!;
    this.sum33 += value - z[(n - 33) & MASK]!;
    m5[(n - 2) & MASK] = this.sum5 / 5;
    const average13 = this.sum13 / 13;
    m13[(n - 6) & MASK] = average13;
    const average33 = this.sum33 / 33;
    m33[(n - 16) & MASK] = average33;

    const newestDifference = m5[(n - 6) & MASK]! - average13;
    difference[(n - 6) & MASK] = newestDifference;
    const newestA = (newestDifference + difference[(n - 7) & MASK]! + difference[(n - 8) & MASK]!) / 3;
    a[(n - 7) & MASK] = newestA;

    this.sumEnergy9 += Math.abs(newestA) - Math.abs(a[(n - 16) & MASK]!);
    const newestEnergy9 = this.sumEnergy9 / 9;
    energy9[(n - 11) & MASK] = newestEnergy9;
    this.sumEnergy7 += newestEnergy9 - energy9[(n - 18) & MASK]!;
    energy[(n - 14) & MASK] = this.sumEnergy7 > 0 ? this.sumEnergy7 / 7 : 0;

    const newestSlow = Math.abs(m13[(n - 16) & MASK]! - average33);
    slowPart[(n - 16) & MASK] = newestSlow;
    this.sumSlow11 += newestSlow - slowPart[(n - 27) & MASK]!;
    const slowNow = this.sumSlow11 > 0 ? this.sumSlow11 / 11 : 0;
    slow[(n - ENERGY_LAG) & MASK] = slowNow;
    peakiness[(n - ENERGY_LAG) & MASK] = energy[(n - ENERGY_LAG) & MASK]! + 0.2 * slowNow;

    if ((n & (RENEW_EVERY - 1)) === 0) this.renewSums();
    return this.peakAt(n - ENERGY_LAG - PEAK_REACH);
  }

  /** Average of |z - m3| over 117 ms around `k`: muscle and mains. Needs `k + 8 <= n`. */
  roughness(k: number): number {
    const z = this.z;
    let sum = 0;
    let left = z[(k - 8) & MASK]!;
    let here = z[(k - 7) & MASK]!;
    for (let i = k - 7; i <= k + 7; i++) {
      const right = z[(i + 1) & MASK]!;
      sum += Math.abs(here - (left + here + right) / 3);
      left = here;
      here = right;
    }
    return sum / 15;
  }

  private peakAt(c: number): number {
    const f = this.peakiness;
    const top = f[c & MASK]!;
    if (!(top > SILENCE && top > f[(c - 1) & MASK]! && top >= f[(c + 1) & MASK]!)) return -1;
    for (let i = 2; i <= PEAK_REACH; i++) {
      if (f[(c - i) & MASK]! >= top || f[(c + i) & MASK]! > top) return -1;
    }
    return c;
  }

  private renewSums(): void {
    const n = this.n;
    this.sum5 = sumBack(this.z, n, 5);
    this.sum13 = sumBack(this.z, n, 13);
    this.sum33 = sumBack(this.z, n, 33);
    let sum = 0;
    for (let k = n - 15; k <= n - 7; k++) sum += Math.abs(this.a[k & MASK]!);
    this.sumEnergy9 = sum;
    this.sumEnergy7 = sumBack(this.energy9, n - 11, 7);
    this.sumSlow11 = sumBack(this.slowPart, n - 16, 11);
  }
}

/** Sum of `count` values of a ring that end with index `last`. */
function sumBack(ring: Float64Array, last: number, count: number): number {
  let sum = 0;
  for (let k = last - count + 1; k <= last; k++) sum += ring[k & MASK]!;
  return sum;
}

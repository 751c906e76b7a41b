/** RR intervals kept: the longest look back any feature takes. */
export const RR_KEPT = 64;
/** How far a beat moves the running quantile, as a share of it. */
const HIGH_STEP = 0.02;

/** The last RR intervals of a stream, newest first, and what the features ask of them. All in ms. */
export class RrHistory {
  private readonly ring = new Float64Array(RR_KEPT);
  private readonly scratch = new Float64Array(RR_KEPT);
  private pushed = 0;
  private slow = 0;
  private high = 0;

  get count(): number {
    return Math.min(this.pushed, RR_KEPT);
  }

  /** Slow mean, up to about 350 beats back; 0 where nothing came yet. */
  get longMeanMs(): number {
    return this.slow;
  }

  /** The interval that one in ten of the last few hundred exceeds; 0 where nothing came yet. */
  get highMs(): number {
    return this.high;
  }

  push(rrMs: number): void {
    // A step up nine times as long as one down: it rests where one interval in ten is longer.
    const step = Math.max(HIGH_STEP, 0.5 / (this.pushed + 1));
    this.high = this.pushed === 0 ? rrMs : this.high * (rrMs > this.high ? 1 + 0.9 * step : 1 - 0.1 * step);
    this.ring[this.pushed % RR_KEPT] = rrMs;
    this.pushed++;
    this.slow += (rrMs - this.slow) * Math.max(1 / this.pushed, 1 / 350);
  }

  /** The interval `back` beats ago (0: the newest); `otherwise` where there is none. */
  ago(back: number, otherwise: number): number {
    return back < this.count ? this.ring[(this.pushed - 1 - back) % RR_KEPT]! : otherwise;
  }

  mean(of: number, otherwise: number): number {
    const n = Math.min(of, this.count);
    if (n === 0) return otherwise;
    let sum = 0;
    for (let back = 0; back < n; back++) sum += this.ago(back, 0);
    return sum / n;
  }

  deviation(of: number): number {
    const n = Math.min(of, this.count);
    if (n < 2) return 0;
    const mean = this.mean(n, 0);
    let sum = 0;
    for (let back = 0; back < n; back++) sum += (this.ago(back, 0) - mean) ** 2;
    return Math.sqrt(sum / n);
  }

  /** The q-quantile (nearest rank, interpolated) of the last `of` intervals. */
  quantile(q: number, of: number, otherwise: number): number {
    const n = Math.min(of, this.count);
    for (let back = 0; back < n; back++) this.scratch[back] = this.ago(back, 0);
    return this.quantileOfScratch(n, q, otherwise);
  }

  /** Mean of |RR(i) - RR(i - lag)| over the last `of` intervals. */
  meanChange(lag: number, of: number): number {
    const n = Math.min(of, this.count - lag);
    if (n <= 0) return 0;
    let sum = 0;
    for (let back = 0; back < n; back++) sum += Math.abs(this.ago(back, 0) - this.ago(back + lag, 0));
    return sum / n;
  }

  /** Median of |RR(i) - RR(i - 1)| over the last `of` intervals. */
  medianChange(of: number): number {
    const n = Math.max(0, Math.min(of, this.count - 1));
    for (let back = 0; back < n; back++) this.scratch[back] = Math.abs(this.ago(back, 0) - this.ago(back + 1, 0));
    return this.quantileOfScratch(n, 0.5, 0);
  }

  /** Smallest |log(rrMs / RR)| over the last `of` intervals: whether this heart has had such an interval of late. */
  nearest(rrMs: number, of: number): number {
    const n = Math.min(of, this.count);
    let least = Number.POSITIVE_INFINITY;
    for (let back = 0; back < n; back++) least = Math.min(least, Math.abs(Math.log(rrMs / this.ago(back, rrMs))));
    return n === 0 ? 0 : least;
  }

  /** Share of the last `of` intervals that are shorter than `rrMs`; 0.5 where nothing came yet. */
  rank(rrMs: number, of: number): number {
    const n = Math.min(of, this.count);
    if (n === 0) return 0.5;
    let shorter = 0;
    for (let back = 0; back < n; back++) if (this.ago(back, 0) < rrMs) shorter++;
    return shorter / n;
  }

  private quantileOfScratch(n: number, q: number, otherwise: number): number {
    if (n === 0) return otherwise;
    // Insertion sort: n is at most 64 and the values are half sorted already; it allocates nothing.
    const values = this.scratch;
    for (let i = 1; i < n; i++) {
      const value = values[i]!;
      let k = i - 1;
      for (; k >= 0 && values[k]! > value; k--) values[k + 1] = values[k]!;
      values[k + 1] = value;
    }
    const at = q * (n - 1);
    const low = Math.floor(at);
    const high = Math.min(n - 1, low + 1);
    return values[low]! + (at - low) * (values[high]! - values[low]!);
  }
}

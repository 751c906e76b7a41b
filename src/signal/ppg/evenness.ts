/** Several breaths of a fast heart; one at the least. */
const KEPT = 24;
const FEWEST = 14;

/**
 * How even the last pulses are in size and in time. No living pulse is quite even: breathing changes its size by several
 * percent (Meredith 2012, "Photoplethysmographic derivation of respiratory rate", J Med Eng Technol 36:1-7) and mostly its interval too. The flicker
 * of a lamp that the sampling folds into the pulse band is, whatever its form.
 */
export class PulseEvenness {
  private readonly sizes = new Float64Array(KEPT);
  private readonly times = new Float64Array(KEPT);
  private count = 0;

  clear(): void {
    this.count = 0;
  }

  /** A pulse of this size (any unit) at this time (samples, with fraction). */
  push(size: number, time: number): void {
    this.sizes[this.count % KEPT] = size;
    this.times[this.count % KEPT] = time;
    this.count++;
  }

  get known(): boolean {
    return this.count >= FEWEST;
  }

  /** Standard deviation of the sizes, as a share of their mean. */
  get sizeSpread(): number {
    const n = Math.min(this.count, KEPT);
    let sum = 0;
    for (let i = 0; i < n; i++) sum += this.sizes[i]!;
    const mean = sum / n;
    let squares = 0;
    for (let i = 0; i < n; i++) squares += (this.sizes[i]! - mean) ** 2;
    return mean > 0 ? Math.sqrt(squares / n) / mean : 1;
  }

  /** Mean interval, samples. */
  get interval(): number {
    const n = Math.min(this.count, KEPT);
    return (this.timeBack(0) - this.timeBack(n - 1)) / (n - 1);
  }

  /** Standard deviation of the intervals, as a share of their mean. */
  get intervalSpread(): number {
    const n = Math.min(this.count, KEPT);
    const mean = this.interval;
    let squares = 0;
    for (let i = 0; i + 1 < n; i++) squares += (this.timeBack(i) - this.timeBack(i + 1) - mean) ** 2;
    return mean > 0 ? Math.sqrt(squares / (n - 1)) / mean : 1;
  }

  private timeBack(back: number): number {
    return this.times[(this.count - 1 - back) % KEPT]!;
  }
}

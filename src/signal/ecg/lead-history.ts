/** The last 8 s of the lead at its own rate, to place the R peak to the sample. */
export class LeadHistory {
  private readonly ring: Float64Array;
  private readonly mask: number;
  private newest = -1;

  constructor(rateHz: number) {
    const size = 2 ** Math.ceil(Math.log2(8 * rateHz + 16));
    this.ring = new Float64Array(size);
    this.mask = size - 1;
  }

  push(index: number, value: number): void {
    this.ring[index & this.mask] = value;
    this.newest = index;
  }

  /** Index of the highest (or lowest) value of the lead, smoothed by [1 2 1], within `reach` of `centre`. */
  extremum(centre: number, reach: number, up: boolean): number {
    const from = Math.max(0, Math.ceil(centre - reach));
    const to = Math.min(this.newest, Math.floor(centre + reach));
    const sign = up ? 1 : -1;
    let best = Math.max(0, Math.min(this.newest, Math.round(centre)));
    let top = -Infinity;
    for (let i = from; i <= to; i++) {
      const v = sign * (this.value(i - 1) + 2 * this.value(i) + this.value(i + 1));
      if (v > top) {
        top = v;
        best = i;
      }
    }
    return best;
  }

  private value(index: number): number {
    const i = index > this.newest ? this.newest : index < 0 ? 0 : index;
    return this.ring[i & this.mask]!;
  }
}

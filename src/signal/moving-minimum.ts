/** Least of the last `length` values. Each value enters and leaves its queue of rising values once. */
export class MovingMinimum {
  private readonly values: Float64Array;
  private readonly ages: Float64Array;
  private readonly mask: number;
  private from = 0;
  private to = 0;
  private count = 0;

  /** @param length window in samples, at least 1 */
  constructor(private readonly length: number) {
    const size = 2 ** Math.ceil(Math.log2(length + 1));
    this.values = new Float64Array(size);
    this.ages = new Float64Array(size);
    this.mask = size - 1;
  }

  push(value: number): number {
    const { values, ages, mask } = this;
    const now = this.count++;
    while (this.to > this.from && values[(this.to - 1) & mask]! >= value) this.to--;
    values[this.to & mask] = value;
    ages[this.to & mask] = now;
    this.to++;
    if (now - ages[this.from & mask]! >= this.length) this.from++;
    return values[this.from & mask]!;
  }

  clear(): void {
    this.from = 0;
    this.to = 0;
    this.count = 0;
  }
}

/** Running mean of the last `length` values. The sum is rebuilt once a turn of the buffer, so rounding never adds up. */
export class MovingMean {
  private readonly values: Float64Array;
  private filled = 0;
  private at = 0;
  private sum = 0;

  /** @param length window in samples, at least 1 */
  constructor(length: number) {
    this.values = new Float64Array(length);
  }

  push(value: number): number {
    const { values } = this;
    if (this.filled === values.length) this.sum -= values[this.at]!;
    else this.filled++;
    values[this.at] = value;
    this.sum += value;
    this.at++;
    if (this.at === values.length) {
      this.at = 0;
      this.sum = 0;
      for (let i = 0; i < values.length; i++) this.sum += values[i]!;
    }
    return this.sum / this.filled;
  }

  clear(): void {
    this.filled = 0;
    this.at = 0;
    this.sum = 0;
  }
}

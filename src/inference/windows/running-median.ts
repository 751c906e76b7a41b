/** Median of the last few values. */
export class RunningMedian {
  private readonly ring: Float64Array;
  private readonly sorted: Float64Array;
  private pushed = 0;

  constructor(size: number) {
    this.ring = new Float64Array(size);
    this.sorted = new Float64Array(size);
  }

  /** @returns the median of the last values, this one included */
  push(value: number): number {
    const { ring, sorted } = this;
    const size = ring.length;
    let held = Math.min(this.pushed, size);
    if (held === size) {
      // The oldest leaves the sorted row.
      const oldest = ring[this.pushed % size]!;
      let at = 0;
      while (sorted[at] !== oldest) at++;
      for (; at < size - 1; at++) sorted[at] = sorted[at + 1]!;
      held--;
    }
    let at = held;
    for (; at > 0 && sorted[at - 1]! > value; at--) sorted[at] = sorted[at - 1]!;
    sorted[at] = value;
    held++;
    ring[this.pushed % size] = value;
    this.pushed++;
    return (sorted[held >> 1]! + sorted[(held - 1) >> 1]!) / 2;
  }
}

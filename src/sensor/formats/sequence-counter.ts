/** Tells from a device's running number how many frames are missing. */
export class SequenceCounter {
  private last = -1;

  /**
   * @param modulus where the number wraps to 0
   * @param mostMissing a bigger jump is a device that was switched off and on, not a gap
   */
  constructor(
    private readonly modulus: number,
    private readonly mostMissing: number = modulus - 2,
  ) {}

  /** How many frames are missing ahead of this one; -1 where it carries the same number as the one before. */
  missing(sequence: number): number {
    const { last, modulus, mostMissing } = this;
    this.last = sequence;
    if (last < 0) return 0;
    const missing = ((sequence - last + modulus) % modulus) - 1;
    return missing > mostMissing ? 0 : missing;
  }

  reset(): void {
    this.last = -1;
  }
}

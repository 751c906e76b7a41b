/** A second-order filter section, transposed direct form II. */
export class Biquad {
  private s1 = 0;
  private s2 = 0;

  constructor(
    private readonly b0: number,
    private readonly b1: number,
    private readonly b2: number,
    private readonly a1: number,
    private readonly a2: number,
  ) {}

  push(x: number): number {
    const y = this.b0 * x + this.s1;
    this.s1 = this.b1 * x - this.a1 * y + this.s2;
    this.s2 = this.b2 * x - this.a2 * y;
    return y;
  }

  /** State as if the input had always been `x`, so that an offset makes no step. */
  settle(x: number): void {
    const y = (x * (this.b0 + this.b1 + this.b2)) / (1 + this.a1 + this.a2);
    this.s2 = this.b2 * x - this.a2 * y;
    this.s1 = this.b1 * x - this.a1 * y + this.s2;
  }
}

/** Butterworth (Q = 0.7071) sections after the "Audio EQ Cookbook" (R. Bristow-Johnson, W3C note). */
export function lowPass(cutHz: number, rateHz: number): Biquad {
  const { cos, alpha } = angles(cutHz, rateHz);
  const a0 = 1 + alpha;
  return new Biquad((1 - cos) / 2 / a0, (1 - cos) / a0, (1 - cos) / 2 / a0, (-2 * cos) / a0, (1 - alpha) / a0);
}

export function highPass(cutHz: number, rateHz: number): Biquad {
  const { cos, alpha } = angles(cutHz, rateHz);
  const a0 = 1 + alpha;
  return new Biquad((1 + cos) / 2 / a0, -(1 + cos) / a0, (1 + cos) / 2 / a0, (-2 * cos) / a0, (1 - alpha) / a0);
}

function angles(cutHz: number, rateHz: number) {
  const w = (2 * Math.PI * cutHz) / rateHz;
  return { cos: Math.cos(w), alpha: Math.sin(w) * Math.SQRT1_2 };
}

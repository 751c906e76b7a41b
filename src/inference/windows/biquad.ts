/** One second-order section, transposed direct form II. */
export class Biquad {
  private z1 = 0;
  private z2 = 0;

  private constructor(
    private readonly b0: number,
    private readonly b1: number,
    private readonly b2: number,
    private readonly a1: number,
    private readonly a2: number,
  ) {}

  /** Butterworth, second order, by the bilinear transform (Oppenheim & Schafer, ch. 7). */
  static lowPass(cutoffHz: number, rateHz: number): Biquad {
    const k = Math.tan((Math.PI * cutoffHz) / rateHz);
    const norm = 1 / (1 + Math.SQRT2 * k + k * k);
    const b0 = k * k * norm;
    return new Biquad(b0, 2 * b0, b0, 2 * (k * k - 1) * norm, (1 - Math.SQRT2 * k + k * k) * norm);
  }

  static highPass(cutoffHz: number, rateHz: number): Biquad {
    const k = Math.tan((Math.PI * cutoffHz) / rateHz);
    const norm = 1 / (1 + Math.SQRT2 * k + k * k);
    return new Biquad(norm, -2 * norm, norm, 2 * (k * k - 1) * norm, (1 - Math.SQRT2 * k + k * k) * norm);
  }

  /** Band pass with unit gain at its centre ("Audio EQ Cookbook", R. Bristow-Johnson, W3C note). */
  static bandPass(centreHz: number, widthHz: number, rateHz: number): Biquad {
    const w = (2 * Math.PI * centreHz) / rateHz;
    const alpha = (Math.sin(w) * widthHz) / (2 * centreHz);
    const norm = 1 / (1 + alpha);
    return new Biquad(alpha * norm, 0, -alpha * norm, -2 * Math.cos(w) * norm, (1 - alpha) * norm);
  }

  next(value: number): number {
    const out = this.b0 * value + this.z1;
    this.z1 = this.b1 * value - this.a1 * out + this.z2;
    this.z2 = this.b2 * value - this.a2 * out;
    return out;
  }

  reset(): void {
    this.z1 = 0;
    this.z2 = 0;
  }
}

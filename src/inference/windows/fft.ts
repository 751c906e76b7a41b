/** A complex fast Fourier transform of one size, in place, radix 2 (Cooley & Tukey 1965). Nothing is allocated per call. */
export class Fft {
  private readonly cosines: Float64Array;
  private readonly sines: Float64Array;
  private readonly order: Uint16Array;

  /** @param size a power of two up to 65536 */
  constructor(readonly size: number) {
    const bits = Math.log2(size);
    if (!Number.isInteger(bits) || bits > 16) throw new RangeError(`the size must be a power of two, is ${size}`);
    this.cosines = Float64Array.from({ length: size / 2 }, (_, i) => Math.cos((2 * Math.PI * i) / size));
    this.sines = Float64Array.from({ length: size / 2 }, (_, i) => Math.sin((2 * Math.PI * i) / size));
    this.order = new Uint16Array(size);
    for (let i = 0; i < size; i++) {
      let reversed = 0;
      for (let bit = 0; bit < bits; bit++) if (i & (1 << bit)) reversed |= 1 << (bits - 1 - bit);
      this.order[i] = reversed;
    }
  }

  /** Transforms; `inverse` without the division by the size. */
  run(re: Float64Array, im: Float64Array, inverse = false): void {
    const { size, cosines, sines, order } = this;
    for (let i = 0; i < size; i++) {
      const j = order[i]!;
      if (j <= i) continue;
      const r = re[i]!;
      re[i] = re[j]!;
      re[j] = r;
      const m = im[i]!;
      im[i] = im[j]!;
      im[j] = m;
    }
    const sign = inverse ? 1 : -1;
    for (let half = 1; half < size; half *= 2) {
      const stride = size / (2 * half);
      for (let start = 0; start < size; start += 2 * half) {
        for (let k = 0; k < half; k++) {
          const c = cosines[k * stride]!;
          const s = sign * sines[k * stride]!;
          const a = start + k;
          const b = a + half;
          const r = re[b]! * c - im[b]! * s;
          const m = re[b]! * s + im[b]! * c;
          re[b] = re[a]! - r;
          im[b] = im[a]! - m;
          re[a]! += r;
          im[a]! += m;
        }
      }
    }
  }
}

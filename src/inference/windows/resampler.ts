/**
 * Brings a sample stream of any rate to a fixed one, sample by sample: a Kaiser-windowed sinc, cut off at 80 % of the
 * lower of the two Nyquist rates (Smith, "Digital Audio Resampling"; Kaiser 1974 for the window). Causal but for its own
 * half width, allocation-free, exact for DC.
 */
export class Resampler {
  private readonly step: number;
  private readonly half: number;
  private readonly taps: number;
  private readonly table: Float64Array;
  private readonly ring: Float64Array;
  private readonly mask: number;
  private received = 0;
  private produced = 0;

  /**
   * @param rateHz of the values pushed
   * @param outRateHz of the values handed to `emit`; output j stands at input position j * rateHz / outRateHz
   */
  constructor(
    rateHz: number,
    outRateHz: number,
    private readonly emit: (value: number) => void,
  ) {
    if (!(rateHz > 0) || !Number.isFinite(rateHz)) throw new RangeError(`rateHz must be positive, is ${rateHz}`);
    this.step = rateHz / outRateHz;
    const wide = Math.max(1, this.step);
    this.half = Math.ceil(HALF_WIDTH * wide);
    this.taps = 2 * this.half;
    this.table = kernels(this.half, 0.8 / wide, HALF_WIDTH * wide);
    const size = 2 ** Math.ceil(Math.log2(this.taps + 2));
    this.ring = new Float64Array(size);
    this.mask = size - 1;
  }

  push(value: number): void {
    // What came before the first sample is taken to have been like it.
    if (this.received === 0) this.ring.fill(value);
    this.ring[this.received & this.mask] = value;
    this.received++;
    for (;;) {
      const at = this.produced * this.step;
      const left = Math.floor(at + 0.5 / PHASES);
      if (left + this.half >= this.received) return;
      this.emit(this.valueAt(left, Math.floor((at - left) * PHASES + 0.5)));
      this.produced++;
    }
  }

  /** A new stretch begins: what came before is taken to have been `value` throughout. Positions go on. */
  restart(value: number): void {
    this.ring.fill(value);
  }

  private valueAt(left: number, phase: number): number {
    const { ring, mask, table, taps } = this;
    const first = left - this.half + 1;
    const row = Math.max(0, phase) * taps;
    let sum = 0;
    for (let k = 0; k < taps; k++) sum += table[row + k]! * ring[(first + k) & mask]!;
    return sum;
  }
}

/** Half width of the sinc, in samples of the slower rate: 47 ms at 128 Hz. */
const HALF_WIDTH = 6;
/** Positions between two input samples for which a kernel is kept. */
const PHASES = 128;
/** Kaiser's beta: about 60 dB of stop band. */
const BETA = 5.65;

function kernels(half: number, cutoff: number, reach: number): Float64Array {
  const taps = 2 * half;
  const table = new Float64Array((PHASES + 1) * taps);
  for (let phase = 0; phase <= PHASES; phase++) {
    let sum = 0;
    for (let k = 0; k < taps; k++) {
      const x = k - half + 1 - phase / PHASES;
      const edge = x / reach;
      const window = Math.abs(edge) < 1 ? bessel0(BETA * Math.sqrt(1 - edge * edge)) / bessel0(BETA) : 0;
      const sinc = x === 0 ? 1 : Math.sin(Math.PI * cutoff * x) / (Math.PI * cutoff * x);
      table[phase * taps + k] = window * sinc;
      sum += window * sinc;
    }
    for (let k = 0; k < taps; k++) table[phase * taps + k]! /= sum;
  }
  return table;
}

/** Modified Bessel function of the first kind, order 0, by its power series. */
function bessel0(x: number): number {
  let term = 1;
  let sum = 1;
  for (let k = 1; term > 1e-12 * sum; k++) {
    term *= (x / (2 * k)) ** 2;
    sum += term;
  }
  return sum;
}

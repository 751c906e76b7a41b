/**
 * Resampling by a rational factor with a polyphase anti-alias filter. Filter and defaults are those of
 * scipy.signal.resample_poly: a Kaiser-windowed sinc (beta 5) of 10 periods of the lower rate on each side, cut off at the
 * lower of the two Nyquist frequencies; what lies outside the signal is 0. See Kaiser (1974) for the window and Crochiere
 * and Rabiner, "Multirate Digital Signal Processing" (1983), for the structure.
 */
export interface ResampleOptions {
  /** Half length of the filter in samples of the lower rate. */
  readonly halfWidth?: number;
  /** Kaiser's beta: larger is a deeper stop band and a wider transition. */
  readonly beta?: number;
  /** What lies before the first and after the last sample: 0 as scipy takes it, or the end values. */
  readonly edges?: 'zero' | 'hold';
}

/** Largest numerator and denominator of a factor: 48,000 Hz to 44,100 Hz is 147 / 160. */
const MAX_FACTOR = 5000;

/**
 * The factor `up / down` that makes `toHz` of `fromHz`, in lowest terms.
 * @throws RangeError where no fraction of whole numbers up to 5,000 comes within 1e-7 (9 ms a day)
 */
export function rationalFactor(fromHz: number, toHz: number): { up: number; down: number } {
  if (!(fromHz > 0 && toHz > 0 && Number.isFinite(fromHz) && Number.isFinite(toHz))) {
    throw new RangeError(`rates must be above 0, not ${fromHz} and ${toHz}`);
  }
  const wanted = toHz / fromHz;
  // Convergents of the continued fraction: the best fraction for each size of denominator.
  let [p0, q0, p1, q1] = [0, 1, 1, 0];
  let rest = wanted;
  for (;;) {
    const whole = Math.floor(rest);
    [p0, q0, p1, q1] = [p1, q1, whole * p1 + p0, whole * q1 + q0];
    if (p1 > MAX_FACTOR || q1 > MAX_FACTOR) {
      throw new RangeError(`${fromHz} Hz to ${toHz} Hz is no fraction of whole numbers up to ${MAX_FACTOR}`);
    }
    if (p1 > 0 && Math.abs(p1 / q1 / wanted - 1) < 1e-7) return { up: p1, down: q1 };
    rest = 1 / (rest - whole);
  }
}

/** Resamples a signal piece by piece: memory is that of the filter, whatever the signal's length. */
export class PolyphaseResampler {
  private readonly filter: Float64Array;
  private readonly half: number;
  private readonly hold: boolean;
  /** The samples that later outputs still need, and the place of the first of them. */
  private tail = new Float64Array(0);
  private tailStart = 0;
  private received = 0;
  private produced = 0;
  private firstValue = 0;

  constructor(
    private readonly up: number,
    private readonly down: number,
    options: ResampleOptions = {},
  ) {
    if (!Number.isInteger(up) || !Number.isInteger(down) || up < 1 || down < 1) {
      throw new RangeError(`factors must be whole numbers above 0, not ${up} / ${down}`);
    }
    const longer = Math.max(up, down);
    this.half = up === 1 && down === 1 ? 0 : Math.round((options.halfWidth ?? 10) * longer);
    this.filter = kaiserSinc(this.half, 1 / longer, options.beta ?? 5, up);
    this.hold = options.edges === 'hold';
  }

  /** The outputs that `samples` complete. */
  push(samples: ArrayLike<number>): Float32Array {
    if (samples.length === 0) return new Float32Array(0);
    if (this.received === 0) this.firstValue = samples[0]!;
    const grown = new Float64Array(this.tail.length + samples.length);
    grown.set(this.tail);
    grown.set(samples, this.tail.length);
    this.tail = grown;
    this.received += samples.length;
    // Output m reaches up to input floor((m * down + half) / up).
    const ready = Math.floor((this.received * this.up - 1 - this.half) / this.down) + 1;
    return this.make(Math.max(ready, this.produced));
  }

  /** The outputs that are left: ceil(samples * up / down) in all. */
  end(): Float32Array {
    return this.make(Math.ceil((this.received * this.up) / this.down));
  }

  private make(until: number): Float32Array {
    const { up, down, half, filter, tail, tailStart, received } = this;
    const out = new Float32Array(Math.max(0, until - this.produced));
    const lastValue = tail[received - 1 - tailStart] ?? 0;
    for (let i = 0; i < out.length; i++) {
      const centre = (this.produced + i) * down;
      const from = Math.ceil((centre - half) / up);
      const to = Math.floor((centre + half) / up);
      let sum = 0;
      for (let n = from; n <= to; n++) {
        const value =
          n >= 0 && n < received ? tail[n - tailStart]! : this.hold ? (n < 0 ? this.firstValue : lastValue) : 0;
        sum += value * filter[centre - n * up + half]!;
      }
      out[i] = sum;
    }
    this.produced += out.length;
    const needed = Math.max(0, Math.min(received - 1, Math.ceil((this.produced * down - half) / up)));
    if (needed > tailStart) {
      this.tail = tail.slice(needed - tailStart);
      this.tailStart = needed;
    }
    return out;
  }
}

/** A whole signal at `up / down` times its rate; sample j of the result stands at j * down / up of the input. */
export function resample(
  samples: ArrayLike<number>,
  up: number,
  down: number,
  options: ResampleOptions = {},
): Float32Array {
  const resampler = new PolyphaseResampler(up, down, options);
  const most = resampler.push(samples);
  const rest = resampler.end();
  const all = new Float32Array(most.length + rest.length);
  all.set(most);
  all.set(rest, most.length);
  return all;
}

/** A low-pass filter of 2 * half + 1 taps with unit gain times `gain`; `cutoff` as a share of the Nyquist frequency. */
function kaiserSinc(half: number, cutoff: number, beta: number, gain: number): Float64Array {
  const taps = new Float64Array(2 * half + 1);
  let sum = 0;
  for (let i = 0; i < taps.length; i++) {
    const x = i - half;
    const sinc = x === 0 ? 1 : Math.sin(Math.PI * cutoff * x) / (Math.PI * cutoff * x);
    const window = half === 0 ? 1 : bessel0(beta * Math.sqrt(Math.max(0, 1 - (x / half) ** 2)));
    taps[i] = sinc * window;
    sum += taps[i]!;
  }
  return taps.map((tap) => (tap / sum) * gain);
}

/** Modified Bessel function of the first kind, order 0, by its power series. */
function bessel0(x: number): number {
  let term = 1;
  let sum = 1;
  for (let k = 1; term > sum * 1e-17; k++) {
    term *= (x / (2 * k)) ** 2;
    sum += term;
  }
  return sum;
}

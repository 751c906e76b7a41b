import { Biquad } from './biquad.js';
import { Fft } from './fft.js';

/** Rate at which the shockable model looks at the signal. */
export const SHOCKABLE_RATE_HZ = 125;
/** Samples of a window: 4 s. */
export const SHOCKABLE_SAMPLES = 4 * SHOCKABLE_RATE_HZ;

/** What the features are, in order. */
export const SHOCKABLE_FEATURES = [
  // Share of |13-16.5 Hz| per second in [mean, max], [mean - MD, mean + MD], [max / 2, max] (Jekova & Krasteva 2004).
  'count1',
  'count2',
  'count3',
  // Shares of the power of 0.5-30 Hz.
  'power0to2',
  'power2to8',
  'power8to20',
  'power20to30',
  // Share of a 40 x 40 grid that the signal visits, drawn against its Hilbert transform and against itself 0.5 s ago (Amann 2007).
  'hilbertCells',
  'phaseCells',
  // What remains when the signal is added to itself half a period ago (Kuo & Dillman 1978).
  'leakage',
  // First spectral moment, and shares of the spectrum below, at and at the harmonics of its peak (Barro 1989).
  'spectralMoment',
  'spectralA1',
  'spectralA2',
  'spectralA3',
  'smallSlopes',
  'meanToMax',
  'logKurtosis',
  // Share of samples above 20 % of the largest in 3 s with tapered ends (Arafat 2011).
  'thresholdCrossing',
  'spectralEntropy',
  'nearBaseline',
  'spectralPeakHz',
  'periodLag',
  'periodHeight',
  'crossingInterval',
  // Against the sensor's usual height.
  'logHeight',
  'logDeviation',
  'zeroCrossings',
  'medianCrossings',
  'steepness',
  'skewness',
] as const;

/** Bins of the 512-point spectrum, 0.244 Hz apart. */
const SPECTRUM = 512;
const bin = (hz: number) => Math.round((hz * SPECTRUM) / SHOCKABLE_RATE_HZ);
const LOWEST = bin(0.5);
const HIGHEST = bin(30);
const PEAK_TO = bin(9);
const GRID = 40;
const SECOND = SHOCKABLE_RATE_HZ;
/** Autocorrelation is looked at between these lags: 40 to 500 a minute. */
const LAG = { from: Math.round(0.12 * SECOND), to: Math.round(1.5 * SECOND) } as const;

/** Figures of 4 s of one lead that tell fibrillation and fast ventricular rhythms from others; no allocation per call. */
export class ShockableFeatures {
  private readonly fft = new Fft(SPECTRUM);
  private readonly re = new Float64Array(SPECTRUM);
  private readonly im = new Float64Array(SPECTRUM);
  private readonly magnitude = new Float64Array(SPECTRUM / 2);
  private readonly filter = Biquad.bandPass(14.65, 3.5, SHOCKABLE_RATE_HZ);
  private readonly band = new Float64Array(SHOCKABLE_SAMPLES);
  private readonly sorted = new Float64Array(SHOCKABLE_SAMPLES);
  private readonly cells = new Uint8Array(GRID * GRID);
  private readonly taper = Float64Array.from({ length: 3 * SECOND }, (_, i) => edge(i, 3 * SECOND));

  /**
   * @param x 500 samples at 125 Hz, 1-30 Hz, mean taken off
   * @param usual the sensor's usual height, in the same unit
   * @param out one value per SHOCKABLE_FEATURES
   */
  write(x: Float64Array, usual: number, out: Float32Array): void {
    const { magnitude } = this;
    const n = SHOCKABLE_SAMPLES;
    let low = 0;
    let high = 0;
    let sumAbs = 0;
    let square = 0;
    let cube = 0;
    let fourth = 0;
    for (let i = 0; i < n; i++) {
      const v = x[i]!;
      if (v < low) low = v;
      if (v > high) high = v;
      sumAbs += Math.abs(v);
      square += v * v;
      cube += v * v * v;
      fourth += v * v * v * v;
    }
    const height = high - low;
    if (!(height > 0)) {
      // A dead line: nothing of it looks like a heart.
      out.fill(0);
      return;
    }
    const deviation = Math.sqrt(square / n);
    const largest = Math.max(high, -low);

    let at = 0;
    this.counts(x, out);
    at = 3;

    this.spectrum(x);
    let total = 0;
    let peak = LOWEST;
    for (let k = LOWEST; k <= HIGHEST; k++) {
      total += magnitude[k]! ** 2;
      if (k <= PEAK_TO && magnitude[k]! > magnitude[peak]!) peak = k;
    }
    const power = (fromHz: number, toHz: number) => {
      let sum = 0;
      for (let k = bin(fromHz); k < bin(toHz); k++) sum += magnitude[k]! ** 2;
      return sum / total;
    };
    out[at++] = power(0.5, 2);
    out[at++] = power(2, 8);
    out[at++] = power(8, 20);
    out[at++] = power(20, 30);

    // The analytic signal: negative frequencies gone.
    out[at++] = this.hilbertCells(x);
    out[at++] = this.visited(x, x, SECOND >> 1);

    let slopes = 0;
    let steepest = 0;
    for (let i = 1; i < n; i++) {
      const d = Math.abs(x[i]! - x[i - 1]!);
      slopes += d;
      if (d > steepest) steepest = d;
    }
    const half = Math.max(1, Math.min(n >> 1, Math.round((Math.PI * sumAbs) / slopes)));
    let rest = 0;
    let whole = 0;
    for (let i = half; i < n; i++) {
      rest += Math.abs(x[i]! + x[i - half]!);
      whole += Math.abs(x[i]!) + Math.abs(x[i - half]!);
    }
    out[at++] = whole > 0 ? rest / whole : 1;

    // Barro's four: amplitudes up to twenty times the peak's frequency.
    const to = Math.min(HIGHEST, 20 * peak);
    let amplitude = 0;
    let moment = 0;
    let below = 0;
    let around = 0;
    let harmonics = 0;
    for (let k = LOWEST; k <= to; k++) {
      const a = magnitude[k]!;
      amplitude += a;
      moment += a * k;
      if (k <= peak / 2) below += a;
      if (k >= 0.7 * peak && k <= 1.4 * peak) around += a;
      const order = Math.round(k / peak);
      if (order >= 2 && order <= 8 && Math.abs(k - order * peak) <= 1.3) harmonics += a;
    }
    out[at++] = moment / amplitude / peak;
    out[at++] = below / amplitude;
    out[at++] = around / amplitude;
    out[at++] = harmonics / amplitude;

    let small = 0;
    for (let i = 1; i < n; i++) if (Math.abs(x[i]! - x[i - 1]!) < 0.05 * steepest) small++;
    out[at++] = small / n;
    out[at++] = (meanToMax(x, 0, n / 2) + meanToMax(x, n / 2, n)) / 2;
    out[at++] = Math.log(fourth / n / deviation ** 4);
    out[at++] = (this.thresholdCrossing(x, 0) + this.thresholdCrossing(x, SECOND)) / 2;

    let entropy = 0;
    for (let k = LOWEST; k <= HIGHEST; k++) {
      const p = magnitude[k]! ** 2 / total;
      if (p > 0) entropy -= p * Math.log(p);
    }
    out[at++] = entropy / Math.log(HIGHEST - LOWEST + 1);
    let near = 0;
    for (let i = 0; i < n; i++) if (Math.abs(x[i]!) < 0.1 * largest) near++;
    out[at++] = near / n;
    out[at++] = (peak * SHOCKABLE_RATE_HZ) / SPECTRUM;

    const period = autocorrelationPeak(x);
    out[at++] = period.lag / SECOND;
    out[at++] = period.height;
    out[at++] = crossingInterval(x);
    out[at++] = Math.log(Math.max(1e-3, height / usual));
    out[at++] = Math.log(Math.max(1e-3, (10 * deviation) / usual));
    out[at++] = crossings(x, 0) / n;
    this.sorted.set(x);
    this.sorted.sort();
    out[at++] = crossings(x, this.sorted[n >> 1]!) / n;
    out[at++] = steepest / height;
    out[at++] = Math.abs(cube / n / deviation ** 3);
  }

  private counts(x: Float64Array, out: Float32Array): void {
    const { band, filter } = this;
    filter.reset();
    for (let i = 0; i < x.length; i++) band[i] = Math.abs(filter.next(x[i]!));
    let one = 0;
    let two = 0;
    let three = 0;
    for (let from = 0; from < x.length; from += SECOND) {
      let max = 0;
      let mean = 0;
      for (let i = from; i < from + SECOND; i++) {
        if (band[i]! > max) max = band[i]!;
        mean += band[i]! / SECOND;
      }
      let spread = 0;
      for (let i = from; i < from + SECOND; i++) spread += Math.abs(band[i]! - mean) / SECOND;
      for (let i = from; i < from + SECOND; i++) {
        const v = band[i]!;
        if (v >= mean) one++;
        if (Math.abs(v - mean) <= spread) two++;
        if (v >= max / 2) three++;
      }
    }
    out[0] = one / x.length;
    out[1] = two / x.length;
    out[2] = three / x.length;
  }

  private spectrum(x: Float64Array): void {
    const { re, im, magnitude, fft } = this;
    re.fill(0);
    im.fill(0);
    // Hamming's window, so that the ends of the cut do not leak.
    for (let i = 0; i < x.length; i++) re[i] = x[i]! * (0.54 - 0.46 * Math.cos((2 * Math.PI * i) / (x.length - 1)));
    fft.run(re, im);
    for (let k = 0; k < magnitude.length; k++) magnitude[k] = Math.hypot(re[k]!, im[k]!);
  }

  private hilbertCells(x: Float64Array): number {
    const { re, im, fft } = this;
    re.fill(0);
    im.fill(0);
    for (let i = 0; i < x.length; i++) re[i] = x[i]!;
    fft.run(re, im);
    for (let k = 1; k < SPECTRUM / 2; k++) {
      re[k]! *= 2;
      im[k]! *= 2;
    }
    re.fill(0, SPECTRUM / 2 + 1);
    im.fill(0, SPECTRUM / 2 + 1);
    fft.run(re, im, true);
    for (let i = 0; i < x.length; i++) im[i]! /= SPECTRUM;
    return this.visited(x, im, 0);
  }

  /** Share of the grid's cells through which (x[i], y[i - delay]) goes. */
  private visited(x: Float64Array, y: Float64Array, delay: number): number {
    const { cells } = this;
    cells.fill(0);
    const [xLow, xScale] = range(x, x.length);
    const [yLow, yScale] = range(y, x.length);
    let count = 0;
    for (let i = delay; i < x.length; i++) {
      const column = Math.min(GRID - 1, Math.floor((x[i]! - xLow) * xScale));
      const row = Math.min(GRID - 1, Math.floor((y[i - delay]! - yLow) * yScale));
      const cell = row * GRID + column;
      if (cells[cell] === 0) {
        cells[cell] = 1;
        count++;
      }
    }
    return count / (GRID * GRID);
  }

  private thresholdCrossing(x: Float64Array, from: number): number {
    const { taper } = this;
    let largest = 0;
    for (let i = 0; i < taper.length; i++) largest = Math.max(largest, Math.abs(x[from + i]! * taper[i]!));
    let above = 0;
    for (let i = 0; i < taper.length; i++) if (Math.abs(x[from + i]! * taper[i]!) > 0.2 * largest) above++;
    return above / taper.length;
  }
}

/** Cosine ends of a quarter second. */
function edge(i: number, length: number): number {
  const quarter = SECOND / 4;
  const distance = Math.min(i, length - 1 - i);
  return distance >= quarter ? 1 : 0.5 * (1 - Math.cos((Math.PI * distance) / quarter));
}

function range(values: Float64Array, length: number): [low: number, scale: number] {
  let low = Number.POSITIVE_INFINITY;
  let high = Number.NEGATIVE_INFINITY;
  for (let i = 0; i < length; i++) {
    const v = values[i]!;
    if (v < low) low = v;
    if (v > high) high = v;
  }
  return [low, high > low ? GRID / (high - low) : 0];
}

function meanToMax(x: Float64Array, from: number, to: number): number {
  let sum = 0;
  let max = 0;
  for (let i = from; i < to; i++) {
    const v = Math.abs(x[i]!);
    sum += v;
    if (v > max) max = v;
  }
  return max > 0 ? sum / (to - from) / max : 0;
}

function crossings(x: Float64Array, level: number): number {
  let count = 0;
  for (let i = 1; i < x.length; i++) if (x[i - 1]! < level !== x[i]! < level) count++;
  return count;
}

/** Mean time between upward crossings of 20 % of each second's largest value, s (Thakor 1990). */
function crossingInterval(x: Float64Array): number {
  let count = 0;
  for (let from = 0; from < x.length; from += SECOND) {
    let max = 0;
    for (let i = from; i < from + SECOND; i++) max = Math.max(max, x[i]!);
    for (let i = from + 1; i < from + SECOND; i++) if (x[i - 1]! < 0.2 * max && x[i]! >= 0.2 * max) count++;
  }
  return x.length / SECOND / Math.max(1, count);
}

function autocorrelationPeak(x: Float64Array): { lag: number; height: number } {
  let lag: number = LAG.from;
  let height = -1;
  let last = 2;
  // Near lag 0 everything is like itself: a period is a lag at which the likeness has risen again.
  let risen = false;
  for (let k = LAG.from; k <= LAG.to; k++) {
    let product = 0;
    let before = 0;
    let after = 0;
    for (let i = k; i < x.length; i++) {
      const a = x[i]!;
      const b = x[i - k]!;
      product += a * b;
      before += b * b;
      after += a * a;
    }
    const r = before > 0 && after > 0 ? product / Math.sqrt(before * after) : 0;
    risen ||= r > last;
    last = r;
    // A later multiple of the period must be clearly better to be taken for it.
    if (risen && r > height + 0.02) {
      height = r;
      lag = k;
    }
  }
  return { lag, height };
}

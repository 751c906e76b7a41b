import { highPass, lowPass } from './biquad.js';

/** Blocks of 100 ms: a QRS complex fills one or two. */
const BLOCK_MS = 100;
/** Four seconds hold at least two beats of any rhythm above 30 a minute. */
export const WINDOW_BLOCKS = 40;
const MAINS_HZ = [50, 60];
/** A mains frequency that a low sampling rate folds below this lies among the heart's own and cannot be told from it. */
const LOWEST_FOLDED_HZ = 22;

/** What the last four seconds look like, in the signal's own unit or as pure numbers. */
export interface NoiseFigures {
  /** Largest magnitude in the QRS band (5 to 20 Hz). */
  peak: number;
  /** Lower quartile over blocks of the same: what is left between beats. */
  rest: number;
  /** Lower quartile over blocks of the RMS above 20 Hz, mains taken out. */
  highRest: number;
  /** RMS of the stronger of 50 and 60 Hz, median over blocks. */
  mains: number;
  /** RMS of everything above 1 Hz. */
  total: number;
  /** Difference between the largest and the smallest of the half-second means. */
  swing: number;
  /** VF filter leakage (Kuo and Dillman 1978): 0 for a sine wave, about 0.6 and more for noise. */
  leak: number;
  /** Frequency of the sine wave that comes nearest, Hz. */
  waveHz: number;
}

/** One mains frequency by the Goertzel algorithm, a block at a time. */
class Tone {
  readonly powers = new Float64Array(WINDOW_BLOCKS);
  private readonly twoCos: number;
  private s1 = 0;
  private s2 = 0;

  constructor(hz: number, rateHz: number) {
    this.twoCos = 2 * Math.cos((2 * Math.PI * hz) / rateHz);
  }

  push(x: number): void {
    const s = x + this.twoCos * this.s1 - this.s2;
    this.s2 = this.s1;
    this.s1 = s;
  }

  /** Mean square of the tone in the block that ends here. */
  endBlock(slot: number, samples: number): void {
    const square = this.s1 * this.s1 + this.s2 * this.s2 - this.twoCos * this.s1 * this.s2;
    this.powers[slot] = (2 * Math.max(0, square)) / (samples * samples);
    this.s1 = 0;
    this.s2 = 0;
  }
}

/**
 * Measures noise in an ECG by figures that need no beat detector, so that a detector fooled by noise cannot vouch for
 * it. Works at any rate from 100 Hz on, in any unit, at any offset. Allocates nothing after its construction.
 */
export class NoiseMeter {
  readonly figures: NoiseFigures = {
    peak: 0,
    rest: 0,
    highRest: 0,
    mains: 0,
    total: 0,
    swing: 0,
    leak: 1,
    waveHz: 0,
  };
  /** Blocks seen since the last `clear`. */
  blocks = 0;

  private readonly blockSamples: number;
  private readonly baseline;
  private readonly qrsHigh;
  private readonly qrsLow;
  private readonly smooth;
  private readonly high;
  private readonly tones: readonly Tone[];
  private readonly wave: Float32Array;
  private waveAt = 0;

  private readonly peaks = new Float64Array(WINDOW_BLOCKS);
  private readonly highs = new Float64Array(WINDOW_BLOCKS);
  private readonly totals = new Float64Array(WINDOW_BLOCKS);
  private readonly means = new Float64Array(WINDOW_BLOCKS);
  private readonly sorted = new Float64Array(WINDOW_BLOCKS);
  private inBlock = 0;
  private peak = 0;
  private highSum = 0;
  private totalSum = 0;
  private sum = 0;
  private settled = false;

  constructor(private readonly rateHz: number) {
    this.blockSamples = Math.max(1, Math.round((rateHz * BLOCK_MS) / 1000));
    this.baseline = highPass(1, rateHz);
    this.qrsHigh = highPass(5, rateHz);
    this.qrsLow = lowPass(20, rateHz);
    this.smooth = lowPass(20, rateHz);
    this.high = highPass(20, rateHz);
    this.tones = MAINS_HZ.map((hz) => Math.abs(hz - Math.round(hz / rateHz) * rateHz))
      .filter((hz) => hz >= LOWEST_FOLDED_HZ)
      .map((hz) => new Tone(hz, rateHz));
    this.wave = new Float32Array(this.blockSamples * WINDOW_BLOCKS);
  }

  /** @returns true when this sample ended a block */
  push(value: number): boolean {
    if (!this.settled) {
      // The first value is taken to have been there for ever: an offset of volts makes no step.
      this.settled = true;
      for (const filter of [this.baseline, this.qrsHigh, this.high]) filter.settle(value);
      this.qrsLow.settle(0);
      this.smooth.settle(0);
    }
    const steady = this.baseline.push(value);
    const qrs = Math.abs(this.qrsLow.push(this.qrsHigh.push(value)));
    const high = this.high.push(value);
    for (const tone of this.tones) tone.push(high);
    if (qrs > this.peak) this.peak = qrs;
    this.highSum += high * high;
    this.totalSum += steady * steady;
    this.sum += value;
    this.wave[this.waveAt] = this.smooth.push(steady);
    this.waveAt = this.waveAt + 1 === this.wave.length ? 0 : this.waveAt + 1;
    if (++this.inBlock < this.blockSamples) return false;
    this.endBlock();
    return true;
  }

  /** The signal between 1 and 20 Hz, `back` samples before the newest; 0 where the window does not reach. */
  waveAtBack(back: number): number {
    const { length } = this.wave;
    if (!(back >= 0 && back < length)) return 0;
    return this.wave[(this.waveAt - 1 - back + 2 * length) % length]!;
  }

  /** Mean of the last block that ended. */
  get blockLevel(): number {
    return this.means[(this.blocks - 1) % WINDOW_BLOCKS]!;
  }

  /** Largest magnitude in the QRS band in the last block that ended. */
  get blockPeak(): number {
    return this.peaks[(this.blocks - 1) % WINDOW_BLOCKS]!;
  }

  /** Forget the window: it no longer is what the sensor shows. */
  clear(): void {
    this.blocks = 0;
    this.inBlock = 0;
    this.waveAt = 0;
    this.settled = false;
    this.zeroBlock();
    for (const tone of this.tones) tone.endBlock(0, 1);
  }

  /** Brings `figures` up to date; needs a full window. */
  measure(): void {
    const { figures } = this;
    let tonePower = 0;
    for (const tone of this.tones) tonePower = Math.max(tonePower, this.quantile(tone.powers, 0.5));
    figures.mains = Math.sqrt(tonePower);
    figures.peak = this.quantile(this.peaks, 1);
    figures.rest = this.quantile(this.peaks, 0.25);
    figures.highRest = Math.sqrt(this.quantile(this.highs, 0.25));
    let total = 0;
    for (const value of this.totals) total += value;
    figures.total = Math.sqrt(total / WINDOW_BLOCKS);
    this.measureSwing();
    this.measureWave();
  }

  private endBlock(): void {
    const slot = this.blocks % WINDOW_BLOCKS;
    const n = this.inBlock;
    let tonePower = 0;
    for (const tone of this.tones) {
      tone.endBlock(slot, n);
      tonePower = Math.max(tonePower, tone.powers[slot]!);
    }
    this.peaks[slot] = this.peak;
    this.highs[slot] = Math.max(0, this.highSum / n - tonePower);
    this.totals[slot] = this.totalSum / n;
    this.means[slot] = this.sum / n;
    this.blocks++;
    this.zeroBlock();
  }

  private zeroBlock(): void {
    this.inBlock = 0;
    this.peak = 0;
    this.highSum = 0;
    this.totalSum = 0;
    this.sum = 0;
  }

  private measureSwing(): void {
    let low = Number.POSITIVE_INFINITY;
    let high = Number.NEGATIVE_INFINITY;
    for (let from = 0; from < WINDOW_BLOCKS; from += 5) {
      let sum = 0;
      for (let at = 0; at < 5; at++) sum += this.means[(this.blocks + from + at) % WINDOW_BLOCKS]!;
      low = Math.min(low, sum / 5);
      high = Math.max(high, sum / 5);
    }
    this.figures.swing = high - low;
  }

  /**
   * Brings `leak` and `waveHz` alone up to date; needs a full window. Kuo and Dillman 1978: the mean period from the
   * signal's length of path, then what half a period's shift leaves.
   */
  measureWave(): void {
    const { wave, figures } = this;
    const n = wave.length;
    let size = 0;
    let path = 0;
    let before = wave[this.waveAt]!;
    for (let i = 1; i < n; i++) {
      const value = wave[(this.waveAt + i) % n]!;
      size += Math.abs(value);
      path += Math.abs(value - before);
      before = value;
    }
    figures.leak = 1;
    figures.waveHz = 0;
    if (!(path > 0 && size > 0)) return;
    const period = (2 * Math.PI * size) / path;
    const half = Math.round(period / 2);
    figures.waveHz = this.rateHz / period;
    if (half < 1 || half >= n / 2) return;
    let left = 0;
    let whole = 0;
    for (let i = half; i < n; i++) {
      const value = wave[(this.waveAt + i) % n]!;
      const shifted = wave[(this.waveAt + i - half) % n]!;
      left += Math.abs(value + shifted);
      whole += Math.abs(value) + Math.abs(shifted);
    }
    if (whole > 0) figures.leak = left / whole;
  }

  private quantile(values: Float64Array, share: number): number {
    this.sorted.set(values);
    this.sorted.sort();
    return this.sorted[Math.round((WINDOW_BLOCKS - 1) * share)]!;
  }
}

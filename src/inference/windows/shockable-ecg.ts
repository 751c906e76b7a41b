import { Biquad } from './biquad.js';
import { liveConstants, type Preprocessing } from './live-constants.js';
import { Resampler } from './resampler.js';
import { SHOCKABLE_FEATURES, SHOCKABLE_RATE_HZ, SHOCKABLE_SAMPLES, ShockableFeatures } from './shockable-features.js';

export { SHOCKABLE_FEATURES, SHOCKABLE_RATE_HZ, SHOCKABLE_SAMPLES } from './shockable-features.js';

/** Constants a model was trained with; they travel in its manifest's `preprocessing`. */
export interface ShockablePreprocessing {
  /** Mean and standard deviation of each feature over the training set, in the order of SHOCKABLE_FEATURES. */
  readonly featureMean: readonly number[];
  readonly featureDeviation: readonly number[];
}

/** Shapes of one item's inputs: the signal, then its features. */
export const SHOCKABLE_INPUT_SHAPES = [[SHOCKABLE_SAMPLES, 1], [SHOCKABLE_FEATURES.length]] as const;

const PEAK = SHOCKABLE_FEATURES.indexOf('spectralPeakHz');
const BAND_HZ = { low: 1, high: 30 } as const;
/** Standardised values, of signal and features, are limited to this many deviations. */
const LIMIT = 6;
/**
 * Added to the window's deviation before it is divided by it, as a share of the sensor's usual height. A line without
 * beats is thus shown as small as it is, and not blown up to the size of a rhythm. A share and not a voltage, because
 * most boards send counts of an unknown gain: 4 % of a QRS of usual height (1.2 mV) is 0.05 mV.
 */
const FLOOR_SHARE = 0.04;
/** The usual height follows the window's within so many windows; far slower when it is much smaller or larger. */
const USUAL = { windows: 20, louder: 60, quieter: 300, muchLouder: 3, muchQuieter: 0.35 } as const;

/** Writes one window's inputs; the same for training and for the daemon. */
export class ShockableInputs {
  readonly signal = new Float32Array(SHOCKABLE_SAMPLES);
  readonly features = new Float32Array(SHOCKABLE_FEATURES.length);
  readonly both = [this.signal, this.features] as const;
  /** Where the spectrum of the last window written peaks, Hz. */
  peakHz = 0;
  private readonly centred = new Float64Array(SHOCKABLE_SAMPLES);
  private readonly writer = new ShockableFeatures();
  private readonly constants: () => ShockablePreprocessing | null;

  /** @throws TypeError where `preprocessing` lacks the constants this code needs; without it features stay as they are */
  constructor(preprocessing?: Preprocessing | (() => Preprocessing)) {
    this.constants = liveConstants(preprocessing, parseShockablePreprocessing);
  }

  /**
   * @param x 500 samples at 125 Hz, filtered, in any unit
   * @param usual the sensor's usual height in the same unit
   * @returns signal and features, in buffers that the next call uses again
   */
  write(x: ArrayLike<number>, usual: number): readonly [Float32Array, Float32Array] {
    const { centred, features } = this;
    this.writeSignal(x, usual);
    this.writer.write(centred, usual > 0 ? usual : 1, features);
    this.peakHz = features[PEAK]!;
    const constants = this.constants();
    if (constants) standardiseShockable(features, constants);
    return this.both;
  }

  /** The signal alone, which costs a tenth of both. */
  writeSignal(x: ArrayLike<number>, usual: number): Float32Array {
    const { centred, signal } = this;
    let mean = 0;
    for (let i = 0; i < SHOCKABLE_SAMPLES; i++) mean += x[i]! / SHOCKABLE_SAMPLES;
    let square = 0;
    for (let i = 0; i < SHOCKABLE_SAMPLES; i++) {
      centred[i] = x[i]! - mean;
      square += centred[i]! ** 2 / SHOCKABLE_SAMPLES;
    }
    const scale = Math.sqrt(square) + FLOOR_SHARE * usual;
    for (let i = 0; i < SHOCKABLE_SAMPLES; i++) signal[i] = scale > 0 ? clip(centred[i]! / scale) : 0;
    return signal;
  }
}

export interface ShockableWindowsOptions {
  /** Rate of the samples pushed; any from about 100 Hz up. */
  readonly rateHz: number;
  /** `preprocessing` of the model's manifest. Without it features stay as they are: that is how training gets them. */
  readonly preprocessing?: Preprocessing | (() => Preprocessing);
  /** A window every so many seconds, once 4 s are there. */
  readonly everyS: number;
  /** By this share of `everyS` the first window comes later, 0 to 1; left out: 0. */
  readonly phase?: number | undefined;
  /**
   * A window's inputs, in buffers that are used again: copy what is to be kept.
   * @param endSample samples pushed up to its end
   * @param peakHz where its spectrum peaks
   * @param heightShare how high it is drawn, of this sensor's usual height
   */
  onWindow(inputs: readonly [Float32Array, Float32Array], endSample: number, peakHz: number, heightShare: number): void;
}

/**
 * Samples of one lead in, the inputs of the shockable-ecg model out: causal, at any rate, offset and unit. Each window is
 * the last 4 s at 125 Hz, 1 to 30 Hz.
 */
export class ShockableWindows {
  private readonly signal: ShockableSignal;
  private readonly inputs: ShockableInputs;
  private readonly height: UsualHeight = new UsualHeight();
  private readonly step: number;
  /** Samples at 125 Hz before the first window. */
  private readonly first: number;
  private readonly ordered = new Float64Array(SHOCKABLE_SAMPLES);
  private readonly ring = new Float64Array(SHOCKABLE_SAMPLES);
  private count = 0;
  private pushed = 0;

  /** @throws TypeError where `preprocessing` lacks the constants this code needs */
  constructor(private readonly options: ShockableWindowsOptions) {
    this.inputs = new ShockableInputs(options.preprocessing);
    this.step = Math.max(1, Math.round(options.everyS * SHOCKABLE_RATE_HZ));
    this.first = SHOCKABLE_SAMPLES + Math.floor((options.phase ?? 0) * this.step);
    this.signal = new ShockableSignal(options.rateHz, (value) => this.take(value));
  }

  /** The next sample, in any unit; NaN where the device has none. */
  push(value: number): void {
    this.pushed++;
    this.signal.push(value);
  }

  /** Samples are missing here: no window spans the hole. */
  gap(): void {
    this.signal.gap();
    this.count = 0;
  }

  private take(value: number): void {
    this.ring[this.count % SHOCKABLE_SAMPLES] = value;
    this.count++;
    if (this.count < this.first || (this.count - this.first) % this.step !== 0) return;
    const oldest = this.count % SHOCKABLE_SAMPLES;
    for (let i = 0; i < SHOCKABLE_SAMPLES; i++) this.ordered[i] = this.ring[(oldest + i) % SHOCKABLE_SAMPLES]!;
    const usual = this.height.push(this.ordered);
    const inputs = this.inputs.write(this.ordered, usual);
    this.options.onWindow(inputs, this.pushed, this.inputs.peakHz, this.height.share);
  }
}

/** One lead at 125 Hz, 1 to 30 Hz (Butterworth, two sections a side but one below), whatever its rate, offset and unit. */
export class ShockableSignal {
  private readonly resampler: Resampler;
  private readonly sections = [
    Biquad.highPass(BAND_HZ.low, SHOCKABLE_RATE_HZ),
    Biquad.lowPass(BAND_HZ.high, SHOCKABLE_RATE_HZ),
    Biquad.lowPass(BAND_HZ.high, SHOCKABLE_RATE_HZ),
  ] as const;
  private origin = Number.NaN;
  private last = 0;

  constructor(rateHz: number, emit: (value: number) => void) {
    const [one, two, three] = this.sections;
    this.resampler = new Resampler(rateHz, SHOCKABLE_RATE_HZ, (value) => emit(three.next(two.next(one.next(value)))));
  }

  push(value: number): void {
    // Filters start from rest at the first sample, so an offset of thousands of counts never rings through them.
    if (Number.isNaN(this.origin) && Number.isFinite(value)) this.origin = value;
    if (Number.isFinite(value)) this.last = value - this.origin;
    this.resampler.push(this.last);
  }

  gap(): void {
    this.origin = Number.NaN;
    this.last = 0;
    this.resampler.restart(0);
    for (const section of this.sections) section.reset();
  }
}

/**
 * How high this sensor's heart usually draws, in whatever unit: it makes the model's inputs free of the gain. Silence and
 * storms hardly move it, so both are still seen against what was there before.
 */
export class UsualHeight {
  /** The last window's height as a share of the usual one; 1 before the first. */
  share = 1;
  private usual = 0;

  /** Takes a window of 4 s in and gives the usual height, this window counted. */
  push(window: ArrayLike<number>): number {
    const height = heightOf(window);
    if (this.usual === 0) this.usual = height;
    this.share = this.usual > 0 ? height / this.usual : 1;
    if (!(height > 0)) return this.usual;
    const ratio = height / this.usual;
    const { windows, louder, quieter, muchLouder, muchQuieter } = USUAL;
    const over = ratio < muchQuieter ? quieter : ratio > muchLouder ? louder : windows;
    this.usual *= ratio ** (1 / over);
    return this.usual;
  }
}

/** Second largest of the four seconds' peak-to-peak values: one spike does not make it. */
export function heightOf(window: ArrayLike<number>): number {
  let first = 0;
  let second = 0;
  for (let from = 0; from < SHOCKABLE_SAMPLES; from += SHOCKABLE_RATE_HZ) {
    let low = Number.POSITIVE_INFINITY;
    let high = Number.NEGATIVE_INFINITY;
    for (let i = from; i < from + SHOCKABLE_RATE_HZ; i++) {
      const v = window[i]!;
      if (v < low) low = v;
      if (v > high) high = v;
    }
    const height = high - low;
    if (height > first) {
      second = first;
      first = height;
    } else if (height > second) second = height;
  }
  return second;
}

/**
 * Checks `preprocessing` of a manifest.
 * @throws TypeError that says what is wrong with it
 */
export function parseShockablePreprocessing(preprocessing: Readonly<Record<string, unknown>>): ShockablePreprocessing {
  const { featureMean, featureDeviation } = preprocessing;
  const vector = (value: unknown, name: string): readonly number[] => {
    const fits = Array.isArray(value) && value.length === SHOCKABLE_FEATURES.length && value.every(Number.isFinite);
    if (!fits) throw new TypeError(`preprocessing.${name} must hold ${SHOCKABLE_FEATURES.length} numbers`);
    return value;
  };
  const deviation = vector(featureDeviation, 'featureDeviation');
  if (deviation.some((value) => value <= 0)) throw new TypeError('preprocessing.featureDeviation must be above 0');
  return { featureMean: vector(featureMean, 'featureMean'), featureDeviation: deviation };
}

/** Features in deviations from the training set's mean, limited. In place. */
export function standardiseShockable(
  features: Float32Array,
  { featureMean, featureDeviation }: ShockablePreprocessing,
): void {
  for (let i = 0; i < features.length; i++) {
    features[i] = clip((features[i]! - featureMean[i]!) / featureDeviation[i]!);
  }
}

function clip(value: number): number {
  return Math.max(-LIMIT, Math.min(LIMIT, value));
}

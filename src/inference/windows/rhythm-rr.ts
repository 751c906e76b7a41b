import type { StreamMs } from '../../domain/clock.js';
import { liveConstants, type Preprocessing } from './live-constants.js';
import { RHYTHM_BEATS, RHYTHM_FEATURES, RhythmFeatures } from './rhythm-rr-features.js';

export { RHYTHM_BEATS, RHYTHM_FEATURES } from './rhythm-rr-features.js';

/** Constants a model was trained with; they travel in its manifest's `preprocessing`. */
export interface RhythmRrPreprocessing {
  /** Mean and standard deviation of each feature over the training set, in the order of RHYTHM_FEATURES. */
  readonly featureMean: readonly number[];
  readonly featureDeviation: readonly number[];
}

const CHANNELS = 3;

/** Shapes of one item's inputs: the intervals (by median, change, rate), then the features. */
export const RHYTHM_RR_INPUT_SHAPES = [[RHYTHM_BEATS, CHANNELS], [RHYTHM_FEATURES.length]] as const;

/** A longer interval is a gap between two stretches of rhythm, not an interval of it, ms. */
export const LONGEST_RR_MS = 3000;
const SHORTEST_RR_MS = 200;
/** Beats on both sides of a longer hole than this are not one rhythm. */
export const RHYTHM_HOLE_MS = 120_000;
/** Standardised features are limited to this many deviations. */
const LIMIT = 6;
/** Usual interval of an adult at rest, s: the rate is told relative to it. */
const USUAL_S = 0.8;

/** Writes one window's inputs from its 60 intervals; the same for training and for the daemon. */
export class RhythmRrInputs {
  readonly sequence = new Float32Array(RHYTHM_BEATS * CHANNELS);
  readonly features = new Float32Array(RHYTHM_FEATURES.length);
  readonly both = [this.sequence, this.features] as const;
  private readonly writer = new RhythmFeatures();
  private readonly sorted = new Float64Array(RHYTHM_BEATS);
  private readonly constants: () => RhythmRrPreprocessing | null;

  /** @throws TypeError where `preprocessing` lacks the constants this code needs; without it features stay as they are */
  constructor(preprocessing?: Preprocessing | (() => Preprocessing)) {
    this.constants = liveConstants(preprocessing, parseRhythmPreprocessing);
  }

  /**
   * @param rrS 60 intervals in s, oldest first
   * @returns sequence and features, in buffers that the next call uses again
   */
  write(rrS: Float64Array): readonly [Float32Array, Float32Array] {
    const { features } = this;
    this.writer.write(rrS, features);
    // The first feature is the logarithm of the median interval.
    this.fillSequence(rrS, features[0]!);
    const constants = this.constants();
    if (constants) standardiseRhythm(features, constants);
    return this.both;
  }

  /** The sequence alone, which costs a tenth of both. */
  writeSequence(rrS: Float64Array): Float32Array {
    const { sorted, sequence } = this;
    sorted.set(rrS);
    sorted.sort();
    const below = sorted[RHYTHM_BEATS / 2 - 1]!;
    const median = below + 0.5 * (sorted[RHYTHM_BEATS / 2]! - below);
    this.fillSequence(rrS, Math.fround(Math.log(median)));
    return sequence;
  }

  private fillSequence(rrS: Float64Array, logMedian: number): void {
    const { sequence } = this;
    const median = Math.exp(logMedian);
    const rate = 2 * Math.log(median / USUAL_S);
    for (let i = 0; i < RHYTHM_BEATS; i++) {
      const rr = rrS[i]!;
      const change = i === 0 ? 0 : (rr - rrS[i - 1]!) / median;
      sequence[CHANNELS * i] = 4 * clip(Math.log(rr / median), 1.2);
      sequence[CHANNELS * i + 1] = 4 * clip(change, 1);
      sequence[CHANNELS * i + 2] = rate;
    }
  }
}

export interface RhythmRrWindowsOptions {
  /** `preprocessing` of the model's manifest. Without it features stay as they are: that is how training gets them. */
  readonly preprocessing?: Preprocessing | (() => Preprocessing);
  /** A window every so many intervals, once there are 60. */
  readonly everyBeats: number;
  /**
   * A window's inputs, in buffers that are used again: copy what is to be kept.
   * @param tMs of its newest beat
   * @param startMs of its oldest
   */
  onWindow(inputs: readonly Float32Array[], tMs: StreamMs, startMs: StreamMs): void;
}

/**
 * Cleaned RR intervals in, the inputs of the rhythm-rr model out: streaming, causal, the last 60 intervals every few
 * beats. An interval above 3 s is a gap and left out; after a hole of two minutes the window starts anew.
 */
export class RhythmRrWindows {
  private readonly rr = new Float64Array(RHYTHM_BEATS);
  private readonly times = new Float64Array(RHYTHM_BEATS);
  private readonly ordered = new Float64Array(RHYTHM_BEATS);
  private readonly inputs: RhythmRrInputs;
  private count = 0;

  /** @throws TypeError where `preprocessing` lacks the constants this code needs */
  constructor(private readonly options: RhythmRrWindowsOptions) {
    this.inputs = new RhythmRrInputs(options.preprocessing);
  }

  /**
   * @param rrMs an interval
   * @param tMs stream time of the beat that ends it
   */
  push(rrMs: number, tMs: StreamMs): void {
    const rrS = rhythmIntervalS(rrMs);
    if (Number.isNaN(rrS)) return;
    if (this.count > 0 && tMs - this.times[(this.count - 1) % RHYTHM_BEATS]! > RHYTHM_HOLE_MS) this.count = 0;
    const at = this.count % RHYTHM_BEATS;
    this.rr[at] = rrS;
    this.times[at] = tMs;
    this.count++;
    if (this.count < RHYTHM_BEATS || (this.count - RHYTHM_BEATS) % this.options.everyBeats !== 0) return;
    const oldest = this.count % RHYTHM_BEATS;
    for (let i = 0; i < RHYTHM_BEATS; i++) this.ordered[i] = this.rr[(oldest + i) % RHYTHM_BEATS]!;
    this.options.onWindow(this.inputs.write(this.ordered), tMs, this.times[oldest]!);
  }
}

/** An interval as the model takes it, in s; NaN where it is a gap or no interval at all. */
export function rhythmIntervalS(rrMs: number): number {
  if (!(rrMs > 0 && rrMs <= LONGEST_RR_MS)) return Number.NaN;
  return Math.max(SHORTEST_RR_MS, rrMs) / 1000;
}

/**
 * Checks `preprocessing` of a manifest.
 * @throws TypeError that says what is wrong with it
 */
export function parseRhythmPreprocessing(preprocessing: Readonly<Record<string, unknown>>): RhythmRrPreprocessing {
  const { featureMean, featureDeviation } = preprocessing;
  const vector = (value: unknown, name: string): readonly number[] => {
    const fits = Array.isArray(value) && value.length === RHYTHM_FEATURES.length && value.every(Number.isFinite);
    if (!fits) throw new TypeError(`preprocessing.${name} must hold ${RHYTHM_FEATURES.length} numbers`);
    return value;
  };
  const deviation = vector(featureDeviation, 'featureDeviation');
  if (deviation.some((value) => value <= 0)) throw new TypeError('preprocessing.featureDeviation must be above 0');
  return { featureMean: vector(featureMean, 'featureMean'), featureDeviation: deviation };
}

/** Features in deviations from the training set's mean, limited. In place. */
export function standardiseRhythm(
  features: Float32Array,
  { featureMean, featureDeviation }: RhythmRrPreprocessing,
): void {
  for (let i = 0; i < features.length; i++) {
    features[i] = clip((features[i]! - featureMean[i]!) / featureDeviation[i]!, LIMIT);
  }
}

function clip(value: number, limit: number): number {
  return Math.max(-limit, Math.min(limit, value));
}

import { BEAT_ECG_FEATURE_COUNT, BeatEcgFeatures, RR_NEXT_CAP_MS } from './beat-ecg-features.js';
import { AFTER_R, BEFORE_R, MAX_LAG, MAX_SHIFT, peakToPeak, QRS_PEAK, qrsCentre, WIDE, WINDOW } from './beat-shape.js';
import { BeatSignal, MODEL_RATE_HZ } from './beat-signal.js';
import { BeatTemplates, newWideWindow, WIDE_R } from './beat-templates.js';
import { liveConstants, type Preprocessing } from './live-constants.js';
import { RunningMedian } from './running-median.js';

/** Constants a model was trained with; they travel in its manifest's `preprocessing`. */
export interface BeatEcgPreprocessing {
  /** Mean and standard deviation of each feature over the training set, in the order of BEAT_ECG_FEATURES. */
  readonly featureMean: readonly number[];
  readonly featureDeviation: readonly number[];
}

/** Shapes of one item's inputs: the beat and its difference from the person's own template, then the features. */
export const BEAT_ECG_INPUT_SHAPES = [[WINDOW, 2], [BEAT_ECG_FEATURE_COUNT]] as const;

export interface BeatEcgWindowsOptions {
  /** Rate of the samples pushed; any from about 100 Hz up. */
  readonly rateHz: number;
  /** `preprocessing` of the model's manifest. Without it features stay as they are: that is how training gets them. */
  readonly preprocessing?: Preprocessing | (() => Preprocessing);
  /**
   * A beat's inputs. `beatIndex` counts the calls of `beat` from 0 and only grows; beats that cannot be judged are passed
   * over. The buffers are used again for the next beat: copy what is to be kept.
   */
  onWindow(beatIndex: number, inputs: readonly Float32Array[]): void;
}

/** Signal values are limited to this many of the person's usual QRS heights, features to as many deviations. */
const LIMIT = 4;
/** Beats over which the usual QRS height is taken. */
const AMPLITUDE_BEATS = 32;
/** Beats that may wait for their window at once; a heart has at most three in that time. */
const MAX_WAITING = 8;
/** A beat that a gap cuts off is judged if at least its QRS is there (R + 0.16 s). */
const QRS_END = 20;

interface Waiting {
  index: number;
  position: number;
  rrPrevMs: number | null;
  rrNextMs: number | null;
  nextKnown: boolean;
}

/**
 * Samples and beats of one lead in, the inputs of the beat-ecg model out, one item a beat: streaming, causal, at most one
 * beat late. A beat's inputs come once its window is complete (0.65 s after R, plus 0.05 s of the resampler) and the next
 * beat is known, or 2.5 s after it where none comes. The same code makes the training set.
 */
export class BeatEcgWindows {
  private readonly signal: BeatSignal;
  private readonly templates = new BeatTemplates();
  private readonly features = new BeatEcgFeatures(this.templates);
  private readonly amplitude = new RunningMedian(AMPLITUDE_BEATS);
  private readonly wide = newWideWindow();
  private readonly window = new Float32Array(2 * WINDOW);
  private readonly vector = new Float32Array(BEAT_ECG_FEATURE_COUNT);
  private readonly inputs = [this.window, this.vector] as const;
  private readonly constants: () => BeatEcgPreprocessing | null;
  private readonly waiting: Waiting[] = [];
  private readonly spare: Waiting[] = Array.from({ length: MAX_WAITING }, newWaiting);
  private readonly onWindow: BeatEcgWindowsOptions['onWindow'];
  private beats = 0;

  /** @throws TypeError where `preprocessing` lacks the constants this code needs */
  constructor({ rateHz, preprocessing, onWindow }: BeatEcgWindowsOptions) {
    this.signal = new BeatSignal(rateHz);
    this.constants = liveConstants(preprocessing, parsePreprocessing);
    this.onWindow = onWindow;
  }

  /** The next sample, in any unit; NaN where the device has none. */
  push(value: number): void {
    this.signal.push(value);
    if (this.waiting.length > 0) this.emitReady();
  }

  /**
   * A beat was found.
   * @param sample R peak, counted in samples pushed since the start
   * @param rrMs the RR interval that ends here; null for a first beat and after a gap
   */
  beat(sample: number, rrMs: number | null): void {
    const index = this.beats++;
    // Two marks on one spot have no interval between them; a ratio to nought would spoil every mean that follows.
    const rr = rrMs !== null && rrMs > 0 && Number.isFinite(rrMs) ? rrMs : null;
    const newest = this.waiting[this.waiting.length - 1];
    if (newest && !newest.nextKnown) {
      newest.nextKnown = true;
      newest.rrNextMs = rr;
    }
    if (this.spare.length === 0) {
      // More beats than a heart can have: the oldest of the heap is passed over.
      this.spare.push(this.waiting.shift()!);
    }
    const beat = this.spare.pop()!;
    beat.index = index;
    beat.position = this.signal.positionOf(sample);
    beat.rrPrevMs = rr;
    beat.rrNextMs = null;
    beat.nextKnown = false;
    this.waiting.push(beat);
    this.emitReady();
  }

  /** Samples are missing from here on: what waits is judged now if its QRS is there, the signal starts anew. */
  gap(): void {
    this.settle(QRS_END);
    this.signal.gap();
  }

  /** Judges what still waits without its successor: the end of a record, or nothing more came. */
  flush(): void {
    this.settle(Number.NEGATIVE_INFINITY);
  }

  private settle(leastAfterR: number): void {
    while (this.waiting.length > 0) {
      const beat = this.waiting.shift()!;
      const after = this.signal.length - 1 - beat.position;
      if (after >= leastAfterR) this.emit(beat);
      this.spare.push(beat);
    }
  }

  private emitReady(): void {
    for (;;) {
      const beat = this.waiting[0];
      if (!beat) return;
      const after = this.signal.length - 1 - beat.position;
      if (after < AFTER_R + MAX_LAG + MAX_SHIFT) return;
      if (!beat.nextKnown) {
        if (after * 1000 < RR_NEXT_CAP_MS * MODEL_RATE_HZ) return;
        beat.rrNextMs = RR_NEXT_CAP_MS;
      }
      this.waiting.shift();
      this.emit(beat);
      this.spare.push(beat);
    }
  }

  private emit(beat: Waiting): void {
    const { wide, window, vector, templates } = this;
    const start = beat.position - BEFORE_R - MAX_LAG;
    for (let i = 0; i < WIDE; i++) wide[i] = this.signal.at(start + i);
    const shift = qrsCentre(wide, WIDE_R);
    for (let i = 0; i < WIDE; i++) wide[i] = this.signal.at(start + shift + i);
    const height = this.amplitude.push(peakToPeak(wide, WIDE_R, QRS_PEAK));
    const scale = height > 0 ? 1 / height : 0;
    for (let i = 0; i < WIDE; i++) wide[i] = limit(wide[i]! * scale);
    templates.look(wide);
    const own = templates.dominant;
    for (let i = 0; i < WINDOW; i++) {
      window[2 * i] = wide[MAX_LAG + i]!;
      const difference = own ? wide[MAX_LAG + templates.dominantLag + i]! - own.template[i]! : 0;
      window[2 * i + 1] = limit(difference);
    }
    this.features.write(wide, beat.rrPrevMs, beat.rrNextMs, vector);
    const constants = this.constants();
    if (constants) standardise(vector, constants);
    this.onWindow(beat.index, this.inputs);
  }
}

/**
 * Checks `preprocessing` of a manifest.
 * @throws TypeError that says what is wrong with it
 */
export function parsePreprocessing(preprocessing: Readonly<Record<string, unknown>>): BeatEcgPreprocessing {
  const { featureMean, featureDeviation } = preprocessing;
  const vector = (value: unknown, name: string): readonly number[] => {
    const fits = Array.isArray(value) && value.length === BEAT_ECG_FEATURE_COUNT && value.every(Number.isFinite);
    if (!fits) throw new TypeError(`preprocessing.${name} must hold ${BEAT_ECG_FEATURE_COUNT} numbers`);
    return value;
  };
  const deviation = vector(featureDeviation, 'featureDeviation');
  if (deviation.some((value) => value <= 0)) throw new TypeError('preprocessing.featureDeviation must be above 0');
  return { featureMean: vector(featureMean, 'featureMean'), featureDeviation: deviation };
}

/** Features as the model takes them: in deviations from the training set's mean, limited. In place. */
export function standardise(features: Float32Array, constants: BeatEcgPreprocessing): void {
  for (let i = 0; i < features.length; i++) features[i] = limitedFeature(features[i]!, i, constants);
}

/** One feature, by its place, as the model takes it. */
export function limitedFeature(value: number, at: number, constants: BeatEcgPreprocessing): number {
  return limit((value - constants.featureMean[at]!) / constants.featureDeviation[at]!);
}

function limit(value: number): number {
  return Math.max(-LIMIT, Math.min(LIMIT, value));
}

function newWaiting(): Waiting {
  return { index: 0, position: 0, rrPrevMs: null, rrNextMs: null, nextKnown: false };
}

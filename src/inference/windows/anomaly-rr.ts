import type { StreamMs } from '../../domain/clock.js';
import { liveConstants, type Preprocessing } from './live-constants.js';
import { RHYTHM_HOLE_MS, rhythmIntervalS } from './rhythm-rr.js';
import { RHYTHM_BEATS, RHYTHM_FEATURES, RhythmFeatures } from './rhythm-rr-features.js';

/** What one window of 60 intervals is described by, in order. */
export const ANOMALY_FEATURES = [
  'rate',
  'change',
  'largeChange',
  'entropy',
  'alternation',
  'triplets',
  'smoothChange',
  'premature',
  'over50',
  'turns',
  'drift',
  'longest',
] as const;

export type AnomalyFeature = (typeof ANOMALY_FEATURES)[number];

const COUNT = ANOMALY_FEATURES.length;
const at = (name: (typeof RHYTHM_FEATURES)[number]) => RHYTHM_FEATURES.indexOf(name);
const SOURCE = {
  logMedian: at('logMedian'),
  dx50: at('dx50'),
  dx90: at('dx90'),
  entropy: at('coSampleEntropy'),
  lag2: at('correlation2'),
  lag3: at('correlation3'),
  change3: at('change3'),
  early: at('earlyThenLate'),
  over50: at('over50'),
  turns: at('turns'),
} as const;
/** Intervals at either end of the window whose medians tell how the rate moved. */
const END_BEATS = 20;

/** Describes a window of 60 intervals; no allocation per call. */
export class AnomalyDescription {
  private readonly writer = new RhythmFeatures();
  private readonly all = new Float32Array(RHYTHM_FEATURES.length);
  private readonly part = new Float64Array(END_BEATS);

  /**
   * @param rrS 60 intervals in s, oldest first
   * @param out takes the features in the order of ANOMALY_FEATURES
   */
  write(rrS: Float64Array, out: Float32Array): void {
    const { all } = this;
    this.writer.write(rrS, all);
    const log = (value: number, floor: number) => Math.log(value + floor);
    let longest = 0;
    for (let i = 0; i < RHYTHM_BEATS; i++) longest = Math.max(longest, rrS[i]!);
    out[0] = -all[SOURCE.logMedian]!;
    out[1] = log(all[SOURCE.dx50]!, 0.004);
    out[2] = log(all[SOURCE.dx90]!, 0.008);
    out[3] = all[SOURCE.entropy]!;
    out[4] = all[SOURCE.lag2]!;
    out[5] = all[SOURCE.lag3]!;
    out[6] = log(all[SOURCE.change3]!, 0.004);
    out[7] = log(all[SOURCE.early]!, 0.01);
    out[8] = all[SOURCE.over50]!;
    out[9] = all[SOURCE.turns]!;
    out[10] = Math.log(this.median(rrS, 0) / this.median(rrS, RHYTHM_BEATS - END_BEATS));
    out[11] = Math.log(longest) - all[SOURCE.logMedian]!;
  }

  private median(rrS: Float64Array, from: number): number {
    const { part } = this;
    part.set(rrS.subarray(from, from + END_BEATS));
    part.sort();
    return (part[END_BEATS / 2 - 1]! + part[END_BEATS / 2]!) / 2;
  }
}

/** What is usual for people, out of the training: travels in the manifest's `preprocessing`. */
export interface AnomalyPreprocessing {
  /** Mean over people of each feature's own mean, and how far people differ. */
  readonly mean: readonly number[];
  readonly between: readonly number[];
  /** How far a feature strays within one person, typically. */
  readonly within: readonly number[];
  /** The departure (`departureOf`) that a window of normal rhythm stays below 99 times of 100, typically of people. */
  readonly usualScore: number;
}

/** A baseline as it is stored: plain JSON. */
export interface BaselineSnapshot {
  readonly mean: readonly number[];
  readonly square: readonly number[];
  readonly weight: number;
  readonly learntMs: number;
  readonly peak: number;
}

/** The person counts for as much as people in general after so much of their own rhythm. */
const PRIOR_MS = 15 * 60_000;
/** The baseline forgets with this time constant: a day has its calm and its busy hours, and people change. */
const MEMORY_MS = 12 * 3_600_000;
/** No verdict before so much rhythm was heard. */
export const ANOMALY_LEARNING_MS = 15 * 60_000;
/** A window that departs teaches so much less: what lasts for days becomes usual, what lasts for an hour does not. */
const DEPARTED_SHARE = 0.02;
/**
 * A baseline stays within what is usual of people: their mean by so many deviations between them, their spread by these
 * factors. A rhythm that nobody has by nature is a departure even in somebody who is always seen with it.
 */
const BOUND = { mean: 2, least: 0.6, most: 1.6 } as const;
/** Features are limited to so many deviations. */
const LIMIT = 6;
/** How fast the score that this person reaches now and then follows: up within windows, down over hours. */
const PEAK_DOWN_MS = 24 * 3_600_000;
const PEAK_BOUND = { least: 0.8, most: 1.5 } as const;

/**
 * What is usual of one person: mean and spread of each feature over their own past, leaning on people in general while
 * little is known. Bounded in size; moves only forward in time.
 */
export class PersonBaseline {
  private readonly mean = new Float64Array(COUNT);
  private readonly square = new Float64Array(COUNT);
  private weight = PRIOR_MS;
  private learnt = 0;
  private peak: number;
  private readonly constants: () => AnomalyPreprocessing | null;

  /** @throws TypeError where `preprocessing` lacks the constants this code needs */
  constructor(preprocessing: Preprocessing | (() => Preprocessing)) {
    this.constants = liveConstants(preprocessing, parseAnomalyPreprocessing);
    this.peak = this.usual.usualScore;
    for (let i = 0; i < COUNT; i++) {
      this.mean[i] = this.usual.mean[i]!;
      this.square[i] = this.usual.mean[i]! ** 2 + this.usual.within[i]! ** 2;
    }
  }

  private get usual(): AnomalyPreprocessing {
    return this.constants()!;
  }

  /** How much of this person's rhythm has been heard, ms. */
  get learntMs(): number {
    return this.learnt;
  }

  /** Usual value of a feature, and how far it strays. */
  usualOf(index: number): { mean: number; deviation: number } {
    const { mean, between, within } = this.usual;
    const span = BOUND.mean * between[index]!;
    const own = Math.max(mean[index]! - span, Math.min(mean[index]! + span, this.mean[index]!));
    const spread = Math.sqrt(Math.max(0, this.square[index]! - this.mean[index]! ** 2));
    const typical = within[index]!;
    return { mean: own, deviation: Math.max(BOUND.least * typical, Math.min(BOUND.most * typical, spread)) };
  }

  /** Features as departures from this person's usual, in deviations, limited. */
  departures(features: Float32Array, out: Float32Array): void {
    for (let i = 0; i < COUNT; i++) {
      const { mean, deviation } = this.usualOf(i);
      out[i] = Math.max(-LIMIT, Math.min(LIMIT, (features[i]! - mean) / deviation));
    }
  }

  /** A departure in units of what this person reaches now and then: above 1 is unusual for them. */
  scoreOf(departure: number): number {
    const { usualScore } = this.usual;
    return departure / Math.max(PEAK_BOUND.least * usualScore, Math.min(PEAK_BOUND.most * usualScore, this.peak));
  }

  /**
   * A judged window enters the baseline.
   * @param spanMs of rhythm since the window before
   * @param departure as the model gave it
   * @param departed whether it counts as a departure
   */
  learn(features: Float32Array, spanMs: number, departure: number, departed: boolean): void {
    const share = departed ? DEPARTED_SHARE * spanMs : spanMs;
    this.learnt += spanMs;
    this.weight = Math.min(MEMORY_MS, this.weight + share);
    const step = share / this.weight;
    for (let i = 0; i < COUNT; i++) {
      this.mean[i]! += step * (features[i]! - this.mean[i]!);
      this.square[i]! += step * (features[i]! ** 2 - this.square[i]!);
    }
    // A running 99th percentile: a rise of 99 parts against a fall of one.
    const unit = (this.peak * share) / PEAK_DOWN_MS;
    this.peak += departure > this.peak ? 99 * unit : -unit;
  }

  snapshot(): BaselineSnapshot {
    const { mean, square, weight, learnt, peak } = this;
    return { mean: [...mean], square: [...square], weight, learntMs: learnt, peak };
  }

  /** Takes up an earlier run's baseline; false where it makes no sense, and then nothing changes. */
  restore(saved: unknown): boolean {
    const { mean, square, weight, learntMs, peak } = (saved ?? {}) as Partial<BaselineSnapshot>;
    const vector = (values: unknown): values is number[] =>
      Array.isArray(values) && values.length === COUNT && values.every(Number.isFinite);
    const positive = (value: unknown): value is number => Number.isFinite(value) && (value as number) >= 0;
    if (!vector(mean) || !vector(square) || !positive(weight) || !positive(learntMs) || !positive(peak)) return false;
    this.mean.set(mean);
    this.square.set(square);
    this.weight = Math.min(MEMORY_MS, Math.max(PRIOR_MS, weight));
    this.learnt = learntMs;
    this.peak = peak;
    return true;
  }
}

export interface AnomalyWindowsOptions {
  /** A window every so many intervals, once there are 60. */
  readonly everyBeats: number;
  /** Windows with a larger share of intervals left out among theirs are passed over; ANOMALY_MOST_SKIPPED unless told. */
  readonly mostSkipped?: number;
  /**
   * A window's features, in a buffer that is used again.
   * @param tMs of its newest beat
   * @param startMs of its oldest
   * @param spanMs since the window before, at most the window's own length
   */
  onWindow(features: Float32Array, tMs: StreamMs, startMs: StreamMs, spanMs: number): void;
}

/**
 * Junk comes in bursts (a strap that slips, a hand that moves), and what cleaning leaves of a burst looks like a wild rhythm.
 * So a window is judged only where few intervals had to be left out within it; a true arrhythmia widens the cleaning's
 * band and is kept. Chosen on nsr2db, half of ltafdb and half of mmash, see docs/models.md.
 */
export const ANOMALY_MOST_SKIPPED = 0.1;

/** Cleaned intervals in, features of the last 60 out, every few beats; a hole of two minutes starts anew. */
export class AnomalyWindows {
  private readonly rr = new Float64Array(RHYTHM_BEATS);
  private readonly times = new Float64Array(RHYTHM_BEATS);
  private readonly ordered = new Float64Array(RHYTHM_BEATS);
  private readonly features = new Float32Array(COUNT);
  private readonly description = new AnomalyDescription();
  private readonly skippedBefore = new Float64Array(RHYTHM_BEATS);
  private skipped = 0;
  private count = 0;
  private lastMs: StreamMs = 0;

  constructor(private readonly options: AnomalyWindowsOptions) {}

  /** An interval that cleaning or bad signal took away. */
  skip(): void {
    this.skipped++;
  }

  push(rrMs: number, tMs: StreamMs): void {
    const rrS = rhythmIntervalS(rrMs);
    if (Number.isNaN(rrS)) return;
    if (this.count > 0 && tMs - this.times[(this.count - 1) % RHYTHM_BEATS]! > RHYTHM_HOLE_MS) this.count = 0;
    const slot = this.count % RHYTHM_BEATS;
    this.rr[slot] = rrS;
    this.times[slot] = tMs;
    this.skippedBefore[slot] = this.skipped;
    this.count++;
    if (this.count < RHYTHM_BEATS || (this.count - RHYTHM_BEATS) % this.options.everyBeats !== 0) return;
    const oldest = this.count % RHYTHM_BEATS;
    const skipped = this.skipped - this.skippedBefore[oldest]!;
    if (skipped > (this.options.mostSkipped ?? ANOMALY_MOST_SKIPPED) * (skipped + RHYTHM_BEATS)) return;
    for (let i = 0; i < RHYTHM_BEATS; i++) this.ordered[i] = this.rr[(oldest + i) % RHYTHM_BEATS]!;
    this.description.write(this.ordered, this.features);
    const startMs = this.times[oldest]!;
    const spanMs = this.count === RHYTHM_BEATS ? tMs - startMs : Math.min(tMs - startMs, tMs - this.lastMs);
    this.lastMs = tMs;
    this.options.onWindow(this.features, tMs, startMs, Math.max(0, spanMs));
  }
}

/** Log odds below minus this are all alike: quite usual. */
const QUITE_USUAL = 5;

/**
 * How far a window departs, from the model's answer: the log odds against its being usual, bent so that it is never
 * below 0 and grows evenly above.
 * @param logits of usual, departs
 */
export function departureOf(logits: Float32Array): number {
  const z = logits[1]! - logits[0]! + QUITE_USUAL;
  return z > 30 ? z : Math.log1p(Math.exp(z));
}

/**
 * Checks `preprocessing` of a manifest.
 * @throws TypeError that says what is wrong with it
 */
export function parseAnomalyPreprocessing(preprocessing: Readonly<Record<string, unknown>>): AnomalyPreprocessing {
  const vector = (name: string, positive: boolean): readonly number[] => {
    const value = preprocessing[name];
    const fits =
      Array.isArray(value) && value.length === COUNT && value.every((v) => Number.isFinite(v) && (!positive || v > 0));
    if (!fits) throw new TypeError(`preprocessing.${name} must hold ${COUNT} ${positive ? 'positive ' : ''}numbers`);
    return value;
  };
  const { usualScore } = preprocessing;
  if (typeof usualScore !== 'number' || !(usualScore > 0)) {
    throw new TypeError('preprocessing.usualScore must be a positive number');
  }
  return {
    mean: vector('mean', false),
    between: vector('between', true),
    within: vector('within', true),
    usualScore,
  };
}

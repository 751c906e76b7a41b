import type { AnomalyVerdict, UsualRange } from '../../domain/anomaly.js';
import type { StreamMs } from '../../domain/clock.js';
import {
  ANOMALY_FEATURES,
  ANOMALY_LEARNING_MS,
  type AnomalyFeature,
  departureOf,
  PersonBaseline,
} from './anomaly-rr.js';
import type { Preprocessing } from './live-constants.js';

const COUNT = ANOMALY_FEATURES.length;
const at = (name: AnomalyFeature) => ANOMALY_FEATURES.indexOf(name);
/** A score above this is a departure as far as the baseline's learning goes. */
const DEPARTED_ABOVE = 1;
/** Scores are smoothed with this time constant, over holes of up to two minutes: a single calm look is no end, a wild one no alarm. */
const SMOOTH_MS = 180_000;
const HOLE_MS = 120_000;
/** Half of a range that holds 95 % of a normal distribution, in deviations. */
const RANGE = 2;

/** Judges one person's windows in turn: departures for the model, a verdict out of its answer, and what is learnt of it. */
export class AnomalyJudge {
  readonly baseline: PersonBaseline;
  private smooth = 0;
  private lastMs: StreamMs = Number.NEGATIVE_INFINITY;
  private readonly departed = new Float32Array(COUNT);

  /** @throws TypeError where `preprocessing` lacks the constants this code needs */
  constructor(preprocessing: Preprocessing | (() => Preprocessing)) {
    this.baseline = new PersonBaseline(preprocessing);
  }

  /** The model's input for a window, in a buffer that is used again. */
  departures(features: Float32Array): Float32Array {
    this.baseline.departures(features, this.departed);
    return this.departed;
  }

  /**
   * @param logits the model's answer: usual, departs
   */
  judge(
    features: Float32Array,
    logits: Float32Array,
    times: { readonly tMs: StreamMs; readonly startMs: StreamMs; readonly spanMs: number },
  ): AnomalyVerdict {
    const { baseline } = this;
    const departure = departureOf(logits);
    const score = baseline.scoreOf(departure);
    const verdict: AnomalyVerdict = {
      tMs: times.tMs,
      windowStartMs: times.startMs,
      score: this.smoothed(score, times.tMs),
      learning: baseline.learntMs < ANOMALY_LEARNING_MS,
      rateBpm: this.range(features, 'rate', (value) => 60 * Math.exp(value)),
      irregularityPercent: this.range(features, 'change', (value) => 100 * (Math.exp(value) - 0.004)),
      prematurePercent: this.range(features, 'premature', (value) => 100 * (Math.exp(value) - 0.01)),
    };
    baseline.learn(features, times.spanMs, departure, score > DEPARTED_ABOVE);
    return verdict;
  }

  private smoothed(score: number, tMs: StreamMs): number {
    const passedMs = tMs - this.lastMs;
    const share = passedMs > HOLE_MS ? 1 : 1 - Math.exp(-Math.max(0, passedMs) / SMOOTH_MS);
    this.smooth += share * (score - this.smooth);
    this.lastMs = tMs;
    return this.smooth;
  }

  private range(features: Float32Array, name: AnomalyFeature, shown: (value: number) => number): UsualRange {
    const index = at(name);
    const { mean, deviation } = this.baseline.usualOf(index);
    const show = (value: number) => Math.round(Math.max(0, shown(value)) * 10) / 10;
    return { now: show(features[index]!), low: show(mean - RANGE * deviation), high: show(mean + RANGE * deviation) };
  }
}

import type { AnomalyVerdict, UsualRange } from '../../domain/anomaly.js';
import type { StreamMs } from '../../domain/clock.js';
import {
  ANOMALY_FEATURES,
  ANOMALY_LEARNING_MS,
  type AnomalyFeature,
  PersonBaseline,
  residualOf,
} from './anomaly-rr.js';
import type { Preprocessing } from './live-constants.js';

const COUNT = ANOMALY_FEATURES.length;
const at = (name: AnomalyFeature) => ANOMALY_FEATURES.indexOf(name);
/** A score above this is a departure as far as the baseline's learning goes. */
const DEPARTED_ABOVE = 1;
/** Half of a range that holds 95 % of a normal distribution, in deviations. */
const RANGE = 2;

/** Judges one person's windows in turn: departures for the model, a verdict out of its answer, and what is learnt of it. */
export class AnomalyJudge {
  readonly baseline: PersonBaseline;
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
   * @param departures of the same window, as the model took them
   * @param rebuilt the model's answer
   */
  judge(
    features: Float32Array,
    departures: Float32Array,
    rebuilt: Float32Array,
    times: { readonly tMs: StreamMs; readonly startMs: StreamMs; readonly spanMs: number },
  ): AnomalyVerdict {
    const { baseline } = this;
    const residual = residualOf(departures, rebuilt);
    const score = baseline.scoreOf(residual);
    const verdict: AnomalyVerdict = {
      tMs: times.tMs,
      windowStartMs: times.startMs,
      score,
      learning: baseline.learntMs < ANOMALY_LEARNING_MS,
      rateBpm: this.range(features, 'rate', (value) => 60 * Math.exp(value)),
      irregularityPercent: this.range(features, 'change', (value) => 100 * (Math.exp(value) - 0.004)),
      prematurePercent: this.range(features, 'premature', (value) => 100 * (Math.exp(value) - 0.01)),
    };
    baseline.learn(features, times.spanMs, residual, score > DEPARTED_ABOVE);
    return verdict;
  }

  private range(features: Float32Array, name: AnomalyFeature, shown: (value: number) => number): UsualRange {
    const index = at(name);
    const { mean, deviation } = this.baseline.usualOf(index);
    const show = (value: number) => Math.round(Math.max(0, shown(value)) * 10) / 10;
    return { now: show(features[index]!), low: show(mean - RANGE * deviation), high: show(mean + RANGE * deviation) };
  }
}

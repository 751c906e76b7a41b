import type * as tf from '@tensorflow/tfjs';
import {
  ANOMALY_FEATURES,
  type AnomalyPreprocessing,
  PersonBaseline,
  residualOf,
} from '../../../inference/windows/anomaly-rr.js';
import type { AnomalyRecord } from '../../data/anomaly-records.js';
import { type PruningWish, plannedPruner } from '../../prune/plan.js';
import { type Batch, type EpochReport, predict, trainModel } from '../../train/loop.js';
import { Random } from '../../train/random.js';
import { anomalyNetwork } from './network.js';
import { ANOMALY_PRUNING, type AnomalyRecipe } from './recipe.js';

const COUNT = ANOMALY_FEATURES.length;

export interface Fitted {
  readonly model: tf.LayersModel;
  readonly preprocessing: AnomalyPreprocessing;
}

export type OnEpoch = (report: EpochReport) => void | Promise<void>;

/** What is usual of people: each person's own mean and spread, over all of them. `usualScore` is still to be found. */
export function peopleConstants(records: readonly AnomalyRecord[]): AnomalyPreprocessing {
  const own = records.map(({ features, count }) => {
    const mean = new Array<number>(COUNT).fill(0);
    const square = new Array<number>(COUNT).fill(0);
    for (let i = 0; i < count * COUNT; i++) {
      mean[i % COUNT]! += features[i]! / count;
      square[i % COUNT]! += features[i]! ** 2 / count;
    }
    return { mean, deviation: square.map((s, i) => Math.sqrt(Math.max(0, s - mean[i]! ** 2))) };
  });
  // Six digits: what the manifest carries is exactly what the training used.
  const round = (value: number) => Number(value.toPrecision(6));
  const over = (values: (person: (typeof own)[number]) => number) => {
    const all = own.map(values);
    const mean = all.reduce((sum, value) => sum + value, 0) / all.length;
    const spread = Math.sqrt(all.reduce((sum, value) => sum + (value - mean) ** 2, 0) / all.length);
    return { mean: round(mean), spread: round(Math.max(1e-3, spread)) };
  };
  const means = ANOMALY_FEATURES.map((_, i) => over(({ mean }) => mean[i]!));
  return {
    mean: means.map(({ mean }) => mean),
    between: means.map(({ spread }) => spread),
    within: ANOMALY_FEATURES.map((_, i) => Math.max(1e-3, over(({ deviation }) => deviation[i]!).mean)),
    usualScore: 1,
  };
}

/** A person's windows as departures from their usual, the baseline learning as it goes; normal rhythm throughout. */
export function departuresOf(
  { features, spanMs, count }: AnomalyRecord,
  preprocessing: AnomalyPreprocessing,
): Float32Array {
  const baseline = new PersonBaseline({ ...preprocessing });
  const out = new Float32Array(count * COUNT);
  for (let w = 0; w < count; w++) {
    const vector = features.subarray(w * COUNT, (w + 1) * COUNT);
    baseline.departures(vector, out.subarray(w * COUNT, (w + 1) * COUNT));
    baseline.learn(vector, spanMs[w]!, 0, false);
  }
  return out;
}

/** Trains the autoencoder on normal people, then finds what residual is usual. */
export async function fitNetwork(
  records: readonly AnomalyRecord[],
  recipe: AnomalyRecipe,
  seed: number,
  onEpoch?: OnEpoch,
): Promise<Fitted> {
  const preprocessing = peopleConstants(records);
  const people = records.map((record) => departuresOf(record, preprocessing));
  const model = anomalyNetwork(seed);
  await trainModel(model, batches(people, recipe.batchSize, seed), recipe, { onEpoch });
  return { model, preprocessing: { ...preprocessing, usualScore: usualScore(model, people) } };
}

/** Prunes a trained network while training it on. Changes the model in place. */
export async function fitPruned(
  { model, preprocessing }: Fitted,
  records: readonly AnomalyRecord[],
  recipe: AnomalyRecipe,
  seed: number,
  wish: PruningWish,
  onEpoch?: OnEpoch,
): Promise<void> {
  const settings = { ...recipe, epochs: ANOMALY_PRUNING.epochs, peakLearningRate: ANOMALY_PRUNING.peakLearningRate };
  const people = records.map((record) => departuresOf(record, preprocessing));
  const names = model.trainableWeights.map((weight) => weight.originalName);
  const pruner = plannedPruner(wish, ANOMALY_PRUNING, settings.epochs * settings.stepsPerEpoch, names);
  await trainModel(model, batches(people, recipe.batchSize, seed + 7919), settings, {
    onEpoch,
    onStep: (step, weights) => pruner.step(step, weights),
  });
}

/** Windows of all people with equal odds, some numbers blurred: an autoencoder must not learn to copy. */
function batches(people: readonly Float32Array[], size: number, seed: number): () => Batch {
  const random = new Random(seed);
  const inputs = new Float32Array(size * COUNT);
  const targets = new Float32Array(size * COUNT);
  return () => {
    for (let item = 0; item < size; item++) {
      const person = people[random.below(people.length)]!;
      const w = random.below(person.length / COUNT);
      const window = person.subarray(w * COUNT, (w + 1) * COUNT);
      targets.set(window, item * COUNT);
      for (let i = 0; i < COUNT; i++) inputs[item * COUNT + i] = window[i]! + 0.2 * random.normal();
    }
    return { inputs: [inputs], targets, size };
  };
}

/** Median over people of the residual that they stay below 99 times of 100. */
function usualScore(model: tf.LayersModel, people: readonly Float32Array[]): number {
  const peaks = people.map((departures) => {
    const residuals = residualsOf(model, departures).sort();
    return residuals[Math.floor(0.99 * residuals.length)]!;
  });
  peaks.sort((a, b) => a - b);
  return Number(peaks[peaks.length >> 1]!.toPrecision(6));
}

export function residualsOf(model: tf.LayersModel, departures: Float32Array): Float32Array {
  const count = departures.length / COUNT;
  const rebuilt = predict(model, [departures], count);
  return Float32Array.from({ length: count }, (_, w) =>
    residualOf(departures.subarray(w * COUNT, (w + 1) * COUNT), rebuilt.subarray(w * COUNT, (w + 1) * COUNT)),
  );
}

import type * as tf from '@tensorflow/tfjs';
import {
  ANOMALY_FEATURES,
  AnomalyDescription,
  type AnomalyPreprocessing,
  departureOf,
  PersonBaseline,
} from '../../../inference/windows/anomaly-rr.js';
import { RHYTHM_BEATS } from '../../../inference/windows/rhythm-rr-features.js';
import type { AnomalyRecord } from '../../data/anomaly-records.js';
import { type PruningWish, plannedPruner } from '../../prune/plan.js';
import { type Batch, type EpochReport, predict, trainModel } from '../../train/loop.js';
import { Random } from '../../train/random.js';
import { type MadeUp, makeUp } from './made-up.js';
import { anomalyNetwork, LABELS } from './network.js';
import { ANOMALY_PRUNING, ANOMALY_TUNING, type AnomalyRecipe } from './recipe.js';

const COUNT = ANOMALY_FEATURES.length;
const RATE = ANOMALY_FEATURES.indexOf('rate');
/** A made-up window of each sort at every so many windows of a person, seen with the baseline of that moment. */
const MADE_UP_EVERY = 8;

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

/** What a person gives to train on: their own windows, all of them usual, and made-up ones, as departures. */
interface Lesson {
  readonly real: Float32Array;
  readonly madeUp: Readonly<Record<MadeUp, Float32Array>>;
}

/** A person's windows as departures, the baseline learning as it goes, and what it would make of made-up rhythms now and then. */
export function lessonOf(
  { features, spanMs, count }: AnomalyRecord,
  preprocessing: AnomalyPreprocessing,
  random: Random,
): Lesson {
  const baseline = new PersonBaseline({ ...preprocessing });
  const description = new AnomalyDescription();
  const rrS = new Float64Array(RHYTHM_BEATS);
  const vector = new Float32Array(COUNT);
  const made = Math.ceil(count / MADE_UP_EVERY);
  const lesson: Lesson = {
    real: new Float32Array(count * COUNT),
    madeUp: { usual: new Float32Array(made * COUNT), departs: new Float32Array(made * COUNT) },
  };
  const at = (buffer: Float32Array, item: number) => buffer.subarray(item * COUNT, (item + 1) * COUNT);
  for (let w = 0; w < count; w++) {
    const own = at(features, w);
    baseline.departures(own, at(lesson.real, w));
    if (w % MADE_UP_EVERY === 0) {
      for (const what of ['usual', 'departs'] as const) {
        makeUp(what, rrS, Math.exp(-own[RATE]!), random);
        description.write(rrS, vector);
        baseline.departures(vector, at(lesson.madeUp[what], w / MADE_UP_EVERY));
      }
    }
    baseline.learn(own, spanMs[w]!, 0, false);
  }
  return lesson;
}

/** Trains the network on normal people and on made-up rhythms, then finds what departure is usual. */
export async function fitNetwork(
  records: readonly AnomalyRecord[],
  recipe: AnomalyRecipe,
  seed: number,
  onEpoch?: OnEpoch,
): Promise<Fitted> {
  const preprocessing = peopleConstants(records);
  const random = new Random(seed + 104729);
  const lessons = records.map((record) => lessonOf(record, preprocessing, random));
  const model = anomalyNetwork(seed, recipe.hidden);
  await trainModel(model, batches(lessons, recipe, seed), recipe, { onEpoch });
  return { model, preprocessing: { ...preprocessing, usualScore: usualScore(model, lessons) } };
}

/** Prunes a trained network while training it on. Changes the model in place; the constants stay the float model's. */
export async function fitPruned(
  { model, preprocessing }: Fitted,
  records: readonly AnomalyRecord[],
  recipe: AnomalyRecipe,
  seed: number,
  wish: PruningWish,
  onEpoch?: OnEpoch,
): Promise<void> {
  const settings = { ...recipe, epochs: ANOMALY_PRUNING.epochs, peakLearningRate: ANOMALY_PRUNING.peakLearningRate };
  const random = new Random(seed + 104729);
  const lessons = records.map((record) => lessonOf(record, preprocessing, random));
  const names = model.trainableWeights.map((weight) => weight.originalName);
  const pruner = plannedPruner(wish, ANOMALY_PRUNING, settings.epochs * settings.stepsPerEpoch, names);
  await trainModel(model, batches(lessons, recipe, seed + 7919), settings, {
    onEpoch,
    onStep: (step, weights) => pruner.step(step, weights),
  });
}

/** Trains a network on as it is: what one that lost units needs. Changes the model in place; the constants stay. */
export async function fitTuned(
  { model, preprocessing }: Fitted,
  records: readonly AnomalyRecord[],
  recipe: AnomalyRecipe,
  seed: number,
  onEpoch?: OnEpoch,
): Promise<void> {
  const random = new Random(seed + 104729);
  const lessons = records.map((record) => lessonOf(record, preprocessing, random));
  await trainModel(model, batches(lessons, recipe, seed + 15_485_863), { ...recipe, ...ANOMALY_TUNING }, { onEpoch });
}

/** Windows of all people with equal odds. */
function batches(lessons: readonly Lesson[], recipe: AnomalyRecipe, seed: number): () => Batch {
  const { batchSize: size, departing, madeUpUsual } = recipe;
  const random = new Random(seed);
  const inputs = new Float32Array(size * COUNT);
  const targets = new Float32Array(size * LABELS.length);
  return () => {
    targets.fill(0);
    for (let item = 0; item < size; item++) {
      const { real, madeUp } = lessons[random.below(lessons.length)]!;
      const draw = random.uniform();
      const departs = draw < departing;
      const from = departs ? madeUp.departs : draw < departing + madeUpUsual ? madeUp.usual : real;
      const w = random.below(from.length / COUNT);
      inputs.set(from.subarray(w * COUNT, (w + 1) * COUNT), item * COUNT);
      targets[item * LABELS.length + (departs ? 1 : 0)] = 1;
    }
    return { inputs: [inputs], targets, size };
  };
}

/** Median over people of the departure that they stay below 99 times of 100. */
function usualScore(model: tf.LayersModel, lessons: readonly Lesson[]): number {
  const peaks = lessons.map(({ real }) => {
    const logits = predict(model, [real], real.length / COUNT);
    const departures = Float32Array.from({ length: real.length / COUNT }, (_, w) =>
      departureOf(logits.subarray(w * LABELS.length, (w + 1) * LABELS.length)),
    ).sort();
    return departures[Math.floor(0.99 * departures.length)]!;
  });
  peaks.sort((a, b) => a - b);
  return Number(peaks[peaks.length >> 1]!.toPrecision(6));
}

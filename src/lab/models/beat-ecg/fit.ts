import type * as tf from '@tensorflow/tfjs';
import type { BeatEcgPreprocessing } from '../../../inference/windows/beat-ecg.js';
import type { BeatRecord } from '../../data/beat-records.js';
import { MagnitudePruner } from '../../prune/pruner.js';
import { PolynomialDecay } from '../../prune/schedules.js';
import { type EpochReport, predict, trainModel } from '../../train/loop.js';
import { featureConstants, standardised } from './data.js';
import type { ScoredRecord } from './decide.js';
import { beatEcgNetwork } from './network.js';
import { BEAT_ECG_PRUNING, type BeatEcgRecipe } from './recipe.js';
import { BeatSampler } from './sampling.js';

export interface Fitted {
  readonly model: tf.LayersModel;
  readonly preprocessing: BeatEcgPreprocessing;
}

export type OnEpoch = (report: EpochReport) => void | Promise<void>;

/** Trains a new network on some records; the constants of its features come from the same records. */
export async function fitNetwork(
  records: readonly BeatRecord[],
  recipe: BeatEcgRecipe,
  seed: number,
  onEpoch?: OnEpoch,
): Promise<Fitted> {
  const preprocessing = featureConstants(records);
  const sampler = new BeatSampler(standardised(records, preprocessing), recipe, seed);
  const model = beatEcgNetwork(seed);
  await trainModel(model, () => sampler.next(), recipe, { onEpoch });
  return { model, preprocessing };
}

/** Prunes a trained network while training it on. Changes the model in place. */
export async function fitPruned(
  { model, preprocessing }: Fitted,
  records: readonly BeatRecord[],
  recipe: BeatEcgRecipe,
  seed: number,
  sparsity: number,
  onEpoch?: OnEpoch,
): Promise<void> {
  const { epochs, peakLearningRate, initialSparsity, frequency, begin, end } = BEAT_ECG_PRUNING;
  const sampler = new BeatSampler(standardised(records, preprocessing), recipe, seed + 7919);
  const steps = epochs * recipe.stepsPerEpoch;
  const beginStep = Math.round(begin * steps);
  // The last update falls on the last step of the schedule, so the final sparsity is reached exactly.
  const endStep = beginStep + frequency * Math.max(1, Math.floor((end * steps - beginStep) / frequency));
  const schedule = new PolynomialDecay({
    initialSparsity: Math.min(initialSparsity, sparsity),
    finalSparsity: sparsity,
    beginStep,
    endStep,
    frequency,
  });
  const pruner = new MagnitudePruner(schedule);
  const settings = { ...recipe, epochs, peakLearningRate };
  await trainModel(model, () => sampler.next(), settings, {
    onEpoch,
    onStep: (step, weights) => pruner.step(step, weights),
  });
}

/** What a model says of every beat of some records (features as read from them, not standardised). */
export function score({ model, preprocessing }: Fitted, records: readonly BeatRecord[]): ScoredRecord[] {
  return records.map((record) => {
    const [ready] = standardised([record], preprocessing);
    return { record, logits: predict(model, [ready!.windows, ready!.features], record.count) };
  });
}

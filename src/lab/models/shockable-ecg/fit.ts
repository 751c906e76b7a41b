import type * as tf from '@tensorflow/tfjs';
import type { ShockablePreprocessing } from '../../../inference/windows/shockable-ecg.js';
import type { ShockableRecord } from '../../data/shockable-records.js';
import { type PruningWish, plannedPruner } from '../../prune/plan.js';
import { type EpochReport, trainModel } from '../../train/loop.js';
import { seedDropout } from '../../train/seeded-dropout.js';
import { featureHead, joinHeads, signalHead } from './network.js';
import { SHOCKABLE_PRUNING, type ShockableRecipe } from './recipe.js';
import { poolBatches, poolConstants, ShockableSampler, standardisePool } from './sampling.js';

export interface Fitted {
  readonly model: tf.LayersModel;
  readonly preprocessing: ShockablePreprocessing;
}

export type OnEpoch = (report: EpochReport) => void | Promise<void>;

/** Epochs that `fitNetwork` reports in all. */
export function fitEpochs({ signal, features }: ShockableRecipe): number {
  return signal.epochs + features.epochs;
}

/** Trains both halves, each on its own, and joins them; the constants of the features come from the same records. */
export async function fitNetwork(
  records: readonly ShockableRecord[],
  noise: readonly Float32Array[],
  recipe: ShockableRecipe,
  seed: number,
  onEpoch?: OnEpoch,
): Promise<Fitted> {
  const sampler = new ShockableSampler(records, noise, recipe, seed);
  const pool = sampler.pool(recipe.features.pool);
  const preprocessing = poolConstants(pool);
  standardisePool(pool, preprocessing);
  const report = (before: number) => (one: EpochReport) =>
    onEpoch?.({ ...one, epoch: before + one.epoch, epochs: fitEpochs(recipe) });
  const features = featureHead(seed);
  const batches = poolBatches(pool, recipe.features.batchSize, seed + 1, 'features');
  await trainModel(features, batches, recipe.features, { onEpoch: report(0) });
  const signal = signalHead(seed);
  await trainModel(signal, sampler.signals(recipe.signal.batchSize), recipe.signal, {
    onEpoch: report(recipe.features.epochs),
  });
  return { model: joinHeads(signal, features, recipe.featureShare), preprocessing };
}

/** Prunes a trained network while training it on, both halves together. Changes the model in place. */
export async function fitPruned(
  { model, preprocessing }: Fitted,
  records: readonly ShockableRecord[],
  noise: readonly Float32Array[],
  recipe: ShockableRecipe,
  seed: number,
  wish: PruningWish,
  onEpoch?: OnEpoch,
): Promise<void> {
  const { epochs, peakLearningRate } = SHOCKABLE_PRUNING;
  const settings = { ...recipe.signal, epochs, peakLearningRate };
  const pool = new ShockableSampler(records, noise, recipe, seed + 7919).pool(recipe.features.pool);
  standardisePool(pool, preprocessing);
  const names = model.trainableWeights.map((weight) => weight.originalName);
  const pruner = plannedPruner(wish, SHOCKABLE_PRUNING, epochs * settings.stepsPerEpoch, names);
  seedDropout(model, seed);
  await trainModel(model, poolBatches(pool, settings.batchSize, seed + 1, 'both'), settings, {
    onEpoch,
    onStep: (step, weights) => pruner.step(step, weights),
  });
}

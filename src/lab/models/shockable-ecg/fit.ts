import type * as tf from '@tensorflow/tfjs';
import type { ShockablePreprocessing } from '../../../inference/windows/shockable-ecg.js';
import type { ShockableRecord } from '../../data/shockable-records.js';
import { type PruningWish, plannedPruner } from '../../prune/plan.js';
import { type EpochReport, trainModel } from '../../train/loop.js';
import { seedDropout } from '../../train/seeded-dropout.js';
import { featureHead, type Heads, headInputs, joinHeads, signalHead } from './network.js';
import { SHOCKABLE_PRUNING, SHOCKABLE_TUNING, type ShockableRecipe } from './recipe.js';
import { poolBatches, poolConstants, ShockableSampler, standardisePool } from './sampling.js';

export interface Fitted {
  readonly model: tf.LayersModel;
  readonly preprocessing: ShockablePreprocessing;
}

export type OnEpoch = (report: EpochReport) => void | Promise<void>;

/** Epochs that `fitNetwork` reports in all. */
export function fitEpochs({ signal, features, members }: ShockableRecipe): number {
  return members.signal * signal.epochs + members.features * features.epochs;
}

/** Trains every network on its own and joins them; the constants of the features come from the same records. */
export async function fitNetwork(
  records: readonly ShockableRecord[],
  noise: readonly Float32Array[],
  recipe: ShockableRecipe,
  seed: number,
  onEpoch?: OnEpoch,
): Promise<Fitted> {
  const { heads, preprocessing } = await fitHeads(records, noise, recipe, seed, onEpoch);
  return { model: joinHeads(heads, recipe.featureShare), preprocessing };
}

/** Between the seeds of two networks of one half; those of folds and models lie closer. */
const MEMBER_SEEDS = 101;

/** The networks of both halves, each trained on its own. */
export async function fitHeads(
  records: readonly ShockableRecord[],
  noise: readonly Float32Array[],
  recipe: ShockableRecipe,
  seed: number,
  onEpoch?: OnEpoch,
): Promise<{ readonly heads: Heads; readonly preprocessing: ShockablePreprocessing }> {
  const sampler = new ShockableSampler(records, noise, recipe, seed);
  const pool = sampler.pool(recipe.features.pool, recipe.features.disturbed);
  const preprocessing = poolConstants(pool);
  standardisePool(pool, preprocessing);
  const inputs = headInputs();
  const signal: tf.LayersModel[] = [];
  const features: tf.LayersModel[] = [];
  let before = 0;
  const report = (one: EpochReport) => onEpoch?.({ ...one, epoch: before + one.epoch, epochs: fitEpochs(recipe) });
  for (let k = 0; k < recipe.members.features; k++) {
    const own = seed + MEMBER_SEEDS * k;
    features.push(featureHead(own, inputs, k));
    const batches = poolBatches(pool, recipe.features.batchSize, own + 1, 'features', recipe.ownKind);
    await trainModel(features[k]!, batches, recipe.features, { onEpoch: report });
    before += recipe.features.epochs;
  }
  const batches = sampler.signals(recipe.signal.batchSize);
  for (let k = 0; k < recipe.members.signal; k++) {
    signal.push(signalHead(seed + MEMBER_SEEDS * k, inputs, k));
    await trainModel(signal[k]!, batches, recipe.signal, { onEpoch: report });
    before += recipe.signal.epochs;
  }
  return { heads: { inputs, signal, features }, preprocessing };
}

/** Prunes a trained network while training it on, both halves together. Changes the model in place. */
export async function fitPruned(
  fitted: Fitted,
  records: readonly ShockableRecord[],
  noise: readonly Float32Array[],
  recipe: ShockableRecipe,
  seed: number,
  wish: PruningWish,
  onEpoch?: OnEpoch,
): Promise<void> {
  const { epochs, peakLearningRate } = SHOCKABLE_PRUNING;
  const settings = { ...recipe.signal, epochs, peakLearningRate };
  const names = fitted.model.trainableWeights.map((weight) => weight.originalName);
  const pruner = plannedPruner(wish, SHOCKABLE_PRUNING, epochs * settings.stepsPerEpoch, names);
  const next = bothHalves(fitted, records, noise, recipe, seed + 7919, seed + 1);
  seedDropout(fitted.model, seed);
  await trainModel(fitted.model, next, settings, {
    onEpoch,
    onStep: (step, weights) => pruner.step(step, weights),
  });
}

/** Trains a network on as it is, both halves together: what one that lost channels needs. Changes the model in place. */
export async function fitTuned(
  fitted: Fitted,
  records: readonly ShockableRecord[],
  noise: readonly Float32Array[],
  recipe: ShockableRecipe,
  seed: number,
  onEpoch?: OnEpoch,
): Promise<void> {
  const next = bothHalves(fitted, records, noise, recipe, seed + 104729, seed + 2);
  seedDropout(fitted.model, seed + 1);
  await trainModel(fitted.model, next, { ...recipe.signal, ...SHOCKABLE_TUNING }, { onEpoch });
}

/** Batches of whole windows, signal and features, all of them augmented. */
function bothHalves(
  { preprocessing }: Fitted,
  records: readonly ShockableRecord[],
  noise: readonly Float32Array[],
  recipe: ShockableRecipe,
  poolSeed: number,
  orderSeed: number,
) {
  const pool = new ShockableSampler(records, noise, recipe, poolSeed).pool(recipe.features.pool, 1);
  standardisePool(pool, preprocessing);
  return poolBatches(pool, recipe.signal.batchSize, orderSeed, 'both', recipe.ownKind);
}

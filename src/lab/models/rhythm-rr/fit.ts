import type * as tf from '@tensorflow/tfjs';
import type { RhythmRrPreprocessing } from '../../../inference/windows/rhythm-rr.js';
import type { RhythmRecord } from '../../data/rhythm-records.js';
import { MagnitudePruner } from '../../prune/pruner.js';
import { PolynomialDecay } from '../../prune/schedules.js';
import { type EpochReport, trainModel } from '../../train/loop.js';
import { featureConstants } from './data.js';
import { featureHead, joinHeads, sequenceHead } from './network.js';
import { RHYTHM_RR_PRUNING, type RhythmRrRecipe } from './recipe.js';
import { type Half, RhythmSampler } from './sampling.js';

export interface Fitted {
  readonly model: tf.LayersModel;
  readonly preprocessing: RhythmRrPreprocessing;
}

export type OnEpoch = (report: EpochReport) => void | Promise<void>;

/** Epochs that `fitNetwork` reports in all. */
export function fitEpochs({ sequence, features }: RhythmRrRecipe): number {
  return sequence.epochs + features.epochs;
}

/** Trains both halves, each on its own, and joins them; the constants of the features come from the same records. */
export async function fitNetwork(
  records: readonly RhythmRecord[],
  recipe: RhythmRrRecipe,
  seed: number,
  onEpoch?: OnEpoch,
): Promise<Fitted> {
  const preprocessing = featureConstants(records, seed);
  const train = async (model: tf.LayersModel, half: Exclude<Half, 'both'>, before: number) => {
    const settings = recipe[half];
    const sampler = new RhythmSampler(records, recipe.augmentation, {
      seed: 2 * seed + (half === 'sequence' ? 0 : 1),
      batchSize: settings.batchSize,
      half,
      preprocessing,
    });
    await trainModel(model, () => sampler.next(), settings, {
      onEpoch: (report) => onEpoch?.({ ...report, epoch: before + report.epoch, epochs: fitEpochs(recipe) }),
    });
    return model;
  };
  const features = await train(featureHead(seed), 'features', 0);
  const sequence = await train(sequenceHead(seed), 'sequence', recipe.features.epochs);
  return { model: joinHeads(sequence, features, recipe.featureShare), preprocessing };
}

/** Prunes a trained network while training it on, both halves together. Changes the model in place. */
export async function fitPruned(
  { model, preprocessing }: Fitted,
  records: readonly RhythmRecord[],
  recipe: RhythmRrRecipe,
  seed: number,
  sparsity: number,
  onEpoch?: OnEpoch,
): Promise<void> {
  const { epochs, peakLearningRate, initialSparsity, frequency, begin, end } = RHYTHM_RR_PRUNING;
  const settings = { ...recipe.sequence, epochs, peakLearningRate };
  const sampler = new RhythmSampler(records, recipe.augmentation, {
    seed: seed + 7919,
    batchSize: settings.batchSize,
    half: 'both',
    preprocessing,
  });
  const steps = epochs * settings.stepsPerEpoch;
  const beginStep = Math.round(begin * steps);
  // The last update falls on the last step of the schedule, so the final sparsity is reached exactly.
  const endStep = beginStep + frequency * Math.max(1, Math.floor((end * steps - beginStep) / frequency));
  const pruner = new MagnitudePruner(
    new PolynomialDecay({
      initialSparsity: Math.min(initialSparsity, sparsity),
      finalSparsity: sparsity,
      beginStep,
      endStep,
      frequency,
    }),
  );
  await trainModel(model, () => sampler.next(), settings, {
    onEpoch,
    onStep: (step, weights) => pruner.step(step, weights),
  });
}

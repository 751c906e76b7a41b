import type * as tf from '@tensorflow/tfjs';
import type { RhythmRrPreprocessing } from '../../../inference/windows/rhythm-rr.js';
import type { RhythmRecord } from '../../data/rhythm-records.js';
import { type PruningWish, plannedPruner } from '../../prune/plan.js';
import type { CheckpointOptions } from '../../train/keeper.js';
import { type EpochReport, trainModel } from '../../train/loop.js';
import { seedDropout } from '../../train/seeded-dropout.js';
import { featureConstants } from './data.js';
import { featureHead, joinHeads, sequenceHead } from './network.js';
import { RHYTHM_RR_PRUNING, RHYTHM_RR_TUNING, type RhythmRrRecipe } from './recipe.js';
import { type Half, RhythmSampler } from './sampling.js';

export interface Fitted {
  readonly model: tf.LayersModel;
  readonly preprocessing: RhythmRrPreprocessing;
  /** Loss by epoch of both halves, where it was trained here. */
  readonly history?: readonly EpochReport[];
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
  checkpointOf?: (half: string) => CheckpointOptions | undefined,
): Promise<Fitted> {
  const preprocessing = featureConstants(records, seed);
  const history: EpochReport[] = [];
  const train = async (model: tf.LayersModel, half: Exclude<Half, 'both'>, before: number) => {
    const settings = recipe[half];
    const sampler = new RhythmSampler(records, recipe.augmentation, {
      seed: 2 * seed + (half === 'sequence' ? 0 : 1),
      batchSize: settings.batchSize,
      half,
      preprocessing,
    });
    const result = await trainModel(model, () => sampler.next(), settings, {
      checkpoint: checkpointOf?.(half),
      states: [sampler],
      onEpoch: (report) => onEpoch?.({ ...report, epoch: before + report.epoch, epochs: fitEpochs(recipe) }),
    });
    history.push(
      ...result.history.map((epoch) => ({ ...epoch, epoch: before + epoch.epoch, epochs: fitEpochs(recipe) })),
    );
    return model;
  };
  const features = await train(featureHead(seed), 'features', 0);
  const sequence = await train(sequenceHead(seed), 'sequence', recipe.features.epochs);
  return { model: joinHeads(sequence, features, recipe.featureShare), preprocessing, history };
}

/** Prunes a trained network while training it on, both halves together. Changes the model in place. */
export async function fitPruned(
  { model, preprocessing }: Fitted,
  records: readonly RhythmRecord[],
  recipe: RhythmRrRecipe,
  seed: number,
  wish: PruningWish,
  onEpoch?: OnEpoch,
  checkpoint?: CheckpointOptions,
): Promise<readonly EpochReport[]> {
  const { epochs, peakLearningRate } = RHYTHM_RR_PRUNING;
  const settings = { ...recipe.sequence, epochs, peakLearningRate };
  const sampler = new RhythmSampler(records, recipe.augmentation, {
    seed: seed + 7919,
    batchSize: settings.batchSize,
    half: 'both',
    preprocessing,
  });
  const names = model.trainableWeights.map((weight) => weight.originalName);
  const pruner = plannedPruner(wish, RHYTHM_RR_PRUNING, epochs * settings.stepsPerEpoch, names);
  seedDropout(model, seed);
  const { history } = await trainModel(model, () => sampler.next(), settings, {
    onEpoch,
    onStep: (step, weights) => pruner.step(step, weights),
    ...(checkpoint && { checkpoint }),
    states: [sampler, pruner],
  });
  return history;
}

/** Trains a network on as it is: what one that lost channels needs. Changes the model in place. */
export async function fitTuned(
  { model, preprocessing }: Fitted,
  records: readonly RhythmRecord[],
  recipe: RhythmRrRecipe,
  seed: number,
  onEpoch?: OnEpoch,
  checkpoint?: CheckpointOptions,
): Promise<readonly EpochReport[]> {
  const settings = { ...recipe.sequence, ...RHYTHM_RR_TUNING };
  const sampler = new RhythmSampler(records, recipe.augmentation, {
    ...{ seed: seed + 104729, batchSize: settings.batchSize, half: 'both', preprocessing },
  });
  seedDropout(model, seed + 1);
  const states = [sampler];
  const { history } = await trainModel(model, () => sampler.next(), settings, { onEpoch, checkpoint, states });
  return history;
}

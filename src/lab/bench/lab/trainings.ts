import { existsSync } from 'node:fs';
import { join } from 'node:path';
import * as tf from '@tensorflow/tfjs';
import { type BeatEcgTraining, loadTraining, saveTraining } from '../../models/beat-ecg/bundle.js';
import { NO_OFFSETS } from '../../models/beat-ecg/decide.js';
import { type Fitted, fitNetwork, fitPruned, fitTuned, type OnEpoch } from '../../models/beat-ecg/fit.js';
import { BEAT_ECG_RECIPE } from '../../models/beat-ecg/recipe.js';
import { CHANNEL_GROUP, pruneChannels } from '../../prune/channel.js';
import { kernelSparsity } from '../../prune/kernel-sparsity.js';
import type { Split } from './split.js';

/** Share of the channels and units of every layer that the channel pruning takes out: about a quarter of the MACs is left. */
export const CHANNEL_SHARE = 0.5;
export const SPARSITIES = [0.5, 0.8, 0.9] as const;

export type TrainingId = 'float' | `pruned-${number}` | 'channels';
export const TRAININGS: readonly TrainingId[] = [
  'float',
  ...SPARSITIES.map((sparsity) => `pruned-${sparsity * 100}` as const),
  'channels',
];

export interface TrainingOptions {
  readonly folder: string;
  readonly split: Split;
  readonly backend: string;
  onEpoch?(seed: number, id: TrainingId): OnEpoch;
}

/** The folder of one training, made now unless it is there; a killed one goes on from its checkpoint. */
export async function trained(seed: number, id: TrainingId, options: TrainingOptions): Promise<string> {
  const folder = join(options.folder, `seed-${seed}`, id);
  if (existsSync(join(folder, 'training.json'))) return folder;
  const { train } = options.split;
  const recipe = BEAT_ECG_RECIPE;
  const onEpoch = options.onEpoch?.(seed, id);
  const control = { checkpoint: { file: join(folder, 'checkpoint.ckpt'), resume: true, key: [seed, id, recipe] } };
  const from = async (other: TrainingId) => (await loadTraining(await trained(seed, other, options))).fitted;
  let fitted: Fitted;
  if (id === 'float') fitted = await fitNetwork(train, recipe, seed, onEpoch, control);
  else if (id === 'channels') {
    fitted = await from('float');
    const { model } = await pruneChannels(tf, fitted.model, { sparsity: CHANNEL_SHARE, multipleOf: CHANNEL_GROUP });
    fitted.model.dispose();
    fitted = { ...fitted, model };
    await fitTuned(fitted, train, recipe, seed, onEpoch, control);
  } else {
    fitted = await from('float');
    const sparsity = Number(id.split('-').at(-1)) / 100;
    await fitPruned(fitted, train, recipe, seed, { sparsity }, onEpoch, control);
  }
  const training: BeatEcgTraining = {
    ...{ model: 'beat-ecg', seed, backend: options.backend, sparsity: kernelSparsity(fitted.model), recipe },
    ...{ preprocessing: fitted.preprocessing, logitOffsets: NO_OFFSETS, validation: null },
    trainedOn: train.map(({ database, record }) => `${database}/${record}`),
  };
  await saveTraining(folder, fitted, training);
  fitted.model.dispose();
  return folder;
}

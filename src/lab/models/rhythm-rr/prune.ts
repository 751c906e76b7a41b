import * as tf from '@tensorflow/tfjs';
import { openBackend } from '../../backend.js';
import { CHANNEL_GROUP, type PrunedLayer, pruneChannels } from '../../prune/channel.js';
import { kernelSparsity } from '../../prune/kernel-sparsity.js';
import { type PhaseHistory, saveHistory } from '../../train/history.js';
import { Checkpoints } from '../../train/keeper.js';
import type { EpochReport } from '../../train/loop.js';
import type { PruneOptions } from '../prune-in-one-go.js';
import { loadTraining, type RhythmRrTraining, saveTraining } from './bundle.js';
import { loadTrainingRecords, type RhythmRrDataOptions } from './data.js';
import { fitPruned, fitTuned } from './fit.js';
import { RHYTHM_RR_PRUNING, RHYTHM_RR_RECIPE, RHYTHM_RR_TUNING, type RhythmRrRecipe } from './recipe.js';
import { names } from './train.js';

export interface PruneRhythmRrOptions extends Omit<RhythmRrDataOptions, 'onProgress'>, PruneOptions {
  /** Go on with a pruning of the same settings that was stopped. */
  readonly resume?: boolean;
}

/** Prunes a trained rhythm-rr (70 % unless told) while training it on, and saves it beside. afdb and mitdb are never read. */
export async function pruneRhythmRr(options: PruneRhythmRrOptions): Promise<RhythmRrTraining> {
  const { modelFolder, outFolder, channels, schedule, layers, resume = false, onProgress } = options;
  const sparsity = options.sparsity ?? (channels === undefined ? 0.7 : 0);
  const wish = { sparsity, ...(schedule && { schedule }), ...(layers && { layers }) };
  const { description } = await openBackend(options.backend ?? 'auto');
  const loaded = await loadTraining(modelFolder);
  const { training } = loaded;
  let { fitted } = loaded;
  const recipe: RhythmRrRecipe = { ...RHYTHM_RR_RECIPE, ...(training.recipe as Partial<RhythmRrRecipe>) };
  const records = await loadTrainingRecords({
    ...options,
    onProgress: (done, of, what) => onProgress?.({ stage: `reading ${what}`, done, of }),
  });
  const { seed } = training;
  const checkpoints = new Checkpoints(outFolder, resume, { seed, recipe, wish, channels, records: names(records) });
  await checkpoints.begin();
  const prunes = sparsity > 0 || Object.keys(layers ?? {}).length > 0;
  const tuningEpochs = channels === undefined ? 0 : RHYTHM_RR_TUNING.epochs;
  const of = tuningEpochs + (prunes ? RHYTHM_RR_PRUNING.epochs : 0);
  const report = (stage: string, before: number) => (epoch: EpochReport) =>
    onProgress?.({ stage, done: before + epoch.epoch, of, epoch });
  const history: PhaseHistory[] = [];
  let channelsLeft: readonly PrunedLayer[] | undefined;
  if (channels !== undefined) {
    const smaller = await pruneChannels(tf, fitted.model, { sparsity: channels, multipleOf: CHANNEL_GROUP });
    fitted.model.dispose();
    fitted = { ...fitted, model: smaller.model };
    channelsLeft = smaller.layers;
    const tuning = checkpoints.of('channels');
    const epochs = await fitTuned(fitted, records, recipe, seed, report('fine-tuning', 0), tuning);
    history.push({ phase: 'fine-tuning after channels were taken out', epochs });
  }
  if (prunes) {
    const onEpoch = report('pruning', tuningEpochs);
    const epochs = await fitPruned(fitted, records, recipe, seed, wish, onEpoch, checkpoints.of('model'));
    history.push({ phase: 'pruning', epochs });
  }
  const result: RhythmRrTraining = {
    ...training,
    backend: description,
    sparsity: kernelSparsity(fitted.model),
    // The float model's cross-validation says nothing of this one.
    validation: null,
    recipe: {
      ...recipe,
      ...(channelsLeft && { channels: { wanted: channels, left: channelsLeft, ...RHYTHM_RR_TUNING } }),
      ...(prunes && { pruning: { schedule: 'PolynomialDecay', ...wish, ...RHYTHM_RR_PRUNING } }),
    },
    trainedOn: names(records),
  };
  await saveTraining(outFolder, fitted, result);
  await saveHistory(outFolder, history);
  await checkpoints.clear();
  fitted.model.dispose();
  return result;
}

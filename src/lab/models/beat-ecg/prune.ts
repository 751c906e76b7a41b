import * as tf from '@tensorflow/tfjs';
import { openBackend } from '../../backend.js';
import { LabError } from '../../error.js';
import { CHANNEL_GROUP, type PrunedLayer, pruneChannels } from '../../prune/channel.js';
import { kernelSparsity } from '../../prune/kernel-sparsity.js';
import { type PhaseHistory, saveHistory } from '../../train/history.js';
import { Checkpoints } from '../../train/keeper.js';
import type { EpochReport } from '../../train/loop.js';
import type { PruneOptions } from '../prune-in-one-go.js';
import { type BeatEcgTraining, loadTraining, saveTraining } from './bundle.js';
import { crossValidate } from './cross-validate.js';
import { type BeatEcgDataOptions, loadIntervalRecords, loadOtherLeads, loadTrainingRecords, noiseOf } from './data.js';
import { chooseOffsets } from './decide.js';
import { fitPruned, fitTuned } from './fit.js';
import { foldsFolder } from './kept-folds.js';
import { BEAT_ECG_PRUNING, BEAT_ECG_RECIPE, BEAT_ECG_TEACHER, BEAT_ECG_TUNING, type BeatEcgRecipe } from './recipe.js';
import { beatSplit, DEFAULT_FOLDS, foldsOf, needClasses } from './split.js';
import { names } from './train.js';
import { validationOf } from './validation.js';

export interface PruneBeatEcgOptions extends Omit<BeatEcgDataOptions, 'onProgress' | 'split'>, PruneOptions {
  /** Steps to either side of zero that weights are put on; as they come unless told. */
  readonly levels?: number;
  /** Go on with a pruning of the same settings that was stopped. */
  readonly resume?: boolean;
  /** Folds that train and prune anew to choose the pruned model's own offsets, those of the training unless told; 0 keeps the float model's. */
  readonly folds?: number;
}

/**
 * Prunes a trained beat-ecg while training it on, on the people it was trained on, with its own offsets, and saves it beside. The
 * people who are tested on are never read. 80 % unless told; the layers of the interval branch are left alone unless told.
 */
export async function pruneBeatEcg(options: PruneBeatEcgOptions): Promise<BeatEcgTraining> {
  const { modelFolder, outFolder, channels, schedule, layers, levels, resume = false, onProgress } = options;
  const sparsity = options.sparsity ?? (channels === undefined ? 0.8 : 0);
  const wish = {
    sparsity,
    teacher: BEAT_ECG_TEACHER,
    ...(schedule && { schedule }),
    ...(layers && { layers }),
    ...(levels && { levels }),
  };
  const { description } = await openBackend(options.backend ?? 'auto');
  const loaded = await loadTraining(modelFolder);
  const { training } = loaded;
  const split = beatSplit(training.split);
  const folds = options.folds ?? (channels === undefined ? (training.folds ?? DEFAULT_FOLDS) : 0);
  if (channels !== undefined && folds > 0)
    throw new LabError('offsets of a model that loses channels are not cross-validated: use --folds 0');
  let { fitted } = loaded;
  const recipe: BeatEcgRecipe = { ...BEAT_ECG_RECIPE, ...(training.recipe as Partial<BeatEcgRecipe>) };
  const { seed } = training;
  const quietly = { ...options, split, onProgress: undefined };
  const records = await loadTrainingRecords({
    ...quietly,
    onProgress: (done, of, what) => onProgress?.({ stage: `reading ${what}`, done, of }),
  });
  const foldOf = folds > 0 ? foldsOf(split, records, folds) : [];
  needClasses(records, foldOf);
  const otherLeads = await loadOtherLeads(recipe.otherLeads ? records : [], quietly);
  const trainedOn = [...records, ...otherLeads];
  const noise = await noiseOf(recipe, options.dataFolder);
  const checkpoints = new Checkpoints(outFolder, resume, {
    seed,
    recipe,
    wish,
    channels,
    folds,
    records: names(records),
    ...(split.own && { split: split.own }),
  });
  await checkpoints.begin();
  const history: PhaseHistory[] = [];
  const foldEpochs = recipe.epochs + BEAT_ECG_PRUNING.epochs;
  const prunes = sparsity > 0 || Object.keys(layers ?? {}).length > 0;
  const tuningEpochs = channels === undefined ? 0 : BEAT_ECG_TUNING.epochs;
  const of = folds * foldEpochs + tuningEpochs + (prunes ? BEAT_ECG_PRUNING.epochs : 0);
  let { logitOffsets, validation } = training;
  // A network that never saw them has no branch to keep.
  const intervals = training.intervalsOf?.length ? await loadIntervalRecords(quietly) : [];
  if (folds > 0) {
    let done = 0;
    const onEpoch = (fold: number, epoch: EpochReport) =>
      onProgress?.({ stage: `fold ${fold + 1} of ${folds}`, done: ++done, of, epoch });
    const { pruned, history: ofFolds } = await crossValidate({
      ...{
        records,
        foldOf,
        otherLeads,
        intervals,
        noise,
        recipe,
        seed,
        folds,
        foldsFolder: foldsFolder(modelFolder, seed),
        pruning: wish,
        checkpoints,
        onEpoch,
      },
    });
    history.push(...ofFolds);
    // Pruning shifts what the net expects of the classes; offsets of the float model do not fit it.
    logitOffsets = chooseOffsets(pruned!);
    validation = validationOf(pruned!, folds, logitOffsets, split);
  }
  const report = (stage: string, before: number) => (epoch: EpochReport) =>
    onProgress?.({ stage, done: before + epoch.epoch, of, epoch });
  let channelsLeft: readonly PrunedLayer[] | undefined;
  if (channels !== undefined) {
    const smaller = await pruneChannels(tf, fitted.model, { sparsity: channels, multipleOf: CHANNEL_GROUP });
    fitted.model.dispose();
    fitted = { ...fitted, model: smaller.model };
    channelsLeft = smaller.layers;
    const tuning = { checkpoint: checkpoints.of('channels'), ...(noise && { noise }) };
    const epochs = await fitTuned(fitted, trainedOn, recipe, seed, report('fine-tuning', 0), tuning);
    history.push({ phase: 'fine-tuning after channels were taken out', epochs });
  }
  if (prunes) {
    const onEpoch = report('all patients', folds * foldEpochs + tuningEpochs);
    const epochs = await fitPruned(fitted, trainedOn, recipe, seed, wish, onEpoch, {
      checkpoint: checkpoints.of('model'),
      intervals,
      ...(noise && { noise }),
    });
    history.push({ phase: 'pruning', epochs });
  }
  const result: BeatEcgTraining = {
    ...training,
    backend: description,
    sparsity: kernelSparsity(fitted.model),
    logitOffsets,
    validation,
    recipe: {
      ...recipe,
      ...(channelsLeft && { channels: { wanted: channels, left: channelsLeft, ...BEAT_ECG_TUNING } }),
      ...(prunes && { pruning: { schedule: 'PolynomialDecay', ...wish, ...BEAT_ECG_PRUNING } }),
    },
    trainedOn: names(records),
  };
  await saveTraining(outFolder, fitted, result);
  await saveHistory(outFolder, history);
  await checkpoints.clear();
  fitted.model.dispose();
  return result;
}

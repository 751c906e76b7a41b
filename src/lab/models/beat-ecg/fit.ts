import * as tf from '@tensorflow/tfjs';
import type { BeatEcgPreprocessing } from '../../../inference/windows/beat-ecg.js';
import type { RecordedNoise } from '../../augment/recorded-noise.js';
import { type BeatRecord, FEATURE_COUNT, WINDOW_VALUES } from '../../data/beat-records.js';
import { pruneChannels } from '../../prune/channel.js';
import type { PruningWish } from '../../prune/plan.js';
import { pruningWhileTraining } from '../../prune/while-training.js';
import { quantizationAware } from '../../quantize/index.js';
import type { CheckpointOptions } from '../../train/keeper.js';
import {
  type EpochReport,
  predict,
  type TrainControl,
  trainModel,
  type Validation,
  validationOfLogits,
} from '../../train/loop.js';
import { seedDropout } from '../../train/seeded-dropout.js';
import { featureConstants, standardised } from './data.js';
import type { ScoredRecord } from './decide.js';
import { taught } from './distil.js';
import { fitPrunedIntervals, intervalLayersOf } from './interval-pruning.js';
import { type IntervalRecord, IntervalSampler } from './interval-sampling.js';
import { beatEcgNetwork, INTERVAL_LAYERS, LABELS, OUTPUT_NAME } from './network.js';
import { BEAT_ECG_AWARE_RATE, BEAT_ECG_PRUNING, BEAT_ECG_TUNING, type BeatEcgRecipe } from './recipe.js';
import { BeatSampler } from './sampling.js';

export interface Fitted {
  readonly model: tf.LayersModel;
  readonly preprocessing: BeatEcgPreprocessing;
  /** Loss and validation by epoch, where it was trained here. */
  readonly history?: readonly EpochReport[];
}

/** How a fit is watched, stopped early and taken up again. */
export interface FitControl {
  /** People who are not trained on, for the validation curve. */
  readonly validateOn?: readonly BeatRecord[];
  readonly patience?: number;
  readonly checkpoint?: CheckpointOptions;
  /** Long recordings without a signal, on which the branch of the intervals is trained, or pruned, first; it then stays as it is. */
  readonly intervals?: readonly IntervalRecord[];
  /** Recorded noise, where the recipe asks for it: see `noiseOf`. */
  readonly noise?: RecordedNoise;
}

export type OnEpoch = (report: EpochReport) => void | Promise<void>;

/** Trains a new network on some records; the constants of its features come from the same records. */
export async function fitNetwork(
  records: readonly BeatRecord[],
  recipe: BeatEcgRecipe,
  seed: number,
  onEpoch?: OnEpoch,
  control: FitControl = {},
): Promise<Fitted> {
  const preprocessing = featureConstants(records);
  const ready = standardised(records, preprocessing);
  const sampler = new BeatSampler(ready, recipe, seed, control.noise);
  const { model, intervals } = beatEcgNetwork(seed);
  if (control.intervals && control.intervals.length > 0) {
    const beats = new IntervalSampler(control.intervals, ready, preprocessing, recipe, seed);
    const { checkpoint } = control;
    await trainModel(intervals, () => beats.next(), recipe.intervals, {
      states: [beats],
      ...(checkpoint && {
        checkpoint: { ...checkpoint, file: checkpoint.file.replace(/(\.ckpt)?$/, '-intervals.ckpt') },
      }),
    });
    for (const name of INTERVAL_LAYERS) model.getLayer(name).trainable = false;
  }
  const hooks = { onEpoch, ...watching(control, preprocessing), states: [sampler] };
  const { history } = await trainModel(model, () => sampler.next(), recipe, hooks);
  return { model, preprocessing, history };
}

/**
 * Prunes a trained network while training it on, with itself as it was for a teacher where that is wished. Changes the model
 * in place. A branch of the intervals that was trained on other people is pruned on those people where its layers are wished
 * sparse, and else stays as it is: trained on with these few patients it forgets what an early beat in fibrillation is worth.
 */
export async function fitPruned(
  fitted: Fitted,
  records: readonly BeatRecord[],
  recipe: BeatEcgRecipe,
  seed: number,
  wish: PruningWish,
  onEpoch?: OnEpoch,
  control: FitControl = {},
): Promise<readonly EpochReport[]> {
  const { model, preprocessing } = fitted;
  const { epochs, peakLearningRate } = BEAT_ECG_PRUNING;
  const ready = standardised(records, preprocessing);
  const { model: teacher } = await pruneChannels(tf, model, { sparsity: 0 });
  const { intervals = [] } = control;
  const { ofIntervals, others } = intervals.length > 0 ? intervalLayersOf(wish) : { ofIntervals: null, others: wish };
  if (ofIntervals) {
    await fitPrunedIntervals(model, teacher, ofIntervals, {
      ...{ sampler: new IntervalSampler(intervals, ready, preprocessing, recipe, seed + 7919), recipe },
      checkpoint: control.checkpoint,
    });
  }
  const sampler = new BeatSampler(ready, recipe, seed + 7919, control.noise);
  const steps = epochs * recipe.stepsPerEpoch;
  const { hooks, pruner, settle } = pruningWhileTraining(model, others, BEAT_ECG_PRUNING, steps, [OUTPUT_NAME]);
  const settings = { ...recipe, epochs, peakLearningRate };
  seedDropout(model, seed);
  const next = wish.teacher ? taught(() => sampler.next(), teacher, wish.teacher) : () => sampler.next();
  const { history } = await trainModel(model, next, settings, {
    onEpoch,
    ...hooks,
    ...watching(control, preprocessing),
    states: [sampler, pruner],
  });
  settle();
  teacher.dispose();
  return history;
}

/** Trains a network on as it is: what one that lost channels needs. Changes the model in place. */
export async function fitTuned(
  { model, preprocessing }: Fitted,
  records: readonly BeatRecord[],
  recipe: BeatEcgRecipe,
  seed: number,
  onEpoch?: OnEpoch,
  control: FitControl = {},
): Promise<readonly EpochReport[]> {
  const sampler = new BeatSampler(standardised(records, preprocessing), recipe, seed + 104729, control.noise);
  seedDropout(model, seed + 1);
  const hooks = { onEpoch, ...watching(control, preprocessing), states: [sampler] };
  const { history } = await trainModel(model, () => sampler.next(), { ...recipe, ...BEAT_ECG_TUNING }, hooks);
  return history;
}

/** Fine-tunes a network for 8 bits. Changes the model in place; zeros of a pruned one stay. */
export async function fitAware(
  { model, preprocessing }: Fitted,
  records: readonly BeatRecord[],
  recipe: BeatEcgRecipe,
  seed: number,
  epochs: number,
  onEpoch?: OnEpoch,
  noise?: RecordedNoise,
): Promise<readonly EpochReport[]> {
  const sampler = new BeatSampler(standardised(records, preprocessing), recipe, seed + 224737, noise);
  seedDropout(model, seed + 2);
  const aware = quantizationAware(model);
  try {
    const settings = { ...recipe, epochs, peakLearningRate: BEAT_ECG_AWARE_RATE };
    const states = [sampler, ...(aware.hooks.states ?? [])];
    const hooks = { ...aware.hooks, onEpoch, states };
    return (await trainModel(model, () => sampler.next(), settings, hooks)).history;
  } finally {
    aware.end();
  }
}

/** Every so many beats of the people left out: enough for a curve, and it costs little beside an epoch. */
const VALIDATE_EVERY = 7;

/** The controls of a training from those of a fit. */
function watching({ validateOn, patience, checkpoint }: FitControl, preprocessing: BeatEcgPreprocessing): TrainControl {
  return {
    ...(checkpoint && { checkpoint }),
    ...(patience !== undefined && { patience }),
    ...(validateOn && { validate: validator(standardised(validateOn, preprocessing)) }),
  };
}

/** Loss and accuracy over beats of class N, S and V. */
function validator(records: readonly BeatRecord[]): (model: tf.LayersModel) => Validation {
  const picked = records.flatMap((record) =>
    Array.from(record.classes.keys(), (beat) => ({ record, beat })).filter(
      ({ beat }) => beat % VALIDATE_EVERY === 0 && record.classes[beat]! < LABELS.length,
    ),
  );
  const windows = new Float32Array(picked.length * WINDOW_VALUES);
  const features = new Float32Array(picked.length * FEATURE_COUNT);
  picked.forEach(({ record, beat }, at) => {
    windows.set(record.windows.subarray(beat * WINDOW_VALUES, (beat + 1) * WINDOW_VALUES), at * WINDOW_VALUES);
    features.set(record.features.subarray(beat * FEATURE_COUNT, (beat + 1) * FEATURE_COUNT), at * FEATURE_COUNT);
  });
  const truth = picked.map(({ record, beat }) => record.classes[beat]!);
  return (model) => validationOfLogits(predict(model, [windows, features], picked.length), truth);
}

/** What a model says of every beat of some records (features as read from them, not standardised). */
export function score({ model, preprocessing }: Fitted, records: readonly BeatRecord[]): ScoredRecord[] {
  return records.map((record) => {
    const [ready] = standardised([record], preprocessing);
    return { record, logits: predict(model, [ready!.windows, ready!.features], record.count) };
  });
}

import * as tf from '@tensorflow/tfjs';
import { BEAT_ECG_INPUT_SHAPES } from '../../../inference/windows/beat-ecg.js';
import { BEAT_ECG_FEATURE_COUNT, INTERVAL_FEATURES } from '../../../inference/windows/beat-ecg-features.js';
import { seededDropout } from '../../train/seeded-dropout.js';

/** Names of the graph's ends; the manifest repeats them. */
export const INPUT_NAMES = ['window', 'features'] as const;
export const OUTPUT_NAME = 'logits';
/** Order of the outputs. F and Q are not outputs: see the card. */
export const LABELS = ['N', 'S', 'V'] as const;

/** Running means of the normalizations follow within tens of steps: trainings here are a few hundred steps long. */
const MOMENTUM = 0.9;

/** Layers of the branch that sees the intervals alone. */
export const INTERVAL_LAYERS = ['intervals', 'intervals_deep'] as const;

export interface BeatEcgNetwork {
  readonly model: tf.LayersModel;
  /** Features in, logits out: the interval branch with an end of its own, to train it on recordings without a signal. */
  readonly intervals: tf.LayersModel;
}

/**
 * The network: two strided convolutions over the beat and its difference from the person's own template, a small dense
 * branch over the features and one over those of the intervals alone, joined by one layer. About 15 000 weights and
 * 26 000 multiply-accumulates a beat.
 * @param seed of its first weights and of its dropout
 */
export function beatEcgNetwork(seed: number): BeatEcgNetwork {
  let seeds = seed * 1000;
  const init = () => tf.initializers.heNormal({ seed: ++seeds });
  const norm = (name: string) => tf.layers.batchNormalization({ momentum: MOMENTUM, epsilon: 1e-3, name });
  const relu = (name: string) => tf.layers.activation({ activation: 'relu', name });
  const drop = (rate: number, name: string) => seededDropout(rate, ++seeds, name);
  const dense = (units: number, name: string, useBias = true) =>
    tf.layers.dense({ units, useBias, kernelInitializer: init(), name });

  const [windowShape, featureShape] = BEAT_ECG_INPUT_SHAPES;
  const window = tf.input({ shape: [...windowShape], name: INPUT_NAMES[0] });
  const features = tf.input({ shape: [...featureShape], name: INPUT_NAMES[1] });

  const block = (x: tf.SymbolicTensor, filters: number, kernelSize: number, strides: number, k: number) => {
    const conv = tf.layers.conv1d({
      filters,
      kernelSize,
      strides,
      padding: 'same',
      useBias: false,
      kernelInitializer: init(),
      name: `conv${k}`,
    });
    const y = norm(`conv${k}_norm`).apply(conv.apply(x));
    return relu(`conv${k}_relu`).apply(y) as tf.SymbolicTensor;
  };
  let signal = block(window, 12, 8, 4, 1);
  signal = block(signal, 16, 4, 4, 2);
  signal = tf.layers.flatten({ name: 'flatten' }).apply(signal) as tf.SymbolicTensor;
  signal = drop(0.3, 'flatten_drop').apply(signal) as tf.SymbolicTensor;
  signal = relu('shape_relu').apply(dense(24, 'shape').apply(signal)) as tf.SymbolicTensor;

  let rhythm = dense(48, 'rhythm', false).apply(features) as tf.SymbolicTensor;
  rhythm = relu('rhythm_relu').apply(norm('rhythm_norm').apply(rhythm)) as tf.SymbolicTensor;
  rhythm = drop(0.15, 'rhythm_drop').apply(rhythm) as tf.SymbolicTensor;

  const [first, second] = INTERVAL_LAYERS;
  const onIntervals = dense(24, first);
  let intervals = relu('intervals_relu').apply(onIntervals.apply(features)) as tf.SymbolicTensor;
  intervals = relu('intervals_deep_relu').apply(dense(16, second).apply(intervals)) as tf.SymbolicTensor;
  blindToShape(onIntervals);
  const intervalLogits = dense(LABELS.length, 'interval_logits').apply(intervals) as tf.SymbolicTensor;

  let joined = tf.layers.concatenate({ name: 'join' }).apply([signal, rhythm, intervals]) as tf.SymbolicTensor;
  joined = drop(0.15, 'join_drop').apply(joined) as tf.SymbolicTensor;
  joined = relu('decide_relu').apply(dense(32, 'decide').apply(joined)) as tf.SymbolicTensor;
  const logits = dense(LABELS.length, OUTPUT_NAME).apply(joined) as tf.SymbolicTensor;
  return {
    model: tf.model({ inputs: [window, features], outputs: logits, name: 'beat_ecg' }),
    intervals: tf.model({ inputs: features, outputs: intervalLogits, name: 'beat_ecg_intervals' }),
  };
}

/** Weights of features that need an ECG are nought, and stay so where only intervals are told. */
function blindToShape(layer: tf.layers.Layer): void {
  const [kernel, bias] = layer.getWeights();
  const units = kernel!.shape[1]!;
  const values = kernel!.dataSync().slice();
  for (let i = 0; i < BEAT_ECG_FEATURE_COUNT; i++) {
    if (!INTERVAL_FEATURES.includes(i)) values.fill(0, i * units, (i + 1) * units);
  }
  layer.setWeights([tf.tensor(values, kernel!.shape), bias!]);
}

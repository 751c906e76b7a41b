import * as tf from '@tensorflow/tfjs';
import { SHOCKABLE_INPUT_SHAPES } from '../../../inference/windows/shockable-ecg.js';
import { seededDropout } from '../../train/seeded-dropout.js';

/** Names of the graph's ends; the manifest repeats them. */
export const INPUT_NAMES = ['signal', 'features'] as const;
export const OUTPUT_NAME = 'logits';
/** Order of the outputs: any other rhythm or none, fast ventricular tachycardia, ventricular fibrillation or flutter. */
export const LABELS = ['other', 'vt', 'vf'] as const;

const [SIGNAL_SHAPE, FEATURE_SHAPE] = SHOCKABLE_INPUT_SHAPES;
const SIGNAL_END = 'signal_pooled';
const FEATURES_END = 'features_relu';
/** Running means of the normalizations follow within tens of steps. */
const MOMENTUM = 0.95;

/** Four strided convolutions over the signal, mean and largest of each channel over time. About 7 000 weights. */
export function signalHead(seed: number): tf.LayersModel {
  let seeds = seed * 1000;
  const input = tf.input({ shape: [...SIGNAL_SHAPE], name: INPUT_NAMES[0] });
  const block = (x: tf.SymbolicTensor, filters: number, kernelSize: number, k: number) => {
    const kernelInitializer = tf.initializers.heNormal({ seed: ++seeds });
    const options = { filters, kernelSize, strides: 2, padding: 'same', useBias: false, kernelInitializer } as const;
    const y = tf.layers.conv1d({ ...options, name: `conv${k}` }).apply(x);
    const z = tf.layers.batchNormalization({ momentum: MOMENTUM, epsilon: 1e-3, name: `conv${k}_norm` }).apply(y);
    return tf.layers.activation({ activation: 'relu', name: `conv${k}_relu` }).apply(z) as tf.SymbolicTensor;
  };
  let x = block(input, 8, 7, 1);
  x = block(x, 16, 7, 2);
  x = block(x, 24, 5, 3);
  x = block(x, 32, 5, 4);
  const mean = tf.layers.globalAveragePooling1d({ name: 'mean' }).apply(x) as tf.SymbolicTensor;
  const largest = tf.layers.globalMaxPooling1d({ name: 'largest' }).apply(x) as tf.SymbolicTensor;
  const pooled = tf.layers.concatenate({ name: SIGNAL_END }).apply([mean, largest]) as tf.SymbolicTensor;
  const dropped = seededDropout(0.2, ++seeds, 'signal_drop').apply(pooled);
  return tf.model({ inputs: input, outputs: end('signal_logits', ++seeds, dropped), name: 'shockable_signal' });
}

/** The features through 32 hidden units. About 1 000 weights. */
export function featureHead(seed: number): tf.LayersModel {
  let seeds = seed * 1000 + 500;
  const input = tf.input({ shape: [...FEATURE_SHAPE], name: INPUT_NAMES[1] });
  const kernelInitializer = tf.initializers.heNormal({ seed: ++seeds });
  const hidden = tf.layers.dense({ units: 32, kernelInitializer, name: 'features_dense' }).apply(input);
  const active = tf.layers.activation({ activation: 'relu', name: FEATURES_END }).apply(hidden);
  const dropped = seededDropout(0.2, ++seeds, 'features_drop').apply(active);
  return tf.model({ inputs: input, outputs: end('features_logits', ++seeds, dropped), name: 'shockable_features' });
}

function end(name: string, seed: number, x: tf.SymbolicTensor | tf.SymbolicTensor[] | tf.Tensor | tf.Tensor[]) {
  const kernelInitializer = tf.initializers.glorotNormal({ seed });
  return tf.layers
    .dense({ units: LABELS.length, kernelInitializer, name })
    .apply(x as tf.SymbolicTensor) as tf.SymbolicTensor;
}

/**
 * One network of two trained halves: its logits are the weighted mean of theirs, as one layer over both. Shares their
 * layers.
 * @param featureShare weight of the features' half; the signal's half has the rest
 */
export function joinHeads(signal: tf.LayersModel, features: tf.LayersModel, featureShare: number): tf.LayersModel {
  const inputs = [signal.inputs[0]!, features.inputs[0]!];
  const ends = [signal.getLayer(SIGNAL_END).output, features.getLayer(FEATURES_END).output];
  const both = tf.layers.concatenate({ name: 'join' }).apply(ends as tf.SymbolicTensor[]) as tf.SymbolicTensor;
  const logits = tf.layers.dense({ units: LABELS.length, name: OUTPUT_NAME });
  const model = tf.model({ inputs, outputs: logits.apply(both) as tf.SymbolicTensor, name: 'shockable_ecg' });
  const [signalKernel, signalBias] = signal.getLayer('signal_logits').getWeights();
  const [featureKernel, featureBias] = features.getLayer('features_logits').getWeights();
  tf.tidy(() => {
    const rest = 1 - featureShare;
    const kernel = tf.concat([tf.mul(signalKernel!, rest), tf.mul(featureKernel!, featureShare)], 0);
    logits.setWeights([kernel, tf.add(tf.mul(signalBias!, rest), tf.mul(featureBias!, featureShare))]);
  });
  return model;
}

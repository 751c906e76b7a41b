import * as tf from '@tensorflow/tfjs';
import { SHOCKABLE_INPUT_SHAPES } from '../../../inference/windows/shockable-ecg.js';
import { joinHalves, memberName } from '../../train/join-heads.js';
import { seededDropout } from '../../train/seeded-dropout.js';

/** Names of the graph's ends; the manifest repeats them. */
export const INPUT_NAMES = ['signal', 'features'] as const;
export const OUTPUT_NAME = 'logits';
/** Order of the outputs: any other rhythm or none, fast ventricular tachycardia, ventricular fibrillation or flutter. */
export const LABELS = ['other', 'vt', 'vf'] as const;

const [SIGNAL_SHAPE, FEATURE_SHAPE] = SHOCKABLE_INPUT_SHAPES;
const SIGNAL_END = 'signal_pooled';
const FEATURES_END = 'features_relu';
const SIGNAL_LOGITS = 'signal_logits';
const FEATURE_LOGITS = 'features_logits';
/** Running means of the normalizations follow within tens of steps. */
const MOMENTUM = 0.95;

/** The two inputs, shared by all networks that are to be one graph. */
export interface HeadInputs {
  readonly signal: tf.SymbolicTensor;
  readonly features: tf.SymbolicTensor;
}

export function headInputs(): HeadInputs {
  return {
    signal: tf.input({ shape: [...SIGNAL_SHAPE], name: INPUT_NAMES[0] }),
    features: tf.input({ shape: [...FEATURE_SHAPE], name: INPUT_NAMES[1] }),
  };
}

/**
 * Four strided convolutions over the signal, mean and largest of each channel over time. About 7 000 weights.
 * @param member which of several such networks of one graph it is, from 0
 */
export function signalHead(seed: number, { signal: input } = headInputs(), member = 0): tf.LayersModel {
  let seeds = seed * 1000;
  const own = (name: string) => memberName(name, member);
  const block = (x: tf.SymbolicTensor, filters: number, kernelSize: number, k: number) => {
    const kernelInitializer = tf.initializers.heNormal({ seed: ++seeds });
    const options = { filters, kernelSize, strides: 2, padding: 'same', useBias: false, kernelInitializer } as const;
    const y = tf.layers.conv1d({ ...options, name: own(`conv${k}`) }).apply(x);
    const norm = { momentum: MOMENTUM, epsilon: 1e-3, name: own(`conv${k}_norm`) };
    const z = tf.layers.batchNormalization(norm).apply(y);
    return tf.layers.activation({ activation: 'relu', name: own(`conv${k}_relu`) }).apply(z) as tf.SymbolicTensor;
  };
  let x = block(input, 8, 7, 1);
  x = block(x, 16, 7, 2);
  x = block(x, 24, 5, 3);
  x = block(x, 32, 5, 4);
  const mean = tf.layers.globalAveragePooling1d({ name: own('mean') }).apply(x) as tf.SymbolicTensor;
  const largest = tf.layers.globalMaxPooling1d({ name: own('largest') }).apply(x) as tf.SymbolicTensor;
  const pooled = tf.layers.concatenate({ name: own(SIGNAL_END) }).apply([mean, largest]) as tf.SymbolicTensor;
  const dropped = seededDropout(0.2, ++seeds, own('signal_drop')).apply(pooled);
  const outputs = end(own(SIGNAL_LOGITS), ++seeds, dropped);
  return tf.model({ inputs: input, outputs, name: own('shockable_signal') });
}

/** The features through 32 hidden units. About 1 000 weights. See `signalHead`. */
export function featureHead(seed: number, { features: input } = headInputs(), member = 0): tf.LayersModel {
  let seeds = seed * 1000 + 500;
  const own = (name: string) => memberName(name, member);
  const kernelInitializer = tf.initializers.heNormal({ seed: ++seeds });
  const hidden = tf.layers.dense({ units: 32, kernelInitializer, name: own('features_dense') }).apply(input);
  const active = tf.layers.activation({ activation: 'relu', name: own(FEATURES_END) }).apply(hidden);
  const dropped = seededDropout(0.2, ++seeds, own('features_drop')).apply(active);
  const outputs = end(own(FEATURE_LOGITS), ++seeds, dropped);
  return tf.model({ inputs: input, outputs, name: own('shockable_features') });
}

function end(name: string, seed: number, x: tf.SymbolicTensor | tf.SymbolicTensor[] | tf.Tensor | tf.Tensor[]) {
  const kernelInitializer = tf.initializers.glorotNormal({ seed });
  return tf.layers
    .dense({ units: LABELS.length, kernelInitializer, name })
    .apply(x as tf.SymbolicTensor) as tf.SymbolicTensor;
}

/** Trained networks of both halves, over the same inputs. */
export interface Heads {
  readonly inputs: HeadInputs;
  readonly signal: readonly tf.LayersModel[];
  readonly features: readonly tf.LayersModel[];
}

/**
 * One network of all trained ones: its logits are the mean of theirs, the halves weighted. Shares their layers.
 * @param featureShare weight of the features' half; the signal's half has the rest
 */
export function joinHeads({ inputs, signal, features }: Heads, featureShare: number): tf.LayersModel {
  return joinHalves(
    [
      { heads: signal, end: SIGNAL_END, logits: SIGNAL_LOGITS, share: 1 - featureShare },
      { heads: features, end: FEATURES_END, logits: FEATURE_LOGITS, share: featureShare },
    ],
    {
      name: 'shockable_ecg',
      inputs: [inputs.signal, inputs.features],
      output: OUTPUT_NAME,
      units: LABELS.length,
    },
  );
}

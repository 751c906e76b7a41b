import * as tf from '@tensorflow/tfjs';
import { RHYTHM_RR_INPUT_SHAPES } from '../../../inference/windows/rhythm-rr.js';
import { joinHalves } from '../../train/join-heads.js';
import { seededDropout } from '../../train/seeded-dropout.js';

/** Names of the graph's ends; the manifest repeats them. */
export const INPUT_NAMES = ['sequence', 'features'] as const;
export const OUTPUT_NAME = 'logits';
/** Order of the outputs. */
export const LABELS = ['regular', 'afib'] as const;

const [SEQUENCE_SHAPE, FEATURE_SHAPE] = RHYTHM_RR_INPUT_SHAPES;
const SEQUENCE_END = 'sequence_pooled';
const FEATURES_END = 'features_relu';
const SEQUENCE_LOGITS = 'sequence_logits';
const FEATURE_LOGITS = 'features_logits';

/** Three convolutions over the row of intervals, mean and largest of each channel over time. About 4 000 weights. */
export function sequenceHead(seed: number): tf.LayersModel {
  let seeds = seed * 1000;
  const input = tf.input({ shape: [...SEQUENCE_SHAPE], name: INPUT_NAMES[0] });
  const conv = (x: tf.SymbolicTensor, filters: number, kernelSize: number, k: number) => {
    const kernelInitializer = tf.initializers.heNormal({ seed: ++seeds });
    const y = tf.layers.conv1d({ filters, kernelSize, padding: 'same', kernelInitializer, name: `conv${k}` }).apply(x);
    return tf.layers.activation({ activation: 'relu', name: `conv${k}_relu` }).apply(y) as tf.SymbolicTensor;
  };
  const halve = (x: tf.SymbolicTensor, k: number) =>
    tf.layers.maxPooling1d({ poolSize: 2, strides: 2, name: `conv${k}_pool` }).apply(x) as tf.SymbolicTensor;
  let x = halve(conv(input, 16, 5, 1), 1);
  x = halve(conv(x, 24, 5, 2), 2);
  x = conv(x, 24, 3, 3);
  const mean = tf.layers.globalAveragePooling1d({ name: 'mean' }).apply(x) as tf.SymbolicTensor;
  const largest = tf.layers.globalMaxPooling1d({ name: 'largest' }).apply(x) as tf.SymbolicTensor;
  const pooled = tf.layers.concatenate({ name: SEQUENCE_END }).apply([mean, largest]) as tf.SymbolicTensor;
  const dropped = seededDropout(0.1, ++seeds, 'sequence_drop').apply(pooled);
  return tf.model({ inputs: input, outputs: end(SEQUENCE_LOGITS, ++seeds, dropped), name: 'rhythm_sequence' });
}

/** 32 features, 24 hidden units. About 800 weights. */
export function featureHead(seed: number): tf.LayersModel {
  let seeds = seed * 1000 + 500;
  const input = tf.input({ shape: [...FEATURE_SHAPE], name: INPUT_NAMES[1] });
  const kernelInitializer = tf.initializers.heNormal({ seed: ++seeds });
  const hidden = tf.layers.dense({ units: 24, kernelInitializer, name: 'features_dense' }).apply(input);
  const active = tf.layers.activation({ activation: 'relu', name: FEATURES_END }).apply(hidden);
  return tf.model({ inputs: input, outputs: end(FEATURE_LOGITS, ++seeds, active), name: 'rhythm_features' });
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
 * @param featureShare weight of the features' half; the row's half has the rest
 */
export function joinHeads(sequence: tf.LayersModel, features: tf.LayersModel, featureShare: number): tf.LayersModel {
  return joinHalves(
    [
      { heads: [sequence], end: SEQUENCE_END, logits: SEQUENCE_LOGITS, share: 1 - featureShare },
      { heads: [features], end: FEATURES_END, logits: FEATURE_LOGITS, share: featureShare },
    ],
    {
      name: 'rhythm_rr',
      inputs: [sequence.inputs[0]!, features.inputs[0]!],
      output: OUTPUT_NAME,
      units: LABELS.length,
    },
  );
}

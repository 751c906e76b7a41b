import * as tf from '@tensorflow/tfjs';
import { BEAT_ECG_INPUT_SHAPES } from '../../../inference/windows/beat-ecg.js';
import { seededDropout } from '../../train/seeded-dropout.js';

/** Names of the graph's ends; the manifest repeats them. */
export const INPUT_NAMES = ['window', 'features'] as const;
export const OUTPUT_NAME = 'logits';
/** Order of the outputs. F and Q are not outputs: see the card. */
export const LABELS = ['N', 'S', 'V'] as const;

/** Running means of the normalizations follow within tens of steps: trainings here are a few hundred steps long. */
const MOMENTUM = 0.9;

/**
 * The network: three strided convolutions over the beat and its difference from the person's own template, a small dense
 * branch over the features, joined by one layer. About 15 000 weights and 67 000 multiply-accumulates a beat.
 * @param seed of its first weights and of its dropout
 */
export function beatEcgNetwork(seed: number): tf.LayersModel {
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
  let signal = block(window, 16, 8, 4, 1);
  signal = block(signal, 24, 4, 2, 2);
  signal = block(signal, 32, 4, 2, 3);
  signal = tf.layers.flatten({ name: 'flatten' }).apply(signal) as tf.SymbolicTensor;
  signal = drop(0.3, 'flatten_drop').apply(signal) as tf.SymbolicTensor;
  signal = relu('shape_relu').apply(dense(24, 'shape').apply(signal)) as tf.SymbolicTensor;

  let rhythm = dense(32, 'rhythm', false).apply(features) as tf.SymbolicTensor;
  rhythm = relu('rhythm_relu').apply(norm('rhythm_norm').apply(rhythm)) as tf.SymbolicTensor;
  rhythm = drop(0.15, 'rhythm_drop').apply(rhythm) as tf.SymbolicTensor;

  let joined = tf.layers.concatenate({ name: 'join' }).apply([signal, rhythm]) as tf.SymbolicTensor;
  joined = drop(0.15, 'join_drop').apply(joined) as tf.SymbolicTensor;
  joined = relu('decide_relu').apply(dense(32, 'decide').apply(joined)) as tf.SymbolicTensor;
  const logits = dense(LABELS.length, OUTPUT_NAME).apply(joined) as tf.SymbolicTensor;
  return tf.model({ inputs: [window, features], outputs: logits, name: 'beat_ecg' });
}

import * as tf from '@tensorflow/tfjs';
import { ANOMALY_FEATURES } from '../../../inference/windows/anomaly-rr.js';

/** Names of the graph's ends; the manifest repeats them. */
export const INPUT_NAMES = ['departures'] as const;
export const OUTPUT_NAME = 'logits';
/** Order of the outputs. */
export const LABELS = ['usual', 'departs'] as const;

/** Twelve departures through one small layer: whether they are within what a normal rhythm does. */
export function anomalyNetwork(seed: number, hidden: number): tf.LayersModel {
  const input = tf.input({ shape: [ANOMALY_FEATURES.length], name: INPUT_NAMES[0] });
  const kernelInitializer = tf.initializers.heNormal({ seed: seed * 1000 + 1 });
  const inner = tf.layers.dense({ units: hidden, kernelInitializer, name: 'inner' }).apply(input);
  const active = tf.layers.activation({ activation: 'relu', name: 'inner_relu' }).apply(inner);
  const logits = tf.layers.dense({
    units: LABELS.length,
    kernelInitializer: tf.initializers.glorotNormal({ seed: seed * 1000 + 2 }),
    name: OUTPUT_NAME,
  });
  return tf.model({ inputs: input, outputs: logits.apply(active) as tf.SymbolicTensor, name: 'anomaly_rr' });
}

import * as tf from '@tensorflow/tfjs';
import { ANOMALY_FEATURES } from '../../../inference/windows/anomaly-rr.js';

/** Names of the graph's ends; the manifest repeats them. */
export const INPUT_NAMES = ['departures'] as const;
export const OUTPUT_NAME = 'rebuilt';

/** How many numbers a normal rhythm is boiled down to. */
const NARROW = 4;

/** An autoencoder: what a window of normal rhythm departs from its owner's usual is squeezed through four numbers and rebuilt. */
export function anomalyNetwork(seed: number): tf.LayersModel {
  let seeds = seed * 1000;
  const count = ANOMALY_FEATURES.length;
  const input = tf.input({ shape: [count], name: INPUT_NAMES[0] });
  const dense = (x: tf.SymbolicTensor, units: number, name: string, active: boolean) => {
    const kernelInitializer = active
      ? tf.initializers.heNormal({ seed: ++seeds })
      : tf.initializers.glorotNormal({ seed: ++seeds });
    const y = tf.layers.dense({ units, kernelInitializer, name }).apply(x) as tf.SymbolicTensor;
    return active
      ? (tf.layers.activation({ activation: 'relu', name: `${name}_relu` }).apply(y) as tf.SymbolicTensor)
      : y;
  };
  let x = dense(input, 24, 'squeeze1', true);
  x = dense(x, NARROW, 'narrow', false);
  x = dense(x, 24, 'widen1', true);
  return tf.model({ inputs: input, outputs: dense(x, count, OUTPUT_NAME, false), name: 'anomaly_rr' });
}

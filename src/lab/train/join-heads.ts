import * as tf from '@tensorflow/tfjs';

/** Trained networks of one half of a joined one: alike but for their seeds. */
export interface Half {
  readonly heads: readonly tf.LayersModel[];
  /** Name of the layer whose output goes into the joined logits, and of the dense layer that reads it. */
  readonly end: string;
  readonly logits: string;
  /** What the half weighs; the shares of all halves sum to 1. */
  readonly share: number;
}

/** What the joined network is called, and what it ends in. */
export interface Joined {
  readonly name: string;
  readonly inputs: tf.SymbolicTensor[];
  readonly output: string;
  readonly units: number;
}

/** Names of layers are unique in a graph: those of every member of a half but the first carry its number. */
export function memberName(name: string, member: number): string {
  return member === 0 ? name : `${name}_${member + 1}`;
}

/**
 * One network of all trained ones, which must have the same inputs: its logits are the mean of theirs, the halves
 * weighted, as one layer over the ends of all. Shares their layers.
 */
export function joinHalves(halves: readonly Half[], { name, inputs, output, units }: Joined): tf.LayersModel {
  const members = halves.flatMap(({ heads, end, logits, share }) =>
    heads.map((head, k) => ({
      end: head.getLayer(memberName(end, k)).output as tf.SymbolicTensor,
      weights: head.getLayer(memberName(logits, k)).getWeights(),
      share: share / heads.length,
    })),
  );
  const all = tf.layers.concatenate({ name: 'join' }).apply(members.map(({ end }) => end)) as tf.SymbolicTensor;
  const logits = tf.layers.dense({ units, name: output });
  const model = tf.model({ inputs, outputs: logits.apply(all) as tf.SymbolicTensor, name });
  tf.tidy(() => {
    const kernels = members.map(({ weights, share }) => tf.mul(weights[0]!, share));
    const biases = members.map(({ weights, share }) => tf.mul(weights[1]!, share));
    logits.setWeights([tf.concat(kernels, 0), tf.addN(biases)]);
  });
  return model;
}

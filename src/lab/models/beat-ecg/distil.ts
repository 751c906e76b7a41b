import type * as tf from '@tensorflow/tfjs';
import { type Batch, predict } from '../../train/loop.js';

/**
 * Batches whose targets are in part what a larger model says of the very same items (Hinton et al., "Distilling the knowledge
 * in a neural network", 2015): a model that loses weights keeps to what it knew, such as what an early beat in fibrillation
 * is worth, instead of learning anew from the few people of the training set.
 * @param share of the teacher in the targets
 */
export function taught(next: () => Batch, teacher: tf.LayersModel, share: number): () => Batch {
  return () => {
    const batch = next();
    const { targets, size } = batch;
    const logits = predict(teacher, batch.inputs, size, size);
    const classes = logits.length / size;
    for (let from = 0; from < logits.length; from += classes) {
      const row = logits.subarray(from, from + classes);
      const most = Math.max(...row);
      let sum = 0;
      for (const value of row) sum += Math.exp(value - most);
      for (let k = 0; k < classes; k++) {
        targets[from + k] = (1 - share) * targets[from + k]! + (share * Math.exp(row[k]! - most)) / sum;
      }
    }
    return batch;
  };
}

/** Batches whose targets are another model's outputs, whatever they are: to be learnt with the squared loss. */
export function imitated(next: () => Batch, teacher: tf.LayersModel): () => Batch {
  return () => {
    const { inputs, size } = next();
    return { inputs, size, targets: predict(teacher, inputs, size, size) };
  };
}

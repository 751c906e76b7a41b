/**
 * How often each class comes in a person's beats, without labels: expectation maximization over the model's own
 * probabilities (Saerens, Latinne and Decaestecker, Neural Computation 14:21, 2002). It holds where the shapes of a class
 * are as in training and only their shares differ.
 */
export interface Priors {
  /** Added to the logits, one per class, the first held at 0. */
  readonly offsets: readonly number[];
  /** Estimated share of each class. */
  readonly shares: readonly number[];
}

/** Largest change of a logit: an estimate may move a decision, not abolish a class. */
export const MAX_SHIFT = 1;
const ROUNDS = 200;

/**
 * @param logits items x classes, as the model gives them
 * @param trained share of each class in what the model was trained on
 * @param offsets that the model came with; the estimate moves them by MAX_SHIFT at most
 */
export function estimatePriors(logits: Float32Array, trained: readonly number[], offsets: readonly number[]): Priors {
  const classes = trained.length;
  const items = logits.length / classes;
  const probabilities = softmaxRows(logits, classes);
  let shares: readonly number[] = trained;
  for (let round = 0; round < ROUNDS; round++) {
    const sums = new Array<number>(classes).fill(0);
    for (let i = 0; i < items; i++) {
      const row = shares.map((share, c) => (share / trained[c]!) * probabilities[i * classes + c]!);
      const total = row.reduce((a, b) => a + b, 0);
      row.forEach((p, c) => {
        sums[c]! += p / total;
      });
    }
    // One beat of each class more than was seen: a share of nothing would never come back.
    shares = sums.map((sum) => (sum + 1) / (items + classes));
  }
  const wanted = shares.map((share, c) => Math.log(share / trained[c]!));
  const moved = offsets.map((offset, c) => {
    const shift = wanted[c]! - wanted[0]! - (offset - offsets[0]!);
    return offset + Math.max(-MAX_SHIFT, Math.min(MAX_SHIFT, shift));
  });
  return { offsets: moved.map((value) => Number(value.toFixed(4))), shares };
}

/**
 * Mean log likelihood of beats under the class shares that offsets stand for, `to` against `from`: above 0 where `to`
 * describes them better. Needs no labels, so it can be asked of beats that the offsets were not estimated on.
 */
export function likelihoodGain(
  logits: Float32Array,
  trained: readonly number[],
  from: readonly number[],
  to: readonly number[],
): number {
  const classes = trained.length;
  const probabilities = softmaxRows(logits, classes);
  const logLikelihood = (offsets: readonly number[]) => {
    const factors = offsets.map(Math.exp);
    const norm = trained.reduce((sum, share, c) => sum + share * factors[c]!, 0);
    let sum = 0;
    for (let at = 0; at < probabilities.length; at += classes) {
      let mixed = 0;
      for (let c = 0; c < classes; c++) mixed += (probabilities[at + c]! * factors[c]!) / norm;
      sum += Math.log(mixed);
    }
    return (sum * classes) / probabilities.length;
  };
  return logLikelihood(to) - logLikelihood(from);
}

function softmaxRows(logits: Float32Array, classes: number): Float64Array {
  const out = new Float64Array(logits.length);
  for (let at = 0; at < logits.length; at += classes) {
    let most = Number.NEGATIVE_INFINITY;
    for (let c = 0; c < classes; c++) most = Math.max(most, logits[at + c]!);
    let total = 0;
    for (let c = 0; c < classes; c++) total += out[at + c] = Math.exp(logits[at + c]! - most);
    for (let c = 0; c < classes; c++) out[at + c]! /= total;
  }
  return out;
}

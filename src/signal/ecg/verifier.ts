import { FEATURE_COUNT } from './features.js';
import type { BeatJudge } from './judge.js';
import { VERIFIER_WEIGHTS } from './verifier-weights.js';

/** Units of the two hidden layers. */
export const HIDDEN_1 = 24;
export const HIDDEN_2 = 12;

/** Slope of the leaky rectifier below 0. */
export const LEAK = 0.01;

/** Weights of a verifier, one after the other: W1 (24 rows of inputs), b1, W2 (12 rows of 24), b2, W3 (12), b3. */
export const WEIGHT_COUNT = HIDDEN_1 * FEATURE_COUNT + HIDDEN_1 + HIDDEN_2 * HIDDEN_1 + HIDDEN_2 + HIDDEN_2 + 1;

/** The network that says of a candidate whether it is a beat: two leaky-rectifier layers and a logistic output. */
export class BeatVerifier implements BeatJudge {
  private readonly w: Float64Array;
  private readonly h1 = new Float64Array(HIDDEN_1);
  private readonly h2 = new Float64Array(HIDDEN_2);

  /** @param weights `WEIGHT_COUNT` numbers. @throws RangeError for another count or a value that is not finite */
  constructor(weights: ArrayLike<number>) {
    if (weights.length !== WEIGHT_COUNT) {
      throw new RangeError(`a beat verifier has ${WEIGHT_COUNT} weights, not ${weights.length}`);
    }
    this.w = Float64Array.from(weights);
    if (!this.w.every(Number.isFinite)) throw new RangeError('a weight of the beat verifier is not finite');
  }

  judge(features: Float64Array): number {
    const { w, h1, h2 } = this;
    const b1 = HIDDEN_1 * FEATURE_COUNT;
    for (let h = 0, k = 0; h < HIDDEN_1; h++) {
      // Two sums at a time: the additions of one need not wait for those of the other.
      let even = w[b1 + h]!;
      let odd = 0;
      for (let i = 0; i < FEATURE_COUNT; i += 2, k += 2) {
        even += w[k]! * features[i]!;
        odd += w[k + 1]! * features[i + 1]!;
      }
      const sum = even + odd;
      h1[h] = sum > 0 ? sum : LEAK * sum;
    }
    const w2 = b1 + HIDDEN_1;
    const b2 = w2 + HIDDEN_2 * HIDDEN_1;
    for (let h = 0, k = w2; h < HIDDEN_2; h++) {
      let even = w[b2 + h]!;
      let odd = 0;
      for (let i = 0; i < HIDDEN_1; i += 2, k += 2) {
        even += w[k]! * h1[i]!;
        odd += w[k + 1]! * h1[i + 1]!;
      }
      const sum = even + odd;
      h2[h] = sum > 0 ? sum : LEAK * sum;
    }
    const w3 = b2 + HIDDEN_2;
    let logit = w[w3 + HIDDEN_2]!;
    for (let i = 0; i < HIDDEN_2; i++) logit += w[w3 + i]! * h2[i]!;
    return 1 / (1 + Math.exp(-logit));
  }
}

/** A verifier with the weights the product ships. */
export function shippedVerifier(): BeatVerifier {
  return new BeatVerifier(weightsFromText(VERIFIER_WEIGHTS));
}

/** Weights from their base64 text (32-bit floats, least byte first). */
export function weightsFromText(text: string): Float32Array {
  const bytes = Buffer.from(text, 'base64');
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return Float32Array.from({ length: bytes.byteLength >> 2 }, (_, i) => view.getFloat32(4 * i, true));
}

/** The text `weightsFromText` reads. */
export function weightsToText(weights: ArrayLike<number>): string {
  const bytes = Buffer.alloc(4 * weights.length);
  for (let i = 0; i < weights.length; i++) bytes.writeFloatLE(weights[i]!, 4 * i);
  return bytes.toString('base64');
}

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

/** Units are worked out four at a time: their sums do not wait for one another, and each input is read once for four. */
const ABREAST = 4;

/** The network that says of a candidate whether it is a beat: two leaky-rectifier layers and a logistic output. */
export class BeatVerifier implements BeatJudge {
  private readonly layer1: Float64Array;
  private readonly layer2: Float64Array;
  private readonly layer3: Float64Array;
  private readonly h1 = new Float64Array(HIDDEN_1);
  private readonly h2 = new Float64Array(HIDDEN_2);

  /** @param weights `WEIGHT_COUNT` numbers. @throws RangeError for another count or a value that is not finite */
  constructor(weights: ArrayLike<number>) {
    if (weights.length !== WEIGHT_COUNT) {
      throw new RangeError(`a beat verifier has ${WEIGHT_COUNT} weights, not ${weights.length}`);
    }
    const w = Float64Array.from(weights);
    if (!w.every(Number.isFinite)) throw new RangeError('a weight of the beat verifier is not finite');
    const end1 = HIDDEN_1 * (FEATURE_COUNT + 1);
    const end2 = end1 + HIDDEN_2 * (HIDDEN_1 + 1);
    this.layer1 = interleaved(w.subarray(0, end1), HIDDEN_1, FEATURE_COUNT);
    this.layer2 = interleaved(w.subarray(end1, end2), HIDDEN_2, HIDDEN_1);
    this.layer3 = w.subarray(end2);
  }

  judge(features: Float64Array): number {
    forward(this.layer1, features, FEATURE_COUNT, this.h1);
    forward(this.layer2, this.h1, HIDDEN_1, this.h2);
    const w = this.layer3;
    let logit = w[HIDDEN_2]!;
    for (let i = 0; i < HIDDEN_2; i++) logit += w[i]! * this.h2[i]!;
    return 1 / (1 + Math.exp(-logit));
  }
}

/** One layer: for each group of four units the four biases, then four weights for each input. */
function forward(w: Float64Array, input: Float64Array, inputs: number, output: Float64Array): void {
  let k = 0;
  for (let h = 0; h < output.length; h += ABREAST) {
    let a = w[k]!;
    let b = w[k + 1]!;
    let c = w[k + 2]!;
    let d = w[k + 3]!;
    for (let i = 0; i < inputs; i++) {
      k += ABREAST;
      const x = input[i]!;
      a += w[k]! * x;
      b += w[k + 1]! * x;
      c += w[k + 2]! * x;
      d += w[k + 3]! * x;
    }
    k += ABREAST;
    output[h] = a > 0 ? a : LEAK * a;
    output[h + 1] = b > 0 ? b : LEAK * b;
    output[h + 2] = c > 0 ? c : LEAK * c;
    output[h + 3] = d > 0 ? d : LEAK * d;
  }
}

/** A layer's rows and biases in the order `forward` reads them. */
function interleaved(layer: Float64Array, units: number, inputs: number): Float64Array {
  const out = new Float64Array(layer.length);
  let k = 0;
  for (let h = 0; h < units; h += ABREAST) {
    for (let u = 0; u < ABREAST; u++) out[k++] = layer[units * inputs + h + u]!;
    for (let i = 0; i < inputs; i++) {
      for (let u = 0; u < ABREAST; u++) out[k++] = layer[(h + u) * inputs + i]!;
    }
  }
  return out;
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

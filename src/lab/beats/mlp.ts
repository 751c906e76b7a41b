import { FEATURE_COUNT } from '../../signal/ecg/features.js';
import { HIDDEN_1, HIDDEN_2, LEAK, WEIGHT_COUNT } from '../../signal/ecg/verifier.js';
import { normal, type Random } from '../random.js';
import type { Examples } from './examples.js';

/**
 * Training of the beat verifier in plain TypeScript. With 2,000 weights a step is a few thousand multiplications: calling a
 * tensor library costs more than the arithmetic, and this way a seed gives the same weights on every machine.
 */
export interface MlpTrainingOptions {
  readonly epochs: number;
  readonly random: Random;
  /** Weights to go on from; left out: fresh ones. */
  readonly from?: Float64Array;
  /** Greatest learning rate of the one-cycle schedule. */
  readonly learningRate?: number;
  /** Share of single features hidden at random, and how often all of `hiddenTogether` are hidden at once. */
  readonly featureDropout?: number;
  readonly hiddenTogether?: readonly number[];
  readonly togetherDropout?: number;
}

const BATCH = 1024;
const WEIGHT_DECAY = 1e-3;
const BETA_1 = 0.9;
const BETA_2 = 0.999;
const W2 = HIDDEN_1 * FEATURE_COUNT + HIDDEN_1;
const B1 = HIDDEN_1 * FEATURE_COUNT;
const B2 = W2 + HIDDEN_2 * HIDDEN_1;
const W3 = B2 + HIDDEN_2;
const B3 = W3 + HIDDEN_2;

/** Mean and 1/deviation of each feature. */
interface Scaling {
  readonly mean: Float64Array;
  readonly inverse: Float64Array;
}

/**
 * Fits the verifier: weighted cross-entropy, AdamW (Loshchilov and Hutter 2019), one-cycle learning rate.
 * @param sets examples, pooled
 * @returns `WEIGHT_COUNT` weights that take features as they are (their standardisation is folded into the first layer)
 */
export function trainMlp(sets: readonly Examples[], options: MlpTrainingOptions): Float64Array {
  const { epochs, random, learningRate = 6e-3 } = options;
  const scaling = scalingOf(sets);
  const weights = options.from ? unfold(options.from, scaling) : freshWeights(random);
  const pass = new Pass(weights, scaling, options);
  const order = shuffleable(sets);
  const steps = Math.max(1, Math.ceil(order.length / BATCH) * epochs);
  const adam = new AdamW(weights);
  let step = 0;
  for (let epoch = 0; epoch < epochs; epoch++) {
    shuffle(order, random);
    for (let from = 0; from < order.length; from += BATCH) {
      const to = Math.min(order.length, from + BATCH);
      const total = pass.batch(sets, order, from, to);
      adam.step(pass.gradient, total, learningRate * oneCycle(step++ / steps));
    }
  }
  return fold(weights, scaling);
}

/** Share of the greatest learning rate: half a cosine up over the first 20 %, then one down. */
function oneCycle(at: number): number {
  const warm = 0.2;
  return at < warm
    ? 0.1 + 0.9 * 0.5 * (1 - Math.cos((Math.PI * at) / warm))
    : 0.002 + 0.998 * 0.5 * (1 + Math.cos((Math.PI * (at - warm)) / (1 - warm)));
}

class AdamW {
  private readonly first = new Float64Array(WEIGHT_COUNT);
  private readonly second = new Float64Array(WEIGHT_COUNT);
  private count = 0;

  constructor(private readonly weights: Float64Array) {}

  step(gradient: Float64Array, total: number, rate: number): void {
    const { weights, first, second } = this;
    this.count++;
    const fix1 = 1 / (1 - BETA_1 ** this.count);
    const fix2 = 1 / (1 - BETA_2 ** this.count);
    for (let i = 0; i < WEIGHT_COUNT; i++) {
      const g = gradient[i]! / total;
      first[i] = BETA_1 * first[i]! + (1 - BETA_1) * g;
      second[i] = BETA_2 * second[i]! + (1 - BETA_2) * g * g;
      const move = (first[i]! * fix1) / (Math.sqrt(second[i]! * fix2) + 1e-8);
      weights[i] = weights[i]! - rate * (move + WEIGHT_DECAY * weights[i]!);
    }
  }
}

/** Examples are taken four at a time: each weight, and each sum of the gradient, is then fetched once for four. */
const ABREAST = 4;

/** Forward and backward pass. */
class Pass {
  readonly gradient = new Float64Array(WEIGHT_COUNT);
  private readonly x = new Float64Array(ABREAST * FEATURE_COUNT);
  private readonly h1 = new Float64Array(ABREAST * HIDDEN_1);
  private readonly h2 = new Float64Array(ABREAST * HIDDEN_2);
  private readonly d1 = new Float64Array(ABREAST * HIDDEN_1);
  private readonly d2 = new Float64Array(ABREAST * HIDDEN_2);
  private readonly output = new Float64Array(ABREAST);
  private readonly error = new Float64Array(ABREAST);
  private readonly random: Random;
  private readonly dropout: number;
  private readonly hiddenTogether: readonly number[];
  private readonly togetherDropout: number;

  constructor(
    private readonly w: Float64Array,
    private readonly scaling: Scaling,
    options: MlpTrainingOptions,
  ) {
    this.random = options.random;
    this.dropout = options.featureDropout ?? 0.05;
    this.hiddenTogether = options.hiddenTogether ?? [];
    this.togetherDropout = options.togetherDropout ?? 0;
  }

  /** Fills `gradient` with the batch's summed gradient; returns the batch's summed weight. */
  batch(sets: readonly Examples[], order: Uint32Array, from: number, to: number): number {
    this.gradient.fill(0);
    let total = 0;
    for (let k = from; k < to; k += ABREAST) {
      for (let e = 0; e < ABREAST; e++) if (k + e < to) this.load(sets, order[k + e]!, e);
      this.forward();
      for (let e = 0; e < ABREAST; e++) {
        this.error[e] = 0;
        if (k + e >= to) continue;
        const set = sets[order[k + e]! >>> 28]!;
        const row = order[k + e]! & 0xfffffff;
        const weight = set.weights[row]!;
        this.error[e] = weight * (this.output[e]! - set.labels[row]!);
        total += weight;
      }
      this.backward();
    }
    return total;
  }

  private load(sets: readonly Examples[], place: number, e: number): void {
    const { x, random, dropout } = this;
    const { features } = sets[place >>> 28]!;
    const at = (place & 0xfffffff) * FEATURE_COUNT;
    const to = e * FEATURE_COUNT;
    const { mean, inverse } = this.scaling;
    for (let i = 0; i < FEATURE_COUNT; i++) x[to + i] = (features[at + i]! - mean[i]!) * inverse[i]!;
    // Which features are hidden: from one to the next by how many are kept between them.
    if (dropout > 0) {
      const perLog = 1 / Math.log(1 - dropout);
      let i = Math.floor(Math.log(1 - random()) * perLog);
      while (i < FEATURE_COUNT) {
        x[to + i] = 0;
        i += 1 + Math.floor(Math.log(1 - random()) * perLog);
      }
    }
    if (this.togetherDropout > 0 && random() < this.togetherDropout) for (const i of this.hiddenTogether) x[to + i] = 0;
  }

  private forward(): void {
    const { w, x, h1, h2, output } = this;
    layer(w, 0, B1, x, FEATURE_COUNT, h1, HIDDEN_1);
    layer(w, W2, B2, h1, HIDDEN_1, h2, HIDDEN_2);
    for (let e = 0; e < ABREAST; e++) {
      let logit = w[B3]!;
      for (let i = 0; i < HIDDEN_2; i++) logit += w[W3 + i]! * h2[e * HIDDEN_2 + i]!;
      output[e] = 1 / (1 + Math.exp(-logit));
    }
  }

  private backward(): void {
    const { w, gradient: g, x, h1, h2, d1, d2, error } = this;
    d1.fill(0);
    for (let e = 0; e < ABREAST; e++) {
      const dLogit = error[e]!;
      g[B3] = g[B3]! + dLogit;
      for (let i = 0; i < HIDDEN_2; i++) {
        const h = h2[e * HIDDEN_2 + i]!;
        g[W3 + i] = g[W3 + i]! + dLogit * h;
        d2[e * HIDDEN_2 + i] = dLogit * w[W3 + i]! * (h > 0 ? 1 : LEAK);
      }
      for (let h = 0, k = W2; h < HIDDEN_2; h++) {
        const d = d2[e * HIDDEN_2 + h]!;
        for (let i = 0; i < HIDDEN_1; i++, k++) d1[e * HIDDEN_1 + i] = d1[e * HIDDEN_1 + i]! + d * w[k]!;
      }
      for (let i = 0; i < HIDDEN_1; i++) {
        const k = e * HIDDEN_1 + i;
        if (!(h1[k]! > 0)) d1[k] = d1[k]! * LEAK;
      }
    }
    outer(g, W2, B2, d2, HIDDEN_2, h1, HIDDEN_1);
    outer(g, 0, B1, d1, HIDDEN_1, x, FEATURE_COUNT);
  }
}

/** One layer for four examples, leaky rectifier included. */
function layer(
  w: Float64Array,
  weights: number,
  biases: number,
  input: Float64Array,
  inputs: number,
  output: Float64Array,
  units: number,
): void {
  const second = inputs;
  const third = 2 * inputs;
  const fourth = 3 * inputs;
  for (let h = 0, k = weights; h < units; h++) {
    let a = w[biases + h]!;
    let b = a;
    let c = a;
    let d = a;
    for (let i = 0; i < inputs; i++, k++) {
      const v = w[k]!;
      a += v * input[i]!;
      b += v * input[second + i]!;
      c += v * input[third + i]!;
      d += v * input[fourth + i]!;
    }
    output[h] = a > 0 ? a : LEAK * a;
    output[units + h] = b > 0 ? b : LEAK * b;
    output[2 * units + h] = c > 0 ? c : LEAK * c;
    output[3 * units + h] = d > 0 ? d : LEAK * d;
  }
}

/** Adds the gradient of a layer for four examples: `errors` of its units times its inputs. */
function outer(
  g: Float64Array,
  weights: number,
  biases: number,
  errors: Float64Array,
  units: number,
  input: Float64Array,
  inputs: number,
): void {
  const second = inputs;
  const third = 2 * inputs;
  const fourth = 3 * inputs;
  for (let h = 0, k = weights; h < units; h++) {
    const a = errors[h]!;
    const b = errors[units + h]!;
    const c = errors[2 * units + h]!;
    const d = errors[3 * units + h]!;
    g[biases + h] = g[biases + h]! + a + b + c + d;
    for (let i = 0; i < inputs; i++, k++) {
      g[k] = g[k]! + a * input[i]! + b * input[second + i]! + c * input[third + i]! + d * input[fourth + i]!;
    }
  }
}

function freshWeights(random: Random): Float64Array {
  const w = new Float64Array(WEIGHT_COUNT);
  // He et al. 2015, for rectifiers.
  for (let i = 0; i < B1; i++) w[i] = normal(random) * Math.sqrt(2 / FEATURE_COUNT);
  for (let i = W2; i < B2; i++) w[i] = normal(random) * Math.sqrt(2 / HIDDEN_1);
  for (let i = W3; i < B3; i++) w[i] = normal(random) * Math.sqrt(1 / HIDDEN_2);
  return w;
}

function scalingOf(sets: readonly Examples[]): Scaling {
  const sum = new Float64Array(FEATURE_COUNT);
  const squares = new Float64Array(FEATURE_COUNT);
  let count = 0;
  for (const set of sets) {
    for (let r = 0; r < set.count; r++) {
      const at = r * FEATURE_COUNT;
      for (let i = 0; i < FEATURE_COUNT; i++) {
        const v = set.features[at + i]!;
        sum[i] = sum[i]! + v;
        squares[i] = squares[i]! + v * v;
      }
    }
    count += set.count;
  }
  const n = Math.max(1, count);
  const mean = sum.map((s) => s / n);
  const inverse = squares.map((s, i) => 1 / Math.max(1e-3, Math.sqrt(Math.max(0, s / n - mean[i]! ** 2))));
  return { mean, inverse };
}

/** First-layer weights for standardised features, made to take the features themselves. */
function fold(weights: Float64Array, { mean, inverse }: Scaling): Float64Array {
  const w = Float64Array.from(weights);
  for (let h = 0; h < HIDDEN_1; h++) {
    for (let i = 0; i < FEATURE_COUNT; i++) {
      const k = h * FEATURE_COUNT + i;
      w[k] = w[k]! * inverse[i]!;
      w[B1 + h] = w[B1 + h]! - w[k]! * mean[i]!;
    }
  }
  return w;
}

function unfold(weights: Float64Array, { mean, inverse }: Scaling): Float64Array {
  const w = Float64Array.from(weights);
  for (let h = 0; h < HIDDEN_1; h++) {
    for (let i = 0; i < FEATURE_COUNT; i++) {
      const k = h * FEATURE_COUNT + i;
      w[B1 + h] = w[B1 + h]! + w[k]! * mean[i]!;
      w[k] = w[k]! / inverse[i]!;
    }
  }
  return w;
}

/** Every example of every set: the set's number in the upper 4 bits, the row below. */
function shuffleable(sets: readonly Examples[]): Uint32Array {
  if (sets.length > 16) throw new RangeError('at most 16 sets of examples');
  const order = new Uint32Array(sets.reduce((n, set) => n + set.count, 0));
  let k = 0;
  sets.forEach((set, s) => {
    for (let row = 0; row < set.count; row++) order[k++] = ((s << 28) | row) >>> 0;
  });
  return order;
}

function shuffle(order: Uint32Array, random: Random): void {
  for (let i = order.length - 1; i > 0; i--) {
    const j = Math.floor(random() * (i + 1));
    const t = order[i]!;
    order[i] = order[j]!;
    order[j] = t;
  }
}

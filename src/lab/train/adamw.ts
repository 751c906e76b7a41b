/** Weights with their gradient, as one optimizer step sees them. */
export interface Parameter {
  readonly name: string;
  readonly values: Float32Array;
  /** Whether weight decay applies: kernels yes, biases and normalizations no. */
  readonly decays: boolean;
}

export interface AdamState {
  step: number;
  readonly mean: Float32Array[];
  readonly square: Float32Array[];
}

/**
 * Adam with decoupled weight decay (Loshchilov & Hutter, "Decoupled Weight Decay Regularization", 2019) on plain arrays:
 * the same on every backend, and its state is easily written to a checkpoint.
 */
export class AdamW {
  readonly state: AdamState;
  private readonly beta1 = 0.9;
  private readonly beta2 = 0.999;
  private readonly epsilon = 1e-8;

  constructor(
    private readonly parameters: readonly Parameter[],
    private readonly weightDecay: number,
  ) {
    this.state = {
      step: 0,
      mean: parameters.map(({ values }) => new Float32Array(values.length)),
      square: parameters.map(({ values }) => new Float32Array(values.length)),
    };
  }

  /** Changes the parameters' values in place. */
  step(gradients: readonly Float32Array[], learningRate: number): void {
    const { state, beta1, beta2, epsilon } = this;
    state.step++;
    const scale1 = 1 / (1 - beta1 ** state.step);
    const scale2 = 1 / (1 - beta2 ** state.step);
    this.parameters.forEach(({ values, decays }, p) => {
      const gradient = gradients[p]!;
      const mean = state.mean[p]!;
      const square = state.square[p]!;
      const shrink = decays ? learningRate * this.weightDecay : 0;
      for (let i = 0; i < values.length; i++) {
        const g = gradient[i]!;
        mean[i] = beta1 * mean[i]! + (1 - beta1) * g;
        square[i] = beta2 * square[i]! + (1 - beta2) * g * g;
        const move = (mean[i]! * scale1) / (Math.sqrt(square[i]! * scale2) + epsilon);
        values[i]! -= shrink * values[i]! + learningRate * move;
      }
    });
  }
}

/** Scales gradients down so that their common norm is at most `limit`. @returns the norm before */
export function clipByGlobalNorm(gradients: readonly Float32Array[], limit: number): number {
  let sum = 0;
  for (const gradient of gradients) for (const g of gradient) sum += g * g;
  const norm = Math.sqrt(sum);
  if (norm > limit) {
    for (const gradient of gradients) for (let i = 0; i < gradient.length; i++) gradient[i]! *= limit / norm;
  }
  return norm;
}

/**
 * One-cycle learning rate (Smith & Topin 2018, with cosine slopes): up from a 25th of the peak during the first `warmUp`
 * of the training, then down to nearly nothing.
 */
export function oneCycle(step: number, steps: number, peak: number, warmUp = 0.15): number {
  const at = Math.min(1, step / Math.max(1, steps - 1));
  const start = peak / 25;
  const end = start / 1e4;
  const cosine = (from: number, to: number, share: number) => to + ((from - to) * (1 + Math.cos(Math.PI * share))) / 2;
  return at < warmUp ? cosine(start, peak, at / warmUp) : cosine(peak, end, (at - warmUp) / (1 - warmUp));
}

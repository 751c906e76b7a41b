import type { Parameter } from '../train/adamw.js';
import type { PruningSchedule } from './schedules.js';

/** Masks of one training: which weights stay zero. */
export interface LayerSparsity {
  readonly name: string;
  readonly weights: number;
  readonly zeros: number;
}

/**
 * Magnitude pruning while training, as tensorflow_model_optimization's `prune_low_magnitude` does it: at the schedule's
 * steps the smallest weights of each kernel get a mask, and masked weights are held at zero until the next update.
 * Hook `step` into the training; the model that results is an ordinary one (nothing to strip but the masks).
 */
export class MagnitudePruner {
  private readonly masks = new Map<string, Uint8Array>();

  /**
   * @param schedule for every kernel that `prunes` accepts
   * @param prunes which weights take part; kernels by default (biases and normalizations never pay)
   */
  constructor(
    private readonly schedule: PruningSchedule,
    private readonly prunes: (parameter: Parameter) => boolean = ({ decays }) => decays,
  ) {}

  /** After each optimizer step: renews the masks where the schedule says so, and zeroes what is masked. */
  step(step: number, parameters: readonly Parameter[]): void {
    const { update, sparsity } = this.schedule.at(step);
    for (const parameter of parameters) {
      if (!this.prunes(parameter)) continue;
      if (update) this.masks.set(parameter.name, maskOf(parameter.values, sparsity));
      const mask = this.masks.get(parameter.name);
      if (!mask) continue;
      const { values } = parameter;
      for (let i = 0; i < values.length; i++) if (mask[i] === 0) values[i] = 0;
    }
  }
}

/** 1 for the weights to keep: the `1 - sparsity` share with the largest magnitudes, rounded as tfmot rounds. */
export function maskOf(weights: Float32Array, sparsity: number): Uint8Array {
  const keep = Math.max(1, Math.round(weights.length * (1 - sparsity)));
  const magnitudes = Float32Array.from(weights, Math.abs).sort();
  const threshold = magnitudes[weights.length - keep]!;
  return Uint8Array.from(weights, (weight) => (Math.abs(weight) >= threshold ? 1 : 0));
}

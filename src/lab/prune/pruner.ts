import type { Parameter } from '../train/adamw.js';
import type { Resumable } from '../train/checkpoint.js';
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
export class MagnitudePruner implements Resumable {
  private readonly masks = new Map<string, Uint8Array>();

  /**
   * @param schedule for every kernel that `prunes` accepts, or one for each by its name
   * @param prunes which weights take part; kernels by default (biases and normalizations never pay)
   */
  constructor(
    private readonly schedule: PruningSchedule | ((parameter: Parameter) => PruningSchedule),
    private readonly prunes: (parameter: Parameter) => boolean = ({ decays }) => decays,
  ) {}

  save(): unknown {
    return [...this.masks].map(([name, mask]) => [name, Buffer.from(mask).toString('base64')]);
  }

  restore(saved: unknown): void {
    this.masks.clear();
    for (const [name, mask] of saved as [string, string][])
      this.masks.set(name, new Uint8Array(Buffer.from(mask, 'base64')));
  }

  /** After each optimizer step: renews the masks where the schedule says so, and zeroes what is masked. */
  step(step: number, parameters: readonly Parameter[]): void {
    const { schedule } = this;
    for (const parameter of parameters) {
      if (!this.prunes(parameter)) continue;
      const { update, sparsity } = (typeof schedule === 'function' ? schedule(parameter) : schedule).at(step);
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

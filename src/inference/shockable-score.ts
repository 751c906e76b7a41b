import type { ShockableVerdict } from '../domain/shockable.js';

/**
 * Probabilities out of the shockable model's logits.
 * @param logits of other, vt, vf
 * @param offsets of the manifest, added to the logits
 */
export function shockableScores(logits: Float32Array, offsets: readonly number[] = []): ShockableVerdict['scores'] {
  const [other, vt, vf] = [0, 1, 2].map((i) => logits[i]! + (offsets[i] ?? 0)) as [number, number, number];
  const largest = Math.max(other, vt, vf);
  const [a, b, c] = [Math.exp(other - largest), Math.exp(vt - largest), Math.exp(vf - largest)];
  const sum = a + b + c;
  return { other: a / sum, vt: b / sum, vf: c / sum };
}

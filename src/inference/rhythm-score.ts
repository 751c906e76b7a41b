/**
 * Turns a rhythm model's logits into the probability of fibrillation.
 * @param logits two finite logits in the order regular, afib (`output.labels` of its manifest)
 * @param offsets what the manifest's `logitOffsets` adds to them; none means zero
 */
export function rhythmScore(logits: ArrayLike<number>, offsets: ArrayLike<number> = []): number {
  const regular = (logits[0] ?? 0) + (offsets[0] ?? 0);
  const afib = (logits[1] ?? 0) + (offsets[1] ?? 0);
  return 1 / (1 + Math.exp(regular - afib));
}

/**
 * How well a signal repeats itself after `lag` samples: the cosine of the angle between it and itself moved, where both overlap.
 * @param x without its mean
 * @returns -1 to 1; 0 where one side is all zeros
 */
export function correlationAtLag(x: ArrayLike<number>, lag: number): number {
  let cross = 0;
  let here = 0;
  let there = 0;
  for (let i = lag; i < x.length; i++) {
    const a = x[i]!;
    const b = x[i - lag]!;
    cross += a * b;
    here += a * a;
    there += b * b;
  }
  const norm = Math.sqrt(here * there);
  return norm > 0 ? cross / norm : 0;
}

/** True positives of two sorted lists of times, one to one, within a tolerance after taking off a fixed delay. */
export function matched(
  reference: readonly number[],
  found: readonly number[],
  delay: number,
  tolerance: number,
): number {
  let i = 0;
  let j = 0;
  let hits = 0;
  while (i < reference.length && j < found.length) {
    const distance = found[j]! - delay - reference[i]!;
    if (Math.abs(distance) <= tolerance) {
      hits++;
      i++;
      j++;
    } else if (distance > 0) i++;
    else j++;
  }
  return hits;
}

/** F1 of beat detection; 1 where there is nothing to find and nothing found. */
export function f1(hits: number, reference: number, found: number): number {
  return reference + found === 0 ? 1 : (2 * hits) / (reference + found);
}

/**
 * The one delay (ms, 0 to 600) by which a whole record's beats match best, the middle of it where several do: pulse
 * travel plus filters.
 */
export function bestDelay(reference: readonly number[], found: readonly number[], toleranceMs: number): number {
  let most = -1;
  let from = 0;
  let to = 0;
  for (let delay = 0; delay <= 600; delay += 10) {
    const hits = matched(reference, found, delay, toleranceMs);
    if (hits > most) {
      most = hits;
      from = delay;
      to = delay;
    } else if (hits === most && delay === to + 10) to = delay;
  }
  return (from + to) / 2;
}

/** Those of the times that lie inside one of the stretches. */
export function within(times: readonly number[], stretches: readonly (readonly [number, number])[]): number[] {
  return times.filter((t) => stretches.some(([from, to]) => t >= from && t < to));
}

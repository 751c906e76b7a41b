/** `preprocessing` of a manifest. */
export type Preprocessing = Readonly<Record<string, unknown>>;

/**
 * Constants of a model's windows that may change while the windows go on: the model was swapped for another one.
 * @param source a model's `preprocessing`, or who knows the present one; undefined: features stay as they are
 * @returns the present constants, parsed anew only after a swap
 * @throws what `parse` throws
 */
export function liveConstants<T>(
  source: Preprocessing | (() => Preprocessing) | undefined,
  parse: (preprocessing: Preprocessing) => T,
): () => T | null {
  if (!source) return () => null;
  const read = typeof source === 'function' ? source : () => source;
  let seen = read();
  let constants = parse(seen);
  return () => {
    const now = read();
    if (now !== seen) {
      constants = parse(now);
      seen = now;
    }
    return constants;
  };
}

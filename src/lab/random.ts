/** A seeded stream of numbers in [0, 1): mulberry32 (Tommy Ettinger, public domain). Training must be repeatable. */
export type Random = () => number;

export function seededRandom(seed: number): Random {
  return randomFrom({ at: seed >>> 0 });
}

/** The same stream with its state in the caller's hands, so that a checkpoint can keep it. */
export function randomFrom(state: { at: number }): Random {
  return () => {
    state.at = (state.at + 0x6d2b79f5) >>> 0;
    let t = state.at;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}

export function between(random: Random, low: number, high: number): number {
  return low + (high - low) * random();
}

/** Normal deviate (Box and Muller 1958). */
export function normal(random: Random): number {
  return Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random());
}

/** A seed that belongs to a text: the same in every run, different for every record and version. */
export function seedOf(text: string): number {
  let hash = 2166136261;
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 16777619);
  return hash >>> 0;
}

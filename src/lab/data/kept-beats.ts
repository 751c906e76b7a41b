/** Which beats of a record are kept, in order, and how many of the record's each of them stands for, by class. */
export interface Kept {
  readonly beats: Uint32Array;
  /** Undefined where all are kept. */
  readonly standsFor?: readonly number[];
}

/**
 * A beat's window and features take 1.5 kB, and a day has 100,000 beats: of a record with more beats than this, about so many
 * are kept (12 MB). The half-hour records that slothd's own model is made of have 3,400 at most.
 */
export const MOST_BEATS = 8192;

/** How many of a class that is not N may crowd out N beats. */
const SHARE_OF_OTHERS = 1 / 4;

/**
 * Beats to keep of a record: all of them, or, of a long one, every so many of each class. Ectopic beats are rare and what a
 * training is after, so that N is thinned first. Figures count each kept beat as those it stands for, hence stay what they are.
 * @param classes of the record's beats, 0 for N
 */
export function keptBeats(classes: Uint8Array, most = MOST_BEATS): Kept {
  if (classes.length <= most) return { beats: Uint32Array.from(classes.keys()) };
  const counts: number[] = [];
  for (const label of classes) counts[label] = (counts[label] ?? 0) + 1;
  const countOf = (label: number) => counts[label] ?? 0;
  const limit = most * SHARE_OF_OTHERS;
  const every = Array.from(counts.keys(), (label) => Math.max(1, Math.ceil(countOf(label) / limit)));
  const others = every.reduce((sum, step, label) => (label === 0 ? sum : sum + countOf(label) / step), 0);
  every[0] = Math.max(1, Math.ceil(countOf(0) / Math.max(limit, most - others)));
  const seen = every.map(() => 0);
  const kept = every.map(() => 0);
  const beats = Uint32Array.from(
    [...classes.keys()].filter((beat) => {
      const label = classes[beat]!;
      if (seen[label]!++ % every[label]! !== 0) return false;
      kept[label]!++;
      return true;
    }),
  );
  return { beats, standsFor: every.map((_, label) => (kept[label]! > 0 ? countOf(label) / kept[label]! : 1)) };
}

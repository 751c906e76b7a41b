import { BEFORE_R, type Comparison, compare, MAX_LAG, newComparison, QRS, WIDE, WINDOW } from './beat-shape.js';

/** Kinds of beat kept for one person. */
const MAX_KINDS = 6;
/** A beat this similar to a template is of its kind. */
const SAME_KIND = 0.85;
/** A template follows its beats with at least this weight for the newest. */
const FOLLOW = 1 / 24;
const FORGET = 0.995;
/** Beats that come earlier than this (log ratio) count little for being the regular kind. */
const EARLY = -0.1;

/** R's place in a template, and in the wide window of a beat. */
export const TEMPLATE_R = BEFORE_R;
export const WIDE_R = BEFORE_R + MAX_LAG;

/** One kind of beat of this person, as it has been so far. */
export class BeatKind {
  readonly template = new Float64Array(WINDOW);
  beats = 0;
  /** Beats and regularly timed beats, older ones forgotten little by little. */
  count = 0;
  regular = 0;
  /** Running means over its beats: log ratio of the RR before and after to the rhythm's, and the RR itself. */
  prematurity = 0;
  pause = 0;
  rrMs = 0;
  rrDeviationMs = 0;
}

/**
 * Sorts a person's beats into kinds by their shape, without labels and from the past alone; the kind that beats in
 * regular time the most is the dominant one (after the beat clustering of de Lannoy et al. and Llamedo & Martinez 2012).
 */
export class BeatTemplates {
  private readonly kinds: BeatKind[] = Array.from({ length: MAX_KINDS }, () => new BeatKind());
  private used = 0;
  private readonly trial: Comparison = newComparison();

  /** Set by `look`: the kind this beat belongs to, or null for a new one; its similarity and alignment to it. */
  kind: BeatKind | null = null;
  similarity = 0;
  lag = 0;
  /** Set by `look`: the regular kind before this beat, null before any beat, and this beat's likeness to it. */
  dominant: BeatKind | null = null;
  dominantSimilarity = 0;
  dominantLag = 0;

  /** Share of the beats so far that were of this kind. */
  shareOf(kind: BeatKind): number {
    let all = 0;
    for (let i = 0; i < this.used; i++) all += this.kinds[i]!.count;
    return all > 0 ? kind.count / all : 0;
  }

  /** Compares a beat (a wide window) with all kinds known. Changes none. */
  look(wide: Float64Array): void {
    this.kind = null;
    this.dominant = this.findDominant();
    this.dominantSimilarity = 0;
    this.dominantLag = 0;
    let best = Number.NEGATIVE_INFINITY;
    for (let i = 0; i < this.used; i++) {
      const kind = this.kinds[i]!;
      let bestHere = Number.NEGATIVE_INFINITY;
      let lagHere = 0;
      for (let lag = -MAX_LAG; lag <= MAX_LAG; lag++) {
        compare(wide, WIDE_R + lag, kind.template, TEMPLATE_R, QRS, this.trial);
        if (this.trial.similarity > bestHere) {
          bestHere = this.trial.similarity;
          lagHere = lag;
        }
      }
      if (kind === this.dominant) {
        this.dominantSimilarity = bestHere;
        this.dominantLag = lagHere;
      }
      if (bestHere > best) {
        best = bestHere;
        this.lag = lagHere;
        this.kind = kind;
      }
    }
    this.similarity = this.kind === null ? 0 : best;
    if (best < SAME_KIND) this.kind = null;
  }

  /**
   * Takes the beat last looked at into its kind, or makes a new one of it.
   * @param prematurity log(RR before / the rhythm's); 0 where unknown
   * @param pause log(RR after / the rhythm's)
   * @param rrMs RR before it, or null
   */
  learn(wide: Float64Array, prematurity: number, pause: number, rrMs: number | null): void {
    for (let i = 0; i < this.used; i++) {
      this.kinds[i]!.count *= FORGET;
      this.kinds[i]!.regular *= FORGET;
    }
    const kind = this.kind ?? this.newKind();
    const start = WIDE_R - TEMPLATE_R + (this.kind ? this.lag : 0);
    const weight = Math.max(1 / (kind.beats + 1), FOLLOW);
    const { template } = kind;
    for (let i = 0; i < WINDOW; i++) template[i]! += weight * (wide[start + i]! - template[i]!);
    kind.prematurity += weight * (prematurity - kind.prematurity);
    kind.pause += weight * (pause - kind.pause);
    if (rrMs !== null) {
      kind.rrDeviationMs += weight * (Math.abs(rrMs - (kind.rrMs || rrMs)) - kind.rrDeviationMs);
      kind.rrMs = kind.rrMs === 0 ? rrMs : kind.rrMs + weight * (rrMs - kind.rrMs);
    }
    kind.beats++;
    kind.count += 1;
    kind.regular += prematurity > EARLY ? 1 : 0.1;
  }

  private findDominant(): BeatKind | null {
    let found: BeatKind | null = null;
    for (let i = 0; i < this.used; i++) {
      const kind = this.kinds[i]!;
      if (found === null || kind.regular > found.regular) found = kind;
    }
    return found;
  }

  /** A kind to fill: an unused one, or the rarest that is not the dominant. */
  private newKind(): BeatKind {
    let kind: BeatKind;
    if (this.used < MAX_KINDS) kind = this.kinds[this.used++]!;
    else {
      kind = this.kinds[0] === this.dominant ? this.kinds[1]! : this.kinds[0]!;
      for (const other of this.kinds) if (other !== this.dominant && other.count < kind.count) kind = other;
    }
    kind.template.fill(0);
    kind.beats = kind.count = kind.regular = 0;
    kind.prematurity = kind.pause = kind.rrMs = kind.rrDeviationMs = 0;
    return kind;
  }
}

/** A buffer for a beat's wide window. */
export function newWideWindow(): Float64Array {
  return new Float64Array(WIDE);
}

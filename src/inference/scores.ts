import type { BeatClass, BeatScores } from '../domain/beat.js';

/** Order of the beat model's outputs (`output.labels` of its manifest). */
const LABELS = ['N', 'S', 'V'] as const satisfies readonly BeatClass[];

/**
 * Turns a beat model's logits into probabilities and the class they make.
 * @param logits three finite logits in the order N, S, V.
 * @param offsets what the manifest's `logitOffsets` adds to them; none means zero.
 */
export function beatScores(logits: ArrayLike<number>, offsets: ArrayLike<number> = []): BeatScores {
  const n = (logits[0] ?? 0) + (offsets[0] ?? 0);
  const s = (logits[1] ?? 0) + (offsets[1] ?? 0);
  const v = (logits[2] ?? 0) + (offsets[2] ?? 0);
  // The largest is taken off first: exp() of a large logit would be infinite.
  const top = Math.max(n, s, v);
  const en = Math.exp(n - top);
  const es = Math.exp(s - top);
  const ev = Math.exp(v - top);
  const sum = en + es + ev;
  const best = v === top ? 2 : s === top ? 1 : 0;
  return {
    class: n === top ? 'N' : (LABELS[best] as BeatClass),
    scores: { N: en / sum, S: es / sum, V: ev / sum },
  };
}

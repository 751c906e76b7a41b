/** Curves of a classifier's probabilities against the truth. */

export interface Curve {
  /** x and y of its corners, in order. */
  readonly points: readonly (readonly [x: number, y: number])[];
  /** ROC: area under the curve. Precision-recall: average precision. NaN where one class is missing. */
  readonly area: number;
}

/** Most corners kept of a curve: more are not seen in a plot. */
const CORNERS = 400;

/**
 * Receiver operating characteristic: x false positive rate, y sensitivity, as the threshold falls. Equal scores are
 * taken together, so the area is that of the Mann-Whitney statistic (Hanley & McNeil 1982).
 */
export function rocOf(scores: ArrayLike<number>, positive: ArrayLike<number | boolean>): Curve {
  const points: [number, number][] = [[0, 0]];
  let area = 0;
  const { positives, negatives } = sweep(scores, positive, (tp, fp, all) => {
    const x = all.negatives > 0 ? fp / all.negatives : 0;
    const y = all.positives > 0 ? tp / all.positives : 0;
    const [lastX, lastY] = points.at(-1)!;
    area += ((x - lastX) * (y + lastY)) / 2;
    points.push([x, y]);
  });
  return { points: thinned(points), area: positives > 0 && negatives > 0 ? area : Number.NaN };
}

/** Precision against recall: x sensitivity, y positive predictivity; the area is the average precision (a step sum). */
export function precisionRecallOf(scores: ArrayLike<number>, positive: ArrayLike<number | boolean>): Curve {
  const points: [number, number][] = [];
  let area = 0;
  const { positives } = sweep(scores, positive, (tp, fp, all) => {
    const recall = all.positives > 0 ? tp / all.positives : 0;
    const precision = tp / (tp + fp);
    area += (recall - (points.at(-1)?.[0] ?? 0)) * precision;
    points.push([recall, precision]);
  });
  return { points: thinned(points), area: positives > 0 ? area : Number.NaN };
}

export interface ReliabilityBin {
  /** Mean probability said, and share that was right, of the items in this bin. */
  readonly said: number;
  readonly right: number;
  readonly items: number;
}

/**
 * Reliability: in bins of what the model said of its own choice, how often it was right.
 * @returns bins that hold items, and the expected calibration error (Naeini 2015; Guo 2017): their gaps' mean by items
 */
export function reliabilityOf(
  said: ArrayLike<number>,
  right: ArrayLike<number | boolean>,
  bins = 10,
): { readonly bins: readonly ReliabilityBin[]; readonly ece: number } {
  const sums = Array.from({ length: bins }, () => ({ said: 0, right: 0, items: 0 }));
  for (let i = 0; i < said.length; i++) {
    const bin = sums[Math.min(bins - 1, Math.max(0, Math.floor(said[i]! * bins)))]!;
    bin.said += said[i]!;
    bin.right += Number(right[i]);
    bin.items++;
  }
  const filled = sums
    .filter(({ items }) => items > 0)
    .map((bin) => ({ said: bin.said / bin.items, right: bin.right / bin.items, items: bin.items }));
  const gaps = filled.reduce((sum, bin) => sum + bin.items * Math.abs(bin.said - bin.right), 0);
  return { bins: filled, ece: gaps / Math.max(1, said.length) };
}

/** Goes through the items from the highest score down and stops wherever the score changes. */
function sweep(
  scores: ArrayLike<number>,
  positive: ArrayLike<number | boolean>,
  at: (tp: number, fp: number, all: { positives: number; negatives: number }) => void,
) {
  const order = Uint32Array.from({ length: scores.length }, (_, i) => i).sort((a, b) => scores[b]! - scores[a]!);
  let positives = 0;
  for (let i = 0; i < scores.length; i++) if (positive[i]) positives++;
  const all = { positives, negatives: scores.length - positives };
  let tp = 0;
  let fp = 0;
  order.forEach((item, k) => {
    if (positive[item]) tp++;
    else fp++;
    const next = order[k + 1];
    if (next === undefined || scores[next] !== scores[item]) at(tp, fp, all);
  });
  return all;
}

function thinned(points: readonly [number, number][]): [number, number][] {
  const step = Math.ceil(points.length / CORNERS);
  return points.filter((_, i) => i % step === 0 || i === points.length - 1);
}

import { ASYSTOLE, FAST_VT, FIBRILLATION, NOISE, OTHER, SLOW_VT } from '../../data/shockable-records.js';
import { type ScoredRecord, shockableScore } from './score.js';

/** Window figures at one threshold. Shares from 0 to 1; NaN where there is no such window. */
export interface ShockableWindowFigures {
  readonly threshold: number;
  readonly windows: {
    readonly shockable: number;
    readonly other: number;
    readonly noise: number;
    readonly asystole: number;
  };
  readonly sensitivity: number;
  /** Noise and asystole left out (as Figuera 2016 reports). */
  readonly specificity: number;
  /** Noise and asystole kept. */
  readonly specificityLive: number;
  readonly fibrillationSensitivity: number;
  readonly fastVtSensitivity: number;
  readonly noisePositive: number;
  readonly asystolePositive: number;
  readonly slowVtPositive: number;
  readonly byRecord: Readonly<
    Record<string, { readonly sensitivity: number; readonly falsePositives: number; readonly windows: number }>
  >;
}

export function shockableWindowFigures(scored: readonly ScoredRecord[], threshold: number): ShockableWindowFigures {
  return { threshold, ...figuresAt(scored, () => threshold) };
}

/** What the threshold of `crossFittedFigures` is chosen for: noise and asystole left out. */
const AIM = { sensitivity: 0.94, specificity: 0.985 } as const;
const CANDIDATES = Array.from({ length: 91 }, (_, i) => 0.05 + i / 100);

/** Window figures with thresholds that the records judged had no part in. */
export interface CrossFittedFigures extends Omit<ShockableWindowFigures, 'threshold'> {
  /** One per fold. */
  readonly thresholds: readonly number[];
}

/**
 * Each fold is judged at the threshold at which the records of the other folds have the most to spare over the aim, in
 * sensitivity or specificity, whichever has less.
 * @param foldOf for each record the fold that tests it
 */
export function crossFittedFigures(scored: readonly ScoredRecord[], foldOf: readonly number[]): CrossFittedFigures {
  const folds = Math.max(...foldOf) + 1;
  const thresholds = Array.from({ length: folds }, (_, fold) => {
    const others = scored.filter((_, i) => foldOf[i] !== fold);
    const spare = CANDIDATES.map((threshold) => {
      const { sensitivity, specificity } = shockableWindowFigures(others, threshold);
      return Math.min(sensitivity - AIM.sensitivity, specificity - AIM.specificity);
    });
    return CANDIDATES[spare.indexOf(Math.max(...spare))]!;
  });
  const thresholdOf = new Map(scored.map((one, i) => [one, thresholds[foldOf[i]!]!]));
  return { thresholds, ...figuresAt(scored, (one) => thresholdOf.get(one)!) };
}

function figuresAt(
  scored: readonly ScoredRecord[],
  thresholdOf: (one: ScoredRecord) => number,
): Omit<ShockableWindowFigures, 'threshold'> {
  const all = new Array<number>(7).fill(0);
  const positive = new Array<number>(7).fill(0);
  const byRecord: Record<string, { sensitivity: number; falsePositives: number; windows: number }> = {};
  for (const one of scored) {
    const { record } = one;
    const threshold = thresholdOf(one);
    let shockable = 0;
    let found = 0;
    let falsePositives = 0;
    for (let w = 0; w < record.labels.length; w++) {
      const label = record.labels[w]!;
      const isPositive = shockableScore(one, w) > threshold;
      all[label]!++;
      if (isPositive) positive[label]!++;
      if (label === FAST_VT || label === FIBRILLATION) {
        shockable++;
        if (isPositive) found++;
      } else if ((label === OTHER || label === ASYSTOLE || label === NOISE) && isPositive) falsePositives++;
    }
    if (shockable > 0 || falsePositives > 0) {
      byRecord[`${record.database}/${record.record}`] = {
        sensitivity: found / shockable,
        falsePositives,
        windows: shockable,
      };
    }
  }
  const share = (labels: readonly number[]) =>
    labels.reduce((sum, label) => sum + positive[label]!, 0) / labels.reduce((sum, label) => sum + all[label]!, 0);
  return {
    windows: {
      shockable: all[FAST_VT]! + all[FIBRILLATION]!,
      other: all[OTHER]!,
      noise: all[NOISE]!,
      asystole: all[ASYSTOLE]!,
    },
    sensitivity: share([FAST_VT, FIBRILLATION]),
    specificity: 1 - share([OTHER]),
    specificityLive: 1 - share([OTHER, ASYSTOLE, NOISE]),
    fibrillationSensitivity: share([FIBRILLATION]),
    fastVtSensitivity: share([FAST_VT]),
    noisePositive: share([NOISE]),
    asystolePositive: share([ASYSTOLE]),
    slowVtPositive: share([SLOW_VT]),
    byRecord,
  };
}

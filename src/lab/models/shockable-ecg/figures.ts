import { ASYSTOLE, FAST_VT, FIBRILLATION, NOISE, OTHER, SLOW_VT } from '../../data/shockable-records.js';
import { LABELS } from './network.js';
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
  /** Of the shockable windows found, how many are given their own kind. */
  readonly fibrillationNamed: number;
  readonly fastVtNamed: number;
  readonly byRecord: Readonly<
    Record<string, { readonly sensitivity: number; readonly falsePositives: number; readonly windows: number }>
  >;
}

export function shockableWindowFigures(scored: readonly ScoredRecord[], threshold: number): ShockableWindowFigures {
  const all = new Array<number>(7).fill(0);
  const positive = new Array<number>(7).fill(0);
  const named = new Array<number>(7).fill(0);
  const byRecord: Record<string, { sensitivity: number; falsePositives: number; windows: number }> = {};
  for (const one of scored) {
    const { record, scores } = one;
    let shockable = 0;
    let found = 0;
    let falsePositives = 0;
    for (let w = 0; w < record.labels.length; w++) {
      const label = record.labels[w]!;
      const isPositive = shockableScore(one, w) > threshold;
      all[label]!++;
      if (isPositive) {
        positive[label]!++;
        const kind = scores[w * LABELS.length + 1]! > scores[w * LABELS.length + 2]! ? FAST_VT : FIBRILLATION;
        if (kind === label) named[label]!++;
      }
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
    threshold,
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
    fibrillationNamed: named[FIBRILLATION]! / positive[FIBRILLATION]!,
    fastVtNamed: named[FAST_VT]! / positive[FAST_VT]!,
    byRecord,
  };
}

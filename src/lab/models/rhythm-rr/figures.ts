import { RHYTHM_BEATS } from '../../../inference/windows/rhythm-rr.js';
import { AF, FLUTTER, UNLABELLED } from '../../data/rhythm-records.js';
import type { ScoredRhythm } from './score.js';

/** How windows with flutter count: as not fibrillation (as Zhou and Petrenas have it), as fibrillation, not at all. */
export type FlutterAs = 'other' | 'af' | 'left-out';

/** Figures of windows: the majority of a window's beats decides what it is. NaN where there is nothing to count. */
export interface WindowFigures {
  readonly windows: number;
  readonly sensitivity: number;
  readonly specificity: number;
  readonly positivePredictivity: number;
  readonly accuracy: number;
}

/** Windows of some records against the reference, decided at a score of `threshold`. */
export function windowFigures(scored: readonly ScoredRhythm[], flutterAs: FlutterAs, threshold = 0.5): WindowFigures {
  let [hit, missed, alarm, quiet] = [0, 0, 0, 0];
  for (const { record, ends, scores } of scored) {
    const { labels } = record;
    for (let w = 0; w < ends.length; w++) {
      let af = 0;
      let flutter = 0;
      let unlabelled = 0;
      for (let i = ends[w]! - RHYTHM_BEATS + 1; i <= ends[w]!; i++) {
        if (labels[i] === AF) af++;
        else if (labels[i] === FLUTTER) flutter++;
        else if (labels[i] === UNLABELLED) unlabelled++;
      }
      if (unlabelled > 0 || (flutter > 0 && flutterAs === 'left-out')) continue;
      const isAf = af + (flutterAs === 'af' ? flutter : 0) > RHYTHM_BEATS / 2;
      const said = scores[w]! > threshold;
      if (isAf && said) hit++;
      else if (isAf) missed++;
      else if (said) alarm++;
      else quiet++;
    }
  }
  const windows = hit + missed + alarm + quiet;
  return {
    windows,
    sensitivity: hit / (hit + missed),
    specificity: quiet / (quiet + alarm),
    positivePredictivity: hit / (hit + alarm),
    accuracy: (hit + quiet) / windows,
  };
}

const ECTOPY_BANDS = [0, 0.02, 0.1, 0.3, 1] as const;

/** Share of the windows without fibrillation that are called so, by how many of their beats are annotated as ectopic. */
export function falsePositivesByEctopy(scored: readonly ScoredRhythm[], threshold = 0.5) {
  const bands = ECTOPY_BANDS.slice(1).map(() => ({ windows: 0, called: 0 }));
  for (const { record, ends, scores } of scored) {
    for (let w = 0; w < ends.length; w++) {
      let ectopic = 0;
      let others = 0;
      for (let i = ends[w]! - RHYTHM_BEATS + 1; i <= ends[w]!; i++) {
        ectopic += record.ectopic[i]!;
        if (record.labels[i] === AF || record.labels[i] === FLUTTER || record.labels[i] === UNLABELLED) others++;
      }
      if (others > 0) continue;
      const share = ectopic / RHYTHM_BEATS;
      const band = bands[ECTOPY_BANDS.slice(1).findIndex((top) => share <= top)]!;
      band.windows++;
      if (scores[w]! > threshold) band.called++;
    }
  }
  return bands.map(({ windows, called }, i) => ({
    ectopy: `${ECTOPY_BANDS[i]! * 100}-${ECTOPY_BANDS[i + 1]! * 100} %`,
    windows,
    falsePositiveRate: called / windows,
  }));
}

import { addMatrices, type BeatClassReport, reportOf } from '../../evaluation/beat-classes.js';
import { type LogitOffsets, matrixOf, type ScoredRecord } from './decide.js';
import type { BeatSplit } from './split.js';

/** Figures of a set of scored records, pooled and apart. */
export interface BeatEcgFigures {
  readonly pooled: BeatClassReport;
  /** Only beats inside, and only beats outside annotated atrial fibrillation or flutter. */
  readonly insideAf: BeatClassReport;
  readonly outsideAf: BeatClassReport;
  readonly records: readonly { readonly record: string; readonly report: BeatClassReport }[];
}

export interface BeatEcgTestFigures extends BeatEcgFigures {
  /** Record 232 holds three quarters of DS2's S beats: without it the pooled S is not one patient's. Of DS2 alone. */
  readonly without232?: BeatClassReport;
}

/** Pooled figures and slices of records that were scored, at given offsets. */
export function figuresOf(scored: readonly ScoredRecord[], offsets: LogitOffsets): BeatEcgFigures {
  const pool = (some: readonly ScoredRecord[], only?: (one: ScoredRecord) => (beat: number) => boolean) =>
    reportOf(addMatrices(some.map((one) => matrixOf(one, offsets, only?.(one)))));
  return {
    pooled: pool(scored),
    insideAf: pool(
      scored,
      ({ record }) =>
        (beat) =>
          record.inAf[beat] === 1,
    ),
    outsideAf: pool(
      scored,
      ({ record }) =>
        (beat) =>
          record.inAf[beat] === 0,
    ),
    records: scored.map((one) => ({ record: `${one.record.database}/${one.record.record}`, report: pool([one]) })),
  };
}

/** The test's figures from whatever scored it: the float model, or an ONNX file. */
export function testFiguresOf(
  scored: readonly ScoredRecord[],
  offsets: LogitOffsets,
  split: BeatSplit,
): BeatEcgTestFigures {
  const figures = figuresOf(scored, offsets);
  if (split.own) return figures;
  const others = scored.filter(({ record }) => record.record !== '232');
  return { ...figures, without232: reportOf(addMatrices(others.map((one) => matrixOf(one, offsets)))) };
}

import { type BackendName, openBackend } from '../../backend.js';
import { addMatrices, type BeatClassReport, reportOf } from '../../evaluation/beat-classes.js';
import { loadTraining } from './bundle.js';
import { type BeatEcgDataOptions, loadTestRecords } from './data.js';
import { type LogitOffsets, matrixOf, type ScoredRecord } from './decide.js';
import { score } from './fit.js';

/** Figures of a set of scored records, pooled and apart. */
export interface BeatEcgFigures {
  readonly pooled: BeatClassReport;
  /** Only beats inside, and only beats outside annotated atrial fibrillation or flutter. */
  readonly insideAf: BeatClassReport;
  readonly outsideAf: BeatClassReport;
  readonly records: readonly { readonly record: string; readonly report: BeatClassReport }[];
}

export interface BeatEcgTestFigures extends BeatEcgFigures {
  /** Record 232 holds three quarters of DS2's S beats: without it the pooled S is not one patient's. */
  readonly without232: BeatClassReport;
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

export interface EvaluateBeatEcgOptions extends BeatEcgDataOptions {
  /** Folder of a training, plain or pruned. */
  readonly modelFolder: string;
  readonly backend?: BackendName | 'auto';
}

/** Runs a trained model over DS2, reference beats, its own offsets. */
export async function evaluateBeatEcg(options: EvaluateBeatEcgOptions): Promise<BeatEcgTestFigures> {
  await openBackend(options.backend ?? 'auto');
  const { fitted, training } = await loadTraining(options.modelFolder);
  const scored = score(fitted, await loadTestRecords(options));
  fitted.model.dispose();
  return testFiguresOf(scored, training.logitOffsets);
}

/** DS2's figures from whatever scored it: the float model here, an ONNX file elsewhere. */
export function testFiguresOf(scored: readonly ScoredRecord[], offsets: LogitOffsets): BeatEcgTestFigures {
  const others = scored.filter(({ record }) => record.record !== '232');
  return {
    ...figuresOf(scored, offsets),
    without232: reportOf(addMatrices(others.map((one) => matrixOf(one, offsets)))),
  };
}

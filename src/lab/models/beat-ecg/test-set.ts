import type { BeatEcgPreprocessing } from '../../../inference/windows/beat-ecg.js';
import { type BeatRecord, CLASSES } from '../../data/beat-records.js';
import type { BeatClassReport } from '../../evaluation/beat-classes.js';
import { probabilitiesOf, type TestSet } from '../../export/re-evaluate.js';
import type { Evaluation, Table } from '../../report/page.js';
import { type BeatEcgDataOptions, loadTestRecords, standardised } from './data.js';
import { NO_OFFSETS, type ScoredRecord } from './decide.js';
import { testFiguresOf } from './figures.js';
import { LABELS } from './network.js';
import { itemsOf } from './quantize.js';
import { type BeatSplit, shippedSplit } from './split.js';

/** The test people of a split (DS2 unless told), reference beats, first lead: what every figure of beat-ecg's card is about. */
export async function beatEcgTestSet(
  options: BeatEcgDataOptions,
  preprocessing: BeatEcgPreprocessing,
): Promise<TestSet> {
  const { split = shippedSplit() } = options;
  const records = standardised(await loadTestRecords(options), preprocessing);
  return {
    items: [...itemsOf(records)],
    figures: (answers) => figures(scoredOf(records, answers), split),
    evaluation: (answers) => evaluation(records, answers, split),
  };
}

function scoredOf(records: readonly BeatRecord[], answers: readonly Float32Array[]): ScoredRecord[] {
  let at = 0;
  return records.map((record) => {
    const logits = new Float32Array(record.count * LABELS.length);
    for (let beat = 0; beat < record.count; beat++) logits.set(answers[at++]!, beat * LABELS.length);
    return { record, logits };
  });
}

/** The figures of a variant, for the manifest and the card's table. */
function figures(scored: readonly ScoredRecord[], split: BeatSplit): Record<string, number> {
  const { pooled, insideAf, outsideAf, without232 } = testFiguresOf(scored, NO_OFFSETS, split);
  const { accuracy, N, S, V } = pooled;
  return {
    accuracy,
    'N Se': N.sensitivity,
    'S Se': S.sensitivity,
    'S F1': S.f1,
    ...((!split.own || insideAf.beats > 0) && { 'S F1 outside AF': outsideAf.S.f1 }),
    ...(without232 && { 'S F1 without 232': without232.S.f1 }),
    'V Se': V.sensitivity,
    'V PPV': V.positivePredictivity,
    'V F1': V.f1,
  };
}

function evaluation(records: readonly BeatRecord[], answers: readonly Float32Array[], split: BeatSplit): Evaluation {
  const { pooled, without232, outsideAf, insideAf } = testFiguresOf(scoredOf(records, answers), NO_OFFSETS, split);
  let at = 0;
  return {
    on: `${split.testTitle}, reference beats, first lead`,
    labels: LABELS,
    truthLabels: CLASSES,
    truth: Uint8Array.from(records.flatMap(({ classes }) => [...classes])),
    probabilities: probabilitiesOf(answers),
    records: records.map(({ database, record, count }) => {
      at += count;
      return { name: `${database}/${record}`, from: at - count, to: at };
    }),
    tables: [
      ec57({
        'all beats': pooled,
        ...(without232 && { 'without record 232': without232 }),
        ...((!split.own || insideAf.beats > 0) && { 'outside AF': outsideAf, 'inside AF': insideAf }),
      }),
    ],
  };
}

function ec57(reports: Readonly<Record<string, BeatClassReport>>): Table {
  const percent = (value: number) => (value * 100).toFixed(2);
  return {
    title: 'Classes of ANSI/AAMI EC57, in percent',
    head: ['beats', 'count', 'accuracy', ...LABELS.flatMap((label) => [`${label} Se`, `${label} +P`, `${label} F1`])],
    rows: Object.entries(reports).map(([name, report]) => [
      ...[name, report.beats.toFixed(0), percent(report.accuracy)],
      ...LABELS.flatMap((label) => {
        const { sensitivity, positivePredictivity, f1 } = report[label];
        return [sensitivity, positivePredictivity, f1].map(percent);
      }),
    ]),
    note: 'Se sensitivity, +P positive predictivity. Calling F or Q beats V is not held against V, nor Q called S against S; F is counted as wrong in nothing else.',
  };
}

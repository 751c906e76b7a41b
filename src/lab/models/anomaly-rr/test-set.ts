import { type AnomalyPreprocessing, residualOf } from '../../../inference/windows/anomaly-rr.js';
import type { AnomalyRecord } from '../../data/anomaly-records.js';
import type { TestSet } from '../../export/re-evaluate.js';
import type { ModelItem } from '../../quantize/index.js';
import type { Evaluation } from '../../report/page.js';
import { type AnomalyDataOptions, loadPatients } from './data.js';
import { departuresOf } from './fit.js';
import { itemsOf } from './quantize.js';

/** An episode counts for the windows that end in it, 20 s after its beginning and later. */
const BEGUN_MS = 20_000;

/** mitdb's people, every window: what the figures of anomaly-rr's variants are about. */
export async function anomalyTestSet(
  options: AnomalyDataOptions,
  preprocessing: AnomalyPreprocessing,
): Promise<TestSet> {
  const records = (await loadPatients(options)).filter(({ database }) => database === 'mitdb');
  const items = records.flatMap((record) => [...itemsOf(departuresOf(record, preprocessing))]);
  const { usualScore } = preprocessing;
  return {
    items,
    figures: (answers) => ({ 'mitdb AUC': areaUnderCurve(records, items, answers) }),
    choice: (answer, at) => (residualOf(items[at]![0]!, answer) > usualScore ? 1 : 0),
    evaluation: (answers) => evaluation(records, items, answers, usualScore),
  };
}

function departs({ episodes }: AnomalyRecord, tMs: number): boolean {
  return episodes.some(({ startMs, endMs }) => tMs - BEGUN_MS > startMs && tMs <= endMs);
}

/** How well the residual tells windows that end in an annotated episode from the others. */
function areaUnderCurve(
  records: readonly AnomalyRecord[],
  items: readonly ModelItem[],
  answers: readonly Float32Array[],
): number {
  const scored: [residual: number, departs: boolean][] = [];
  let at = 0;
  for (const record of records) {
    for (const t of record.tMs) {
      scored.push([residualOf(items[at]![0]!, answers[at]!), departs(record, t)]);
      at++;
    }
  }
  scored.sort(([a], [b]) => a - b);
  let ranks = 0;
  let departing = 0;
  scored.forEach(([, isDeparture], rank) => {
    if (!isDeparture) return;
    ranks += rank + 1;
    departing++;
  });
  return (ranks - (departing * (departing + 1)) / 2) / (departing * (scored.length - departing));
}

function evaluation(
  records: readonly AnomalyRecord[],
  items: readonly ModelItem[],
  answers: readonly Float32Array[],
  usualScore: number,
): Evaluation {
  const truth: number[] = [];
  const ranges: { name: string; from: number; to: number }[] = [];
  for (const record of records) {
    const from = truth.length;
    for (const t of record.tMs) truth.push(departs(record, t) ? 1 : 0);
    ranges.push({ name: `${record.database}/${record.record}`, from, to: truth.length });
  }
  const probabilities = new Float32Array(2 * truth.length);
  answers.forEach((answer, at) => {
    const residual = residualOf(items[at]![0]!, answer);
    probabilities.set([usualScore / (residual + usualScore), residual / (residual + usualScore)], 2 * at);
  });
  return {
    on: 'mitdb, reference beats, every window (departures of more than 20 s)',
    ...{ labels: ['usual', 'departure'], truthLabels: ['usual', 'departure'], truth: Uint8Array.from(truth) },
    ...{ probabilities, records: ranges.filter(({ from, to }) => to > from) },
    tables: [
      {
        title: 'What is counted',
        head: ['windows', 'that end in an annotated episode', 'AUC of the residual'],
        rows: [
          [
            ...[truth.length, truth.filter((one) => one === 1).length].map(String),
            areaUnderCurve(records, items, answers).toFixed(4),
          ],
        ],
        note: 'The model gives no probability: for the plots it is residual / (residual + usual residual), which is half where the residual is as large as healthy people reach in one window of a hundred. Alerts follow from minutes of it: `slothd lab evaluate --model anomaly-rr` tells of those.',
      },
    ],
  };
}

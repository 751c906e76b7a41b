import { type AnomalyPreprocessing, departureOf } from '../../../inference/windows/anomaly-rr.js';
import type { AnomalyRecord } from '../../data/anomaly-records.js';
import type { TestSet } from '../../export/re-evaluate.js';
import type { Evaluation } from '../../report/page.js';
import { type AnomalyDataOptions, loadValidation } from './data.js';
import { departuresOf } from './fit.js';
import { itemsOf } from './quantize.js';

/** An episode counts for the windows that end in it, 20 s after its beginning and later. */
const BEGUN_MS = 20_000;

/** Every so many windows of the validation people are what variants are held against each other on. */
const EVERY = 5;

/** The validation people of ltafdb: what the figures of anomaly-rr's variants are about. The test decides nothing. */
export async function anomalyTestSet(
  options: AnomalyDataOptions,
  preprocessing: AnomalyPreprocessing,
): Promise<TestSet> {
  const records = (await loadValidation(options)).filter(({ database }) => database === 'ltafdb');
  const items = records.flatMap((record) => [...itemsOf(departuresOf(record, preprocessing), EVERY)]);
  const { usualScore } = preprocessing;
  return {
    items,
    figures: (answers) => ({ 'window AUC': areaUnderCurve(records, answers) }),
    choice: (answer) => (answer[1]! > answer[0]! ? 1 : 0),
    evaluation: (answers) => evaluation(records, answers, usualScore),
  };
}

function departs({ episodes }: AnomalyRecord, tMs: number): boolean {
  return episodes.some(({ startMs, endMs }) => tMs - BEGUN_MS > startMs && tMs <= endMs);
}

/** Times of the windows that are items. */
const timesOf = ({ tMs }: AnomalyRecord) => tMs.filter((_, w) => w % EVERY === 0);

/** How well the departure tells windows that end in an annotated episode from the others, pooled. */
function areaUnderCurve(records: readonly AnomalyRecord[], answers: readonly Float32Array[]): number {
  const scored: [departure: number, departs: boolean][] = [];
  for (const record of records) {
    for (const t of timesOf(record)) scored.push([departureOf(answers[scored.length]!), departs(record, t)]);
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
  answers: readonly Float32Array[],
  usualScore: number,
): Evaluation {
  const truth: number[] = [];
  const ranges: { name: string; from: number; to: number }[] = [];
  for (const record of records) {
    const from = truth.length;
    for (const t of timesOf(record)) truth.push(departs(record, t) ? 1 : 0);
    ranges.push({ name: `${record.database}/${record.record}`, from, to: truth.length });
  }
  const probabilities = new Float32Array(2 * truth.length);
  answers.forEach((answer, at) => {
    const departure = departureOf(answer);
    probabilities.set([usualScore / (departure + usualScore), departure / (departure + usualScore)], 2 * at);
  });
  return {
    on: `validation people of ltafdb, reference beats, every ${EVERY}th window (departures of more than 20 s)`,
    ...{ labels: ['usual', 'departure'], truthLabels: ['usual', 'departure'], truth: Uint8Array.from(truth) },
    ...{ probabilities, records: ranges.filter(({ from, to }) => to > from) },
    tables: [
      {
        title: 'What is counted',
        head: ['windows', 'that end in an annotated episode', 'AUC of the departure'],
        rows: [
          [
            ...[truth.length, truth.filter((one) => one === 1).length].map(String),
            areaUnderCurve(records, answers).toFixed(4),
          ],
        ],
        note: 'The plots show departure / (departure + usual departure), which is half where the departure is as large as healthy people reach in one window of a hundred. Alerts follow from minutes of it: `slothd lab evaluate --model anomaly-rr` tells of those.',
      },
    ],
  };
}

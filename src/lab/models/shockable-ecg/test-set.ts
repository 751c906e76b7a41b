import type { ShockablePreprocessing } from '../../../inference/windows/shockable-ecg.js';
import {
  ASYSTOLE,
  FAST_VT,
  FIBRILLATION,
  NOISE,
  OTHER,
  type ShockableRecord,
  SLOW_VT,
} from '../../data/shockable-records.js';
import { probabilitiesOf, type TestSet } from '../../export/re-evaluate.js';
import type { Evaluation, Table } from '../../report/page.js';
import { loadTestRecords, type ShockableDataOptions } from './data.js';
import { type ShockableTestFigures, testFiguresOf } from './evaluate.js';
import { LABELS } from './network.js';
import { itemsOf } from './quantize.js';
import { type ScoredRecord, softmax } from './score.js';

/** Names of what the reference says, as far as a report counts it, and their codes. Mixed windows are left out. */
const TRUTH = [
  ['other', OTHER],
  ['vt', FAST_VT],
  ['vf', FIBRILLATION],
  ['asystole', ASYSTOLE],
  ['noise', NOISE],
  ['slow vt', SLOW_VT],
] as const;

/** mitdb and cinc2017's noise, a window a second: what shockable-ecg's card is about. */
export async function shockableTestSet(
  options: ShockableDataOptions,
  preprocessing: ShockablePreprocessing,
): Promise<TestSet & { test(answers: readonly Float32Array[]): ShockableTestFigures }> {
  const records = await loadTestRecords(options);
  const test = (answers: readonly Float32Array[]) => testFiguresOf(scoredOf(records, answers));
  return {
    items: records.flatMap((record) => [...itemsOf(record, preprocessing)]),
    test,
    figures: (answers) => figures(test(answers)),
    evaluation: (answers) => evaluation(records, answers),
  };
}

/** What a file's answers, one for each window in turn, make of some records. */
export function scoredOf(records: readonly ShockableRecord[], answers: readonly Float32Array[]): ScoredRecord[] {
  let at = 0;
  return records.map((record) => {
    const logits = new Float32Array(record.ends.length * LABELS.length);
    for (let w = 0; w < record.ends.length; w++) logits.set(answers[at++]!, w * LABELS.length);
    return { record, scores: softmax(logits) };
  });
}

/** The figures of a variant, for the manifest and the card's table. */
function figures({ mitdb, noise }: ShockableTestFigures): Record<string, number> {
  return {
    'mitdb specificity': mitdb.windows.specificity,
    'mitdb false alerts': mitdb.alarms.falseAlerts,
    'noise specificity': 1 - noise.windows.noisePositive,
    'noise false alerts/h': noise.alarms.falsePerHour,
  };
}

function evaluation(records: readonly ShockableRecord[], answers: readonly Float32Array[]): Evaluation {
  const truth: number[] = [];
  const kept: Float32Array[] = [];
  const ranges: { name: string; from: number; to: number }[] = [];
  let at = 0;
  for (const { database, record, labels } of records) {
    const from = truth.length;
    for (const label of labels) {
      const place = TRUTH.findIndex(([, code]) => code === label);
      const answer = answers[at++]!;
      if (place < 0) continue;
      truth.push(place);
      kept.push(answer);
    }
    ranges.push({ name: `${database}/${record}`, from, to: truth.length });
  }
  return {
    on: 'mitdb and the noisy recordings of cinc2017, a window a second',
    ...{ labels: LABELS, truthLabels: TRUTH.map(([name]) => name), truth: Uint8Array.from(truth) },
    ...{ probabilities: probabilitiesOf(kept), records: ranges.filter(({ from, to }) => to > from) },
    tables: [alarmTable(testFiguresOf(scoredOf(records, answers)))],
  };
}

function alarmTable(test: ShockableTestFigures): Table {
  const percent = (value: number) => (Number.isNaN(value) ? '' : (value * 100).toFixed(2));
  return {
    title: 'Windows called shockable, in percent, and alerts, with the shipped threshold',
    head: ['recordings', 'specificity', 'Se of vf', 'Se of fast vt', 'of noise', 'false alerts', 'hours', 'per hour'],
    rows: Object.entries(test).map(([name, { windows, alarms }]) => [
      ...[name, percent(windows.specificity), percent(windows.fibrillationSensitivity)],
      ...[percent(windows.fastVtSensitivity), percent(windows.noisePositive)],
      ...[String(alarms.falseAlerts), alarms.hoursOutside.toFixed(2), alarms.falsePerHour.toFixed(2)],
    ]),
    note: 'In mitdb shockable rhythms are few and short: what the model finds of them is measured by cross-validation over vfdb (CARD.md). In the confusion and by record, asystole, noise and slow tachycardia are not shockable: `other` is right.',
  };
}

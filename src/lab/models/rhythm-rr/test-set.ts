import type { RhythmRrPreprocessing } from '../../../inference/windows/rhythm-rr.js';
import type { RhythmRecord } from '../../data/rhythm-records.js';
import { probabilitiesOf, type TestSet } from '../../export/re-evaluate.js';
import type { Evaluation, Table } from '../../report/page.js';
import { loadTestRecords, type RhythmRrDataOptions } from './data.js';
import { type RhythmRrTestFigures, testFiguresOf } from './evaluate.js';
import { LABELS } from './network.js';
import { itemsOf } from './quantize.js';
import { windowShareAf } from './sampling.js';
import { DAEMON_EVERY, type RhythmWindowSet, type ScoredRhythm, windowsOf } from './score.js';

export interface TestWindows {
  readonly record: RhythmRecord;
  readonly windows: RhythmWindowSet;
}

/** afdb and mitdb, reference beats, a window as often as the daemon asks: what rhythm-rr's card is about. */
export async function rhythmRrTestSet(
  options: RhythmRrDataOptions,
  preprocessing: RhythmRrPreprocessing,
): Promise<TestSet & { test(answers: readonly Float32Array[]): RhythmRrTestFigures }> {
  const test = (await loadTestRecords(options)).map(
    (record): TestWindows => ({ record, windows: windowsOf(record, DAEMON_EVERY, preprocessing) }),
  );
  return {
    items: test.flatMap(({ windows }) => [...itemsOf(windows)]),
    test: (answers) => testOf(test, answers),
    figures: (answers) => figures(testOf(test, answers)),
    evaluation: (answers) => evaluation(test, answers),
  };
}

/** What an ONNX file's answers, one for each window in turn, make of the test records. */
function testOf(test: readonly TestWindows[], answers: readonly Float32Array[]): RhythmRrTestFigures {
  return testFiguresOf(scoredOf(test, answers));
}

export function scoredOf(sets: readonly TestWindows[], answers: readonly Float32Array[]): ScoredRhythm[] {
  let at = 0;
  return sets.map(({ record, windows }): ScoredRhythm => {
    const scores = new Float32Array(windows.count);
    for (let w = 0; w < windows.count; w++) {
      const [regular, afib] = answers[at++]!;
      scores[w] = 1 / (1 + Math.exp(regular! - afib!));
    }
    return { record, ends: windows.ends, startMs: windows.startMs, scores };
  });
}

/** The figures of a variant, for the manifest and the card's table. */
function figures({ afdb, mitdb }: RhythmRrTestFigures): Record<string, number> {
  return {
    'afdb accuracy': afdb.windows.other.accuracy,
    'afdb Se': afdb.windows.other.sensitivity,
    'afdb Sp': afdb.windows.other.specificity,
    'mitdb Se': mitdb.windows.af.sensitivity,
    'mitdb PPV': mitdb.windows.af.positivePredictivity,
    'afdb false alerts/24 h': afdb.alarms.falsePer24h,
    'afdb episodes >= 2 min': afdb.alarms.episodes[1]!.sensitivity,
  };
}

/** Windows by the label of the majority of their beats (flutter: no fibrillation); windows without labels are left out. */
function evaluation(test: readonly TestWindows[], answers: readonly Float32Array[]): Evaluation {
  const truth: number[] = [];
  const kept: Float32Array[] = [];
  const records: { name: string; from: number; to: number }[] = [];
  let at = 0;
  for (const { record, windows } of test) {
    const from = truth.length;
    for (let w = 0; w < windows.count; w++, at++) {
      const share = windowShareAf(record, windows.ends[w]!);
      if (share === null) continue;
      truth.push(share > 0.5 ? 1 : 0);
      kept.push(answers[at]!);
    }
    records.push({ name: `${record.database}/${record.record}`, from, to: truth.length });
  }
  return {
    on: 'afdb and mitdb, reference beats, a window every 5 beats',
    ...{ labels: LABELS, truthLabels: LABELS, truth: Uint8Array.from(truth) },
    ...{ probabilities: probabilitiesOf(kept), records, tables: [windowTable(testOf(test, answers))] },
  };
}

function windowTable(figures: RhythmRrTestFigures): Table {
  const percent = (value: number) => (value * 100).toFixed(2);
  return {
    title: 'Windows, in percent',
    head: ['database, flutter as', 'Se', 'Sp', '+P', 'accuracy'],
    rows: Object.entries({ afdb: figures.afdb, mitdb: figures.mitdb }).flatMap(([database, { windows }]) =>
      Object.entries(windows).map(([flutter, one]) => [
        `${database}, ${flutter}`,
        ...[one.sensitivity, one.specificity, one.positivePredictivity, one.accuracy].map(percent),
      ]),
    ),
  };
}

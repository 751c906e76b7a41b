/**
 * The beat detector under stress: `npm run bench:stress [-- vt starts motion cinc cases]`.
 *
 * What other devices, leads and hearts do to a signal, each record judged by weights that never saw it (6 folds); rapid
 * ventricular rhythm of vfdb against the rate of its waves; hand-held recordings of cinc2017 against the hand rule.
 */
import { mkdir, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type BeatJudge, HAND_RULE } from '../../signal/ecg/judge.js';
import { BeatVerifier } from '../../signal/ecg/verifier.js';
import { needDatabase } from '../data/find.js';
import { type BeatScore, beatMetrics, poolScores, scoreBeats } from '../evaluation/beat-match.js';
import { assignFolds, FOLDS, recordKey } from './folds.js';
import { handHeld } from './hand-held.js';
import { MOTION_WINDOWS, recoverMotion, withMotion } from './motion.js';
import { type RapidRecord, rapidWindows, readRapidRecords, WINDOW_S } from './rapid-rates.js';
import { type BeatRecord, readBeatRecord, readBeatRecords } from './records.js';
import { detectBeats } from './run.js';
import { STRESS_CASES, type StressCase } from './stress-cases.js';
import { readFoldWeights } from './weights.js';

interface Row {
  readonly title: string;
  readonly beats: number;
  readonly f1: number;
  readonly fp: number;
  readonly fn: number;
  readonly worst: readonly string[];
}

const PARTS = ['cases', 'motion', 'starts', 'vt', 'cinc'] as const;
type Part = (typeof PARTS)[number];

function rowOf(title: string, scores: readonly { readonly name: string; readonly score: BeatScore }[]): Row {
  const { beats, f1, fp, fn } = beatMetrics(poolScores(scores.map(({ score }) => score)));
  const worst = [...scores]
    .sort((x, y) => y.score.fp + y.score.fn - x.score.fp - x.score.fn)
    .slice(0, 5)
    .map(({ name, score }) => `${name} ${score.fp}/${score.fn}`);
  console.log(
    `${title.padEnd(44)} F1 ${(100 * f1).toFixed(3).padStart(7)}  FP ${String(fp).padStart(5)}  FN ${String(fn).padStart(5)} of ${beats}; worst ${worst.join(', ')}`,
  );
  return { title, beats, f1, fp, fn, worst };
}

function runCase(database: string, stress: StressCase, records: readonly BeatRecord[], judges: Judges): Row {
  const scores = records
    .filter((record) => !stress.skips?.(record))
    .map((record) => {
      const { signal, toldHz } = stress.change(record);
      const { samples } = detectBeats(signal, toldHz ?? record.rateHz, judges.of(record));
      return { name: record.name, score: scoreBeats(record.reference, samples, { windows: stress.windows }) };
    });
  return rowOf(`${database}, ${stress.title}`, scores);
}

/** The fold weights, by the record they have not seen. */
class Judges {
  private constructor(
    private readonly folds: ReadonlyMap<string, number>,
    private readonly verifiers: readonly BeatVerifier[],
  ) {}

  static async read(projectDir: string, records: readonly { database: string; name: string }[]): Promise<Judges> {
    const verifiers: BeatVerifier[] = [];
    for (let fold = 0; fold < FOLDS; fold++) verifiers.push(new BeatVerifier(await readFoldWeights(projectDir, fold)));
    return new Judges(assignFolds(records), verifiers);
  }

  of(record: { readonly database: string; readonly name: string }): BeatJudge {
    return this.verifiers[this.folds.get(recordKey(record))!]!;
  }
}

/** Beats of 21 s pieces that begin anywhere, by the time since their start. */
function starts(database: string, records: readonly BeatRecord[], judges: Judges): Row[] {
  const parts = [
    [0.2, 2],
    [2, 5],
    [5, 20],
  ] as const;
  const scores = parts.map(() => [] as { name: string; score: BeatScore }[]);
  for (const record of records) {
    const { rateHz, reference } = record;
    for (let atS = 17; (atS + 21) * rateHz < record.signals[0]!.length; atS += 97) {
      const from = Math.round(atS * rateHz);
      const piece = record.signals[0]!.slice(from, from + 21 * rateHz);
      const kept = [...reference.samples.keys()].filter(
        (k) => reference.samples[k]! >= from && reference.samples[k]! < from + piece.length,
      );
      const cut = {
        rateHz,
        samples: Float64Array.from(kept, (k) => reference.samples[k]! - from),
        symbols: kept.map((k) => reference.symbols[k]!),
        flutter: reference.flutter.map(([a, b]) => [a - from, b - from] as const),
      };
      const { samples } = detectBeats(piece, rateHz, judges.of(record));
      parts.forEach((part, i) => {
        scores[i]!.push({ name: record.name, score: scoreBeats(cut, samples, { windows: [part] }) });
      });
    }
  }
  return parts.map(([from, to], i) => rowOf(`${database}, ${from} to ${to} s after the start`, scores[i]!));
}

interface RapidRow {
  readonly record: string;
  readonly windows: number;
  readonly close: number;
  readonly beatsPerWave: number;
  readonly wavesPerMinute: number;
}

/** Beats found against the waves' own rate, over 4 s windows in which VT or flutter has one rate. */
function rapid(records: readonly RapidRecord[], judgeOf: (record: RapidRecord) => BeatJudge, title: string) {
  const rows: RapidRow[] = [];
  for (const record of records) {
    let close = 0;
    let beats = 0;
    let waves = 0;
    let count = 0;
    for (const signal of record.signals) {
      const { samples } = detectBeats(signal, record.rateHz, judgeOf(record));
      for (const { fromS, ratePerMinute } of rapidWindows(record, signal)) {
        const inside = samples.filter((s) => s >= fromS * record.rateHz && s < (fromS + WINDOW_S) * record.rateHz);
        const expected = (ratePerMinute * WINDOW_S) / 60;
        count++;
        beats += inside.length;
        waves += expected;
        // One more or less is the window's edge.
        if (Math.abs(inside.length - expected) <= 0.1 * expected + 1) close++;
      }
    }
    if (count === 0) continue;
    rows.push({
      record: record.name,
      windows: count,
      close,
      beatsPerWave: beats / waves,
      wavesPerMinute: (60 * waves) / (WINDOW_S * count),
    });
  }
  const windows = rows.reduce((sum, row) => sum + row.windows, 0);
  const close = rows.reduce((sum, row) => sum + row.close, 0);
  const mean = rows.reduce((sum, row) => sum + row.beatsPerWave, 0) / rows.length;
  console.log(
    `\nvfdb, VT and flutter with one rate, ${title}: rate right in ${close} of ${windows} windows; beats per wave, mean over records ${mean.toFixed(3)}`,
  );
  for (const row of rows) {
    console.log(
      `  ${row.record}: ${row.close} of ${row.windows}, ${row.beatsPerWave.toFixed(2)} beats per wave at ${row.wavesPerMinute.toFixed(0)} a minute`,
    );
  }
  return { windows, close, meanBeatsPerWave: mean, rows };
}

/** Measures what is asked for, prints it and writes `bench/results/beats-stress.json` when it is everything. */
export async function stress(dataDir: string, projectDir: string, parts: readonly Part[]): Promise<void> {
  const mitdb = await readBeatRecords(dataDir, 'mitdb');
  const svdb = await readBeatRecords(dataDir, 'svdb');
  const judges = await Judges.read(projectDir, [...mitdb, ...svdb]);
  const results: Record<string, unknown> = {};
  if (parts.includes('cases')) {
    results.cases = STRESS_CASES.flatMap((one) => [
      runCase('mitdb', one, mitdb, judges),
      ...(one.title === 'as recorded' || one.title === 'second lead' ? [runCase('svdb', one, svdb, judges)] : []),
    ]);
  }
  if (parts.includes('motion')) {
    const motion = recoverMotion(
      await readBeatRecord(dataDir, 'mitdb', '118'),
      await readBeatRecord(dataDir, 'nstdb', '118e_6'),
    );
    results.motion = [12, 6, 0].map((db) =>
      runCase(
        'mitdb but 118',
        {
          title: `electrode motion at ${db} dB, noisy parts`,
          windows: MOTION_WINDOWS,
          skips: ({ name }) => name === '118',
          change: (record) => ({ signal: withMotion(record, motion, db) }),
        },
        mitdb,
        judges,
      ),
    );
  }
  if (parts.includes('starts')) {
    results.starts = [...starts('mitdb', mitdb, judges), ...starts('svdb', svdb, judges)];
  }
  if (parts.includes('vt')) {
    const records = await readRapidRecords(dataDir);
    const rapidJudges = await Judges.read(projectDir, records);
    results.rapid = {
      crossValidated: rapid(records, (record) => rapidJudges.of(record), 'by weights that never saw the record'),
      handRule: rapid(records, () => HAND_RULE, 'hand rule'),
    };
  }
  if (parts.includes('cinc')) results.handHeld = await handHeld(dataDir);
  if (parts.length < PARTS.length) return;
  const folder = join(projectDir, 'bench', 'results');
  await mkdir(folder, { recursive: true });
  await writeFile(join(folder, 'beats-stress.json'), `${JSON.stringify(results, null, 1)}\n`);
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const asked = process.argv.slice(2);
  const unknown = asked.filter((name) => !PARTS.some((part) => part === name));
  if (unknown.length > 0) {
    console.error(`bench:stress knows no ${unknown.join(', ')}; it has: ${PARTS.join(' ')}`);
    process.exitCode = 1;
  } else {
    await stress(
      dirname(needDatabase('mitdb')),
      fileURLToPath(new URL('../../..', import.meta.url)),
      asked.length === 0 ? PARTS : PARTS.filter((part) => asked.includes(part)),
    );
  }
}

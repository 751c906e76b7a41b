import { mkdir, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type BeatJudge, HAND_RULE } from '../../signal/ecg/judge.js';
import { BeatVerifier } from '../../signal/ecg/verifier.js';
import { needDatabase } from '../data/find.js';
import {
  type BeatMetrics,
  type BeatScore,
  beatMetrics,
  poolScores,
  quantile,
  scoreBeats,
} from '../evaluation/beat-match.js';
import { assignFolds, FOLDS, recordKey } from './folds.js';
import { type BeatRecord, readBeatRecord, readBeatRecords } from './records.js';
import { type DetectedBeats, detectBeats } from './run.js';
import { readFoldWeights } from './weights.js';

/** Who judges a record's candidates; undefined: the shipped weights. */
type JudgeOf = (record: BeatRecord) => BeatJudge | undefined;

interface DatabaseFigures {
  readonly records: number;
  readonly beats: number;
  readonly sensitivity: number;
  readonly precision: number;
  readonly f1At150Ms: number;
  readonly f1At50Ms: number;
  readonly fp: number;
  readonly fn: number;
  readonly absOffsetMedianMs: number;
  readonly absOffsetP95Ms: number;
  readonly offsetMedianMs: number;
  readonly delayMs: DelayFigures;
  readonly cpuSecondsPerHour: number;
  readonly perRecord: Readonly<Record<string, { f1At150Ms: number; f1At50Ms: number; fp: number; fn: number }>>;
}

/** From the R peak reported to the newest sample read when it was. */
interface DelayFigures {
  readonly median: number;
  readonly p95: number;
  readonly p99: number;
  readonly max: number;
  /** Share of beats decided more than 0.5 s after their peak (the first two seconds and beats found by looking back). */
  readonly overHalfSecond: number;
}

/** nstdb: noise from 5 min on, two minutes with and two without. */
const NOISY = Array.from({ length: 7 }, (_, i) => [300 + 240 * i, Math.min(420 + 240 * i, 1805.6)] as const);
const NOISE_RECORDS = { '24 dB': '118e24', '12 dB': '118e12', '0 dB': '118e00', '-6 dB': '118e_6' } as const;
const OTHER_RATES_HZ = [100, 250, 500, 1000];

/** All figures of the beat detector for one way of judging. */
function figuresOf(records: readonly BeatRecord[], judgeOf: JudgeOf): DatabaseFigures {
  const at150: BeatScore[] = [];
  const at50: BeatScore[] = [];
  const delays: number[] = [];
  const perRecord: Record<string, { f1At150Ms: number; f1At50Ms: number; fp: number; fn: number }> = {};
  let cpuSeconds = 0;
  let hours = 0;
  for (const record of records) {
    const signal = record.signals[0]!;
    const before = process.cpuUsage();
    const beats = detectBeats(signal, record.rateHz, judgeOf(record));
    const { user, system } = process.cpuUsage(before);
    cpuSeconds += (user + system) / 1e6;
    hours += signal.length / record.rateHz / 3600;
    const wide = scoreBeats(record.reference, beats.samples);
    const narrow = scoreBeats(record.reference, beats.samples, { toleranceMs: 50 });
    at150.push(wide);
    at50.push(narrow);
    delays.push(...delaysOf(beats, record.rateHz));
    perRecord[record.name] = {
      f1At150Ms: beatMetrics(wide).f1,
      f1At50Ms: beatMetrics(narrow).f1,
      fp: wide.fp,
      fn: wide.fn,
    };
  }
  const wide: BeatMetrics = beatMetrics(poolScores(at150));
  return {
    records: records.length,
    beats: wide.beats,
    sensitivity: wide.sensitivity,
    precision: wide.precision,
    f1At150Ms: wide.f1,
    f1At50Ms: beatMetrics(poolScores(at50)).f1,
    fp: wide.fp,
    fn: wide.fn,
    absOffsetMedianMs: wide.absOffsetMedianMs,
    absOffsetP95Ms: wide.absOffsetP95Ms,
    offsetMedianMs: wide.offsetMedianMs,
    delayMs: {
      median: quantile(delays, 0.5),
      p95: quantile(delays, 0.95),
      p99: quantile(delays, 0.99),
      max: quantile(delays, 1),
      overHalfSecond: delays.filter((ms) => ms > 500).length / delays.length,
    },
    cpuSecondsPerHour: cpuSeconds / hours,
    perRecord,
  };
}

function delaysOf({ samples, decidedAt }: DetectedBeats, rateHz: number): number[] {
  return samples.map((sample, i) => ((decidedAt[i]! - sample) * 1000) / rateHz);
}

async function noiseFigures(dataDir: string, judge: BeatJudge | undefined): Promise<Record<string, number>> {
  const figures: Record<string, number> = {};
  for (const [ratio, name] of Object.entries(NOISE_RECORDS)) {
    const record = await readBeatRecord(dataDir, 'nstdb', name);
    const { samples } = detectBeats(record.signals[0]!, record.rateHz, judge);
    figures[ratio] = beatMetrics(scoreBeats(record.reference, samples, { windows: NOISY })).f1;
  }
  return figures;
}

/** F1 at 150 ms when the leads come at another rate (linear interpolation). */
function rateFigures(records: readonly BeatRecord[], judgeOf: JudgeOf): Record<string, number> {
  const figures: Record<string, number> = {};
  for (const rateHz of OTHER_RATES_HZ) {
    const scores = records.map((record) => {
      const { samples } = detectBeats(atRate(record.signals[0]!, record.rateHz, rateHz), rateHz, judgeOf(record));
      return scoreBeats(
        record.reference,
        samples.map((sample) => (sample * record.rateHz) / rateHz),
      );
    });
    figures[`${rateHz} Hz`] = beatMetrics(poolScores(scores)).f1;
  }
  return figures;
}

function atRate(signal: Float32Array, fromHz: number, toHz: number): Float32Array {
  const step = fromHz / toHz;
  return Float32Array.from({ length: Math.floor((signal.length - 1) / step) }, (_, i) => {
    const k = Math.floor(i * step);
    return signal[k]! + (i * step - k) * (signal[k + 1]! - signal[k]!);
  });
}

const percent = (share: number) => (100 * share).toFixed(3).padStart(8);

function printFigures(
  title: string,
  mitdb: DatabaseFigures,
  svdb: DatabaseFigures,
  noise: Record<string, number>,
): void {
  console.log(`\n${title}`);
  console.log('              F1 150 ms  F1 50 ms     Se %    PPV %   FP   FN  |d| med ms  d med ms  CPU s/h');
  for (const [name, f] of Object.entries({ mitdb, svdb })) {
    console.log(
      `  ${name.padEnd(10)} ${percent(f.f1At150Ms)}   ${percent(f.f1At50Ms)} ${percent(f.sensitivity)} ${percent(f.precision)}` +
        `${String(f.fp).padStart(5)}${String(f.fn).padStart(5)}${f.absOffsetMedianMs.toFixed(1).padStart(12)}` +
        `${f.offsetMedianMs.toFixed(1).padStart(10)}${f.cpuSecondsPerHour.toFixed(3).padStart(9)}`,
    );
  }
  console.log(
    `  nstdb, noisy parts, F1 150 ms: ${Object.entries(noise)
      .map(([k, v]) => `${k} ${(100 * v).toFixed(2)}`)
      .join(', ')}`,
  );
  const { delayMs: d } = mitdb;
  console.log(
    `  delay on mitdb, ms: median ${d.median.toFixed(0)}, p95 ${d.p95.toFixed(0)}, p99 ${d.p99.toFixed(0)}, max ${d.max.toFixed(0)}; ` +
      `over 500 ms: ${(100 * d.overHalfSecond).toFixed(2)} %`,
  );
}

/** Measures everything, prints it and writes `bench/results/beats.json`. */
export async function benchBeats(dataDir: string, projectDir: string): Promise<void> {
  const mitdb = await readBeatRecords(dataDir, 'mitdb');
  const svdb = await readBeatRecords(dataDir, 'svdb');
  const folds = assignFolds([...mitdb, ...svdb]);
  const judges: BeatVerifier[] = [];
  for (let fold = 0; fold < FOLDS; fold++) judges.push(new BeatVerifier(await readFoldWeights(projectDir, fold)));
  const unseen: JudgeOf = (record) => judges[folds.get(recordKey(record))!]!;
  // Lets the compiler settle, so that the first records are not charged for it.
  detectBeats(mitdb[0]!.signals[0]!, mitdb[0]!.rateHz);

  const crossValidated = {
    mitdb: figuresOf(mitdb, unseen),
    svdb: figuresOf(svdb, unseen),
    nstdb: await noiseFigures(dataDir, judges[folds.get('mitdb/118')!]),
    mitdbAtOtherRates: rateFigures(mitdb, unseen),
  };
  const shipped = {
    mitdb: figuresOf(mitdb, () => undefined),
    svdb: figuresOf(svdb, () => undefined),
    nstdb: await noiseFigures(dataDir, undefined),
  };
  const handRule = {
    mitdb: figuresOf(mitdb, () => HAND_RULE),
    svdb: figuresOf(svdb, () => HAND_RULE),
    nstdb: await noiseFigures(dataDir, HAND_RULE),
  };

  printFigures(
    `Cross-validated (${FOLDS} folds by record; each record judged by weights that never saw it, nstdb by weights that never saw 118)`,
    crossValidated.mitdb,
    crossValidated.svdb,
    crossValidated.nstdb,
  );
  const rates = Object.entries(crossValidated.mitdbAtOtherRates);
  console.log(`  mitdb at other rates, F1 150 ms: ${rates.map(([k, v]) => `${k} ${(100 * v).toFixed(3)}`).join(', ')}`);
  printWorst({ mitdb: crossValidated.mitdb, svdb: crossValidated.svdb });
  printFigures(
    'Shipped weights (trained on these very records: no evidence of how well they do on others)',
    shipped.mitdb,
    shipped.svdb,
    shipped.nstdb,
  );
  printFigures('Hand rule in place of the network', handRule.mitdb, handRule.svdb, handRule.nstdb);

  const folder = join(projectDir, 'bench', 'results');
  await mkdir(folder, { recursive: true });
  const results = { measuredAt: new Date().toISOString(), node: process.version, crossValidated, shipped, handRule };
  await writeFile(join(folder, 'beats.json'), `${JSON.stringify(results, null, 1)}\n`);
}

function printWorst(databases: Record<string, DatabaseFigures>): void {
  for (const [name, { perRecord }] of Object.entries(databases)) {
    const worst = Object.entries(perRecord)
      .sort(([, x], [, y]) => y.fp + y.fn - x.fp - x.fn)
      .slice(0, 8)
      .map(([record, { fp, fn }]) => `${record} ${fp}/${fn}`);
    const clean = Object.values(perRecord).filter(({ fp, fn }) => fp + fn === 0).length;
    console.log(
      `  ${name}: no error in ${clean} of ${Object.keys(perRecord).length} records; worst (FP/FN) ${worst.join(', ')}`,
    );
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  await benchBeats(dirname(needDatabase('mitdb')), fileURLToPath(new URL('../../..', import.meta.url)));
}

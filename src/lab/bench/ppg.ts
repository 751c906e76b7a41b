/**
 * The pulse (PPG) detector and its quality gate, measured: `npm run bench:ppg [-- --data DIR --out FILE]`.
 *
 * 1. `wrist` (Jarchi and Casson 2017): wrist pleth against our ECG detector on the chest ECG of the same file, while
 *    walking and cycling. F1 at 150 ms after one fixed delay per record, over everything and over what the gate calls
 *    good. For scale: a metronome at the record's true mean rate, which knows the rate and not one beat; and somebody who
 *    is told the true rate at each moment, sees the whole record and has to find only the pulse's place in the cycle.
 * 2. Simulated hearts at the finger with white noise.
 * 3. Sensors without a finger: no second of it may be called good.
 */
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { parseArgs } from 'node:util';
import { EcgBeatDetector } from '../../signal/ecg/detector.js';
import { dataFolders } from '../data/find.js';
import { handMotion, LAMPS, NO_FINGER, normalOf, type PulseRun, runPulse, simulatedPulse } from './ppg-run.js';
import { bestDelay, f1, matched, within } from './ppg-score.js';
import { toldTheRate } from './ppg-told-rate.js';

const TOLERANCE_MS = 150;
const WRIST_HZ = 256;
const FINGER_HZ = 100;
const FINGER_SECONDS = 120;
/** The detector and the gate learn in this time; nothing is scored in it. */
const LEARN_MS = 8000;

const { values: flags } = parseArgs({
  options: {
    data: { type: 'string', default: dataFolders()[0]! },
    out: { type: 'string', default: 'bench/results/ppg.json' },
  },
});

function wristRecord(file: string) {
  const rows = readFileSync(file, 'utf8').trim().split('\n').slice(1);
  const ecgMs: number[] = [];
  const ppg = new Float64Array(rows.length);
  const detector = new EcgBeatDetector({
    rateHz: WRIST_HZ,
    onBeat: (sample) => ecgMs.push((sample * 1000) / WRIST_HZ),
  });
  for (const [i, row] of rows.entries()) {
    const cells = row.split(',');
    detector.push(Number(cells[1]));
    ppg[i] = Number(cells[2]);
  }
  detector.flush();
  return { ecgMs, ppg };
}

function scoreAgainst(referenceMs: readonly number[], run: PulseRun) {
  const reference = referenceMs.filter((t) => t > LEARN_MS);
  const found = run.beatsMs.filter((t) => t > LEARN_MS);
  const delayMs = bestDelay(reference, found, TOLERANCE_MS);
  const all = matched(reference, found, delayMs, TOLERANCE_MS);
  const goodReference = within(
    reference,
    run.good.map(([from, to]) => [from - delayMs, to - delayMs] as const),
  );
  const goodFound = within(found, run.good);
  return {
    delayMs,
    all: { hits: all, reference: reference.length, found: found.length },
    good: {
      hits: matched(goodReference, goodFound, delayMs, TOLERANCE_MS),
      reference: goodReference.length,
      found: goodFound.length,
    },
    goodShare: run.goodShare,
    reasons: run.reasons,
  };
}

type Score = ReturnType<typeof scoreAgainst>;
const text = (value: number) => value.toFixed(3).padStart(9);
const f1Of = (counts: Score['all']) => f1(counts.hits, counts.reference, counts.found);

function row(name: string, score: Score, extra = '') {
  const { all, good } = score;
  process.stdout.write(
    `${name.padEnd(38)}${text(f1Of(all))}${good.reference ? text(f1Of(good)) : '        -'}${text(score.goodShare)}${String(score.delayMs).padStart(7)}${extra}  ${JSON.stringify(score.reasons)}\n`,
  );
  return { name, f1: f1Of(all), f1Good: good.reference ? f1Of(good) : null, ...score };
}

function head(title: string, extra = '') {
  process.stdout.write(
    `\n${title}\n${''.padEnd(38)}${'F1'.padStart(9)}${'F1 good'.padStart(9)}${'good'.padStart(9)}${'delay'.padStart(7)}${extra}\n`,
  );
}

const runOf = (beatsMs: number[]): PulseRun => ({ beatsMs, delaysMs: [], good: [], goodShare: 0, reasons: {} });

/** Beats of somebody who knows the mean rate and nothing else. */
function metronome(referenceMs: readonly number[]): PulseRun {
  const meanMs = (referenceMs.at(-1)! - referenceMs[0]!) / (referenceMs.length - 1);
  return runOf(referenceMs.map((_, i) => referenceMs[0]! + i * meanMs));
}

function wrist() {
  const folder = join(flags.data, 'wrist');
  let files: string[];
  try {
    files = readdirSync(folder)
      .filter((name) => name.endsWith('.csv'))
      .sort();
  } catch {
    process.stdout.write(`${folder} is not there: the wrist records are left out (set SLOTHD_DATA or --data)\n`);
    return null;
  }
  head('wrist: pleth against the chest ECG, in motion', 'metronome'.padStart(11) + 'told rate'.padStart(11));
  const told = { hits: 0, reference: 0, found: 0 };
  const sums = { all: { hits: 0, reference: 0, found: 0 }, good: { hits: 0, reference: 0, found: 0 } };
  const rows = files.map((file) => {
    const { ecgMs, ppg } = wristRecord(join(folder, file));
    const score = scoreAgainst(ecgMs, runPulse(ppg, WRIST_HZ));
    const blind = f1Of(scoreAgainst(ecgMs, metronome(ecgMs)).all);
    const guided = scoreAgainst(ecgMs, runOf(toldTheRate(ppg, WRIST_HZ, ecgMs))).all;
    for (const key of ['hits', 'reference', 'found'] as const) told[key] += guided[key];
    for (const part of ['all', 'good'] as const)
      for (const key of ['hits', 'reference', 'found'] as const) sums[part][key] += score[part][key];
    return {
      ...row(file, score, text(blind).padStart(11) + text(f1Of(guided)).padStart(11)),
      metronomeF1: blind,
      toldRateF1: f1Of(guided),
    };
  });
  process.stdout.write(
    `${'overall'.padEnd(38)}${text(f1Of(sums.all))}${sums.good.reference ? text(f1Of(sums.good)) : '        -'}${''.padEnd(27)}${text(f1Of(told)).padStart(11)}\n`,
  );
  return {
    rows,
    overall: {
      f1: f1Of(sums.all),
      f1Good: sums.good.reference ? f1Of(sums.good) : null,
      toldRateF1: f1Of(told),
      ...sums,
    },
  };
}

function finger() {
  head('simulated hearts at the finger');
  const hearts: [string, number | undefined][] = [
    ['sinus', 45],
    ['sinus', 70],
    ['sinus', 110],
    ['sinus', 170],
    ['af', undefined],
    ['bigeminy', undefined],
  ];
  return hearts.flatMap(([rhythm, bpm]) =>
    [0, 0.05, 0.1, 0.2].map((noise) => {
      const { samples, beatsMs } = simulatedPulse(rhythm, bpm, FINGER_SECONDS, FINGER_HZ, noise);
      return row(
        `${rhythm}${bpm ? ` ${bpm}` : ''}, noise ${noise * 100} %`,
        scoreAgainst(beatsMs, runPulse(samples, FINGER_HZ)),
      );
    }),
  );
}

function noFinger() {
  process.stdout.write(
    '\nno finger: share of the time called good, and trusted beats (a known hole: lamps at 25 Hz)\n',
  );
  const out: {
    name: string;
    rateHz: number;
    goodShare: number;
    trustedBeats: number;
    reasons: Record<string, number>;
  }[] = [];
  for (const rateHz of [25, 50, 62.5, 100, 200]) {
    const length = Math.round(FINGER_SECONDS * rateHz);
    const sources = Object.entries({ ...NO_FINGER, ...LAMPS }).map(([name, value]) => {
      const normal = normalOf(7);
      return [name, Float64Array.from({ length }, (_, i) => value(i, rateHz, normal))] as const;
    });
    for (const [name, samples] of [...sources, ['a hand that fidgets', handMotion(length, rateHz, 3)] as const]) {
      const run = runPulse(samples, rateHz, { min: 0, max: 4095 });
      const trustedBeats = within(run.beatsMs, run.good).length;
      process.stdout.write(
        `${`${name}, ${rateHz} Hz`.padEnd(50)}${text(run.goodShare)}${String(trustedBeats).padStart(6)}  ${JSON.stringify(run.reasons)}\n`,
      );
      out.push({ name, rateHz, goodShare: run.goodShare, trustedBeats, reasons: run.reasons });
    }
  }
  return out;
}

const results = {
  toleranceMs: TOLERANCE_MS,
  learnMs: LEARN_MS,
  wrist: wrist(),
  finger: finger(),
  noFinger: noFinger(),
};
mkdirSync(dirname(flags.out), { recursive: true });
writeFileSync(flags.out, `${JSON.stringify(results, null, 2)}\n`);
process.stdout.write(`\nwritten to ${flags.out}\n`);

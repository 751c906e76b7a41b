/**
 * What P waves add to the intervals in telling atrial fibrillation: `npm run bench:p-wave [-- --data DIR]`. Strips of
 * cinc2017 (half a minute, hand-held), beats of our own detector; logistic regression on the rhythm features alone, on the
 * features of the P wave alone and on both, 5 folds by strip; AF against normal, and against normal and other rhythms.
 * The P features are those of the beat model, averaged over the strip's beats from the fifth on.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { BeatEcgWindows } from '../../inference/windows/beat-ecg.js';
import { BEAT_ECG_FEATURES } from '../../inference/windows/beat-ecg-features.js';
import { P_WAVE_FEATURES } from '../../inference/windows/p-wave.js';
import { detectBeats } from '../beats/run.js';
import { dataFolders } from '../data/find.js';
import { Random } from '../train/random.js';
import { readRecord } from '../wfdb/index.js';

const { values: flags } = parseArgs({ options: { data: { type: 'string', default: dataFolders()[0]! } } });
const FOLDS = 5;
/** The first beats have no template to be compared with yet. */
const SETTLING_BEATS = 4;
const LEAST_BEATS = 16;

const placesOf = (wanted: (name: string) => boolean) =>
  BEAT_ECG_FEATURES.flatMap((name, i) => (wanted(name) ? [i] : []));
const RHYTHM = placesOf((name) => name.startsWith('rhythm_'));
const P_WAVE = placesOf(
  (name) => (P_WAVE_FEATURES as readonly string[]).includes(name) || /^(p_|own_p_|mean_p_)/.test(name),
);

interface Strip {
  readonly label: string;
  readonly rhythm: number[];
  readonly pWave: number[];
}

async function stripOf(folder: string, name: string, label: string): Promise<Strip | null> {
  const { signals, rateHz } = await readRecord(join(folder, name));
  const { samples } = signals[0]!;
  const beats = detectBeats(samples, rateHz).samples;
  if (beats.length < LEAST_BEATS) return null;
  const rows: Float32Array[] = [];
  const windows = new BeatEcgWindows({ rateHz, onWindow: (_, [, vector]) => rows.push(vector!.slice()) });
  let next = 0;
  samples.forEach((value, i) => {
    windows.push(value);
    for (; next < beats.length && beats[next]! <= i; next++) {
      windows.beat(beats[next]!, next === 0 ? null : ((beats[next]! - beats[next - 1]!) * 1000) / rateHz);
    }
  });
  windows.flush();
  const settled = rows.slice(SETTLING_BEATS);
  const last = settled.at(-1);
  if (!last) return null;
  return {
    label,
    rhythm: RHYTHM.map((at) => last[at]!),
    pWave: P_WAVE.map((at) => settled.reduce((sum, row) => sum + row[at]!, 0) / settled.length),
  };
}

/** Probabilities for the rows that are left out, from a logistic regression on the others (L2, gradient descent). */
function crossValidated(rows: readonly number[][], truth: readonly boolean[], foldOf: readonly number[]): number[] {
  const out = new Array<number>(rows.length).fill(0);
  for (let fold = 0; fold < FOLDS; fold++) {
    const train = rows.flatMap((row, i) => (foldOf[i] === fold ? [] : [{ row, y: truth[i] ? 1 : 0 }]));
    const width = rows[0]!.length;
    const mean = Array.from({ length: width }, (_, k) => train.reduce((s, { row }) => s + row[k]!, 0) / train.length);
    const deviation = mean.map((m, k) =>
      Math.sqrt(train.reduce((s, { row }) => s + (row[k]! - m) ** 2, 0) / train.length + 1e-6),
    );
    const z = (row: readonly number[]) =>
      row.map((value, k) => Math.max(-4, Math.min(4, (value - mean[k]!) / deviation[k]!)));
    const set = train.map(({ row, y }) => ({ x: z(row), y }));
    const weights = new Float64Array(width + 1);
    const score = (x: readonly number[]) =>
      1 / (1 + Math.exp(-(weights[width]! + x.reduce((s, value, k) => s + value * weights[k]!, 0))));
    for (let round = 0; round < 400; round++) {
      const gradient = new Float64Array(width + 1);
      for (const { x, y } of set) {
        const error = score(x) - y;
        for (let k = 0; k < width; k++) gradient[k]! += error * x[k]!;
        gradient[width]! += error;
      }
      for (let k = 0; k <= width; k++) {
        weights[k]! -= 0.3 * (gradient[k]! / set.length + (k < width ? 0.003 * weights[k]! : 0));
      }
    }
    rows.forEach((row, i) => {
      if (foldOf[i] === fold) out[i] = score(z(row));
    });
  }
  return out;
}

/** Area under the curve; then specificity where sensitivity is at least so much. */
function curve(scores: readonly number[], truth: readonly boolean[], sensitivity: number): [number, number] {
  const sick = scores.filter((_, i) => truth[i]).sort((a, b) => a - b);
  const well = scores.filter((_, i) => !truth[i]);
  let pairs = 0;
  for (const w of well) for (const s of sick) pairs += s > w ? 1 : s === w ? 0.5 : 0;
  const threshold = sick[Math.floor((1 - sensitivity) * sick.length)]!;
  return [pairs / (sick.length * well.length), well.filter((w) => w < threshold).length / well.length];
}

const folder = join(flags.data, 'cinc2017');
const strips: Strip[] = [];
for (const line of readFileSync(join(folder, 'REFERENCE.csv'), 'utf8').trim().split('\n')) {
  const [name, label] = line.trim().split(',') as [string, string];
  if (label === '~') continue;
  const strip = await stripOf(folder, name, label);
  if (strip) strips.push(strip);
}
const random = new Random(1);
const foldOf = random.shuffle(strips.map((_, i) => i % FOLDS));
console.log(`${strips.length} strips of cinc2017 with at least ${LEAST_BEATS} beats; ${FOLDS} folds by strip`);
console.log('AF against         | features           | AUC    | Sp at Se 95 %');
for (const [against, labels] of [
  ['normal', ['N', 'A']],
  ['normal and other', ['N', 'O', 'A']],
] as const) {
  const kept = strips.flatMap((strip, i) =>
    (labels as readonly string[]).includes(strip.label) ? [{ strip, fold: foldOf[i]! }] : [],
  );
  const truth = kept.map(({ strip }) => strip.label === 'A');
  for (const [name, rowOf] of [
    ['intervals', (s: Strip) => s.rhythm],
    ['P waves', (s: Strip) => s.pWave],
    ['intervals, P waves', (s: Strip) => [...s.rhythm, ...s.pWave]],
  ] as const) {
    const scores = crossValidated(
      kept.map(({ strip }) => rowOf(strip)),
      truth,
      kept.map(({ fold }) => fold),
    );
    const [auc, specificity] = curve(scores, truth, 0.95);
    console.log(`${against.padEnd(18)} | ${name.padEnd(18)} | ${auc.toFixed(4)} | ${(specificity * 100).toFixed(1)} %`);
  }
}

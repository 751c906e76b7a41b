import type { BeatRecord } from '../../data/beat-records.js';
import { addMatrices, type ClassMatrix, newClassMatrix, reportOf } from '../../evaluation/beat-classes.js';
import { LABELS } from './network.js';

/** A record's beats with what a model said of them. */
export interface ScoredRecord {
  readonly record: BeatRecord;
  /** count x 3, row-major. */
  readonly logits: Float32Array;
}

/** Added to the logits of N, S, V before the largest is taken. */
export type LogitOffsets = readonly [n: number, s: number, v: number];

export const NO_OFFSETS: LogitOffsets = [0, 0, 0];

/** Truth against decision; `only` restricts it to some beats. A beat counts as those of its record that it stands for. */
export function matrixOf(
  { record, logits }: ScoredRecord,
  offsets: LogitOffsets,
  only: (beat: number) => boolean = () => true,
): ClassMatrix {
  const matrix = newClassMatrix();
  for (let beat = 0; beat < record.count; beat++) {
    if (!only(beat)) continue;
    const at = beat * LABELS.length;
    const n = logits[at]! + offsets[0];
    const s = logits[at + 1]! + offsets[1];
    const v = logits[at + 2]! + offsets[2];
    const said = n >= s && n >= v ? 0 : s > v ? 1 : 2;
    const truth = record.classes[beat]!;
    matrix[truth]![said]! += record.standsFor?.[truth] ?? 1;
  }
  return matrix;
}

/**
 * Mean of the F1 of S and of V, on every database apart: neither the database nor the class of most beats decides. A class that
 * a database lacks has no F1 there.
 */
export function composite(scored: readonly ScoredRecord[], offsets: LogitOffsets): number {
  const databases = new Set(scored.map(({ record }) => record.database));
  let sum = 0;
  let judged = 0;
  for (const database of databases) {
    const own = scored.filter(({ record }) => record.database === database);
    const { S, V, has } = reportWith(own, offsets);
    sum += (has.S ? S.f1 : 0) + (has.V ? V.f1 : 0);
    judged += Number(has.S) + Number(has.V);
  }
  return sum / Math.max(1, judged);
}

/** The report of some records, and which classes they have at all: a figure without a beat says nothing. */
function reportWith(scored: readonly ScoredRecord[], offsets: LogitOffsets) {
  const report = reportOf(addMatrices(scored.map((one) => matrixOf(one, offsets))));
  const [N, S, V] = report.matrix.map((row) => row.some((count) => count > 0));
  return { ...report, has: { N: N === true, S: S === true, V: V === true } };
}

/** N beats that are called something else are what a person hears of first: at most one in fifty. */
const LEAST_N_SENSITIVITY = 0.98;

/**
 * What the offsets are chosen by: F1 of S, and the lesser of sensitivity and positive predictivity of V, each on the database
 * where it is worse, and of these the mean. F1 of V is nearly flat in V's offset, and a setting that is happy with one of the
 * databases at the other's cost is happy by chance. A setting that misses more N beats than is bearable on either is out.
 */
export function balance(scored: readonly ScoredRecord[], offsets: LogitOffsets): number {
  let ofS = 1;
  let ofV = 1;
  let ofN = 1;
  for (const database of new Set(scored.map(({ record }) => record.database))) {
    const own = scored.filter(({ record }) => record.database === database);
    const { N, S, V, has } = reportWith(own, offsets);
    if (has.N) ofN = Math.min(ofN, N.sensitivity);
    if (has.S) ofS = Math.min(ofS, S.f1);
    if (has.V) ofV = Math.min(ofV, V.sensitivity, V.positivePredictivity);
  }
  return (ofS + ofV) / 2 - (ofN < LEAST_N_SENSITIVITY ? 1 : 0);
}

/** A grid of quarters (finer would only fit noise), the smallest offsets first. */
const GRID: readonly LogitOffsets[] = Array.from({ length: 11 * 11 }, (_, i): LogitOffsets => {
  return [0, -1.5 + 0.25 * Math.floor(i / 11), -1.5 + 0.25 * (i % 11)];
}).sort(([, s, v], [, s2, v2]) => Math.abs(s) + Math.abs(v) - Math.abs(s2) - Math.abs(v2));

/**
 * The offsets with the best balance; of several that are as good, as with few people many are, the smallest.
 * @param scored validation records: never ones the model was trained on
 */
export function chooseOffsets(scored: readonly ScoredRecord[]): LogitOffsets {
  let best: LogitOffsets = NO_OFFSETS;
  let bestValue = Number.NEGATIVE_INFINITY;
  for (const offsets of GRID) {
    const value = balance(scored, offsets);
    if (value > bestValue + 1e-12) {
      bestValue = value;
      best = offsets;
    }
  }
  return best;
}

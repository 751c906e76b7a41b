import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { readAnnotations, readRecord } from '../wfdb/index.js';

/** Rhythms of vfdb whose waves have a rate of their own: ventricular tachycardia and flutter. */
const RAPID = new Set(['(VT', '(VFL']);
export const WINDOW_S = 4;
/** Left out at both ends of an episode: its marks are set to the second at best. */
const EDGE_S = 1;
/** Cycle lengths looked for: 100 to 350 a minute. */
const SHORTEST_S = 0.17;
const LONGEST_S = 0.6;
/** From this self-likeness on the window has one rate. */
const REGULAR = 0.6;

/** Four seconds of rapid ventricular rhythm with a steady rate. */
export interface RapidWindow {
  readonly fromS: number;
  readonly ratePerMinute: number;
  /** Autocorrelation at that rate. */
  readonly regularity: number;
}

export interface RapidRecord {
  readonly database: 'vfdb';
  readonly name: string;
  readonly rateHz: number;
  readonly signals: readonly Float32Array[];
  /** Rapid episodes as annotated, seconds. */
  readonly episodes: readonly (readonly [fromS: number, toS: number])[];
}

/** Records of vfdb with VT or flutter in them. It has no beat marks: the rate of the waves is the yardstick. */
export async function readRapidRecords(dataDir: string): Promise<RapidRecord[]> {
  const folder = join(dataDir, 'vfdb');
  const names = (await readdir(folder)).filter((file) => file.endsWith('.dat')).map((file) => file.slice(0, -4));
  const records: RapidRecord[] = [];
  for (const name of names.sort()) {
    const { rateHz, signals } = await readRecord(join(folder, name));
    const marks = (await readAnnotations(join(folder, `${name}.atr`))).filter(({ aux }) => aux.startsWith('('));
    const endS = signals[0]!.samples.length / rateHz;
    const episodes = marks.flatMap(({ sample, aux }, i) =>
      RAPID.has(aux) ? [[sample / rateHz, (marks[i + 1]?.sample ?? endS * rateHz) / rateHz] as const] : [],
    );
    if (episodes.length > 0) {
      records.push({ database: 'vfdb', name, rateHz, signals: signals.map(({ samples }) => samples), episodes });
    }
  }
  return records;
}

/** The windows of a lead's rapid episodes in which the waves come evenly, with their rate. */
export function rapidWindows({ episodes, rateHz }: RapidRecord, signal: Float32Array): RapidWindow[] {
  const windows: RapidWindow[] = [];
  for (const [from, to] of episodes) {
    for (let at = from + EDGE_S; at + WINDOW_S <= to - EDGE_S; at += WINDOW_S) {
      const found = rateOf(signal.subarray(Math.round(at * rateHz), Math.round((at + WINDOW_S) * rateHz)), rateHz);
      if (found) windows.push({ fromS: at, ...found });
    }
  }
  return windows;
}

/** Rate of a window's waves by its autocorrelation, or null where it has no single one. */
function rateOf(window: Float32Array, rateHz: number): Omit<RapidWindow, 'fromS'> | null {
  const x = slopes(window, rateHz);
  const longest = Math.round(LONGEST_S * rateHz);
  const r = new Float64Array(longest + 2);
  for (let lag = 1; lag < r.length; lag++) r[lag] = likenessAt(x, lag);
  let best = 0;
  for (let lag = Math.round(SHORTEST_S * rateHz); lag <= longest; lag++) {
    if (r[lag]! >= r[lag - 1]! && r[lag]! > r[lag + 1]! && r[lag]! > best) best = r[lag]!;
  }
  if (best < REGULAR) return null;
  // The shortest cycle that is nearly as good as the best: its multiples are as alike.
  for (let lag = Math.round(SHORTEST_S * rateHz); lag <= longest; lag++) {
    if (r[lag]! >= r[lag - 1]! && r[lag]! > r[lag + 1]! && r[lag]! > 0.85 * best) {
      return { ratePerMinute: (60 * rateHz) / lag, regularity: r[lag]! };
    }
  }
  return null;
}

/** Difference of two running means (40 and 400 ms): no wander, no muscle. */
function slopes(window: Float32Array, rateHz: number): Float64Array {
  const short = runningMean(window, Math.round(0.02 * rateHz));
  const long = runningMean(window, Math.round(0.2 * rateHz));
  return short.map((v, i) => v - long[i]!);
}

function runningMean(x: ArrayLike<number>, reach: number): Float64Array {
  return Float64Array.from({ length: x.length }, (_, i) => {
    const from = Math.max(0, i - reach);
    const to = Math.min(x.length - 1, i + reach);
    let sum = 0;
    for (let k = from; k <= to; k++) sum += x[k]!;
    return sum / (to - from + 1);
  });
}

function likenessAt(x: Float64Array, lag: number): number {
  let both = 0;
  let left = 0;
  let right = 0;
  for (let i = lag; i < x.length; i++) {
    both += x[i]! * x[i - lag]!;
    left += x[i]! * x[i]!;
    right += x[i - lag]! * x[i - lag]!;
  }
  return both / Math.sqrt(left * right || 1);
}

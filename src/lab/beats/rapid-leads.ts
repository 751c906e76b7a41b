import { FrontEnd } from '../../signal/ecg/front-end.js';
import { Lead as DetectorLead } from '../../signal/ecg/lead.js';
import { between, seededRandom, seedOf } from '../random.js';
import { BEAT, NOT_A_BEAT, UNKNOWN } from './labels.js';
import type { Lead } from './leads.js';
import { addNoise, type RecordedNoise } from './noise.js';
import { type RapidRecord, type RapidWindow, rapidWindows, WINDOW_S } from './rapid-rates.js';

/** Shown of each episode at most, with so much before it, and so many episodes of a record: no patient may outweigh the others. */
const LONGEST_S = 60;
const BEFORE_S = 15;
const EPISODES = 8;
/** Its candidates are one in a hundred, and look much like the noise that the others are shown with. */
const WEIGHT = 2;

/** What a wave is worth in the search for the train, and what a wave off the beat costs (times the squared share it is off by). */
const WORTH = 1;
const LEAST_WORTH = 0.3;
const COST_OF_UNEVEN = 12;
const MOST_UNEVEN = 0.4;
const COST_OF_A_HOLE = 4;

/**
 * Ventricular tachycardia and flutter to learn from. vfdb has no beat marks: where the waves have one rate by their autocorrelation, the
 * train of candidates that best keeps that rate is taken for the beats, and what lies between for none; all else is unknown.
 */
export function* rapidLeadsOf(record: RapidRecord, noise: readonly RecordedNoise[], seed: number): Generator<Lead> {
  const random = seededRandom(seedOf(`rapid ${record.name} ${seed}`));
  const { rateHz } = record;
  for (let k = 0; k < EPISODES; k++) {
    const [fromS, toS] = record.episodes[Math.floor(random() * record.episodes.length)]!;
    const startS = between(random, Math.max(0, fromS - BEFORE_S), Math.max(fromS, toS - LONGEST_S));
    const endS = Math.min(toS + 5, startS + BEFORE_S + LONGEST_S);
    const [from, to] = [Math.round(startS * rateHz), Math.round(endS * rateHz)];
    const own = record.signals[k % record.signals.length]!.slice(from, to);
    const other = record.signals[(k + 1) % record.signals.length]!.subarray(from, to);
    // Any view of the two leads is another lead; one in two is shown as it was recorded.
    const angle = k % 4 < 2 ? 0 : between(random, -0.8, 0.8);
    const signal = own.map((v, i) => Math.cos(angle) * v + Math.sin(angle) * other[i]!);
    const piece: RapidRecord = {
      ...record,
      signals: [signal],
      episodes: record.episodes.map(([a, b]) => [Math.max(0, a - startS), Math.min(endS, b) - startS] as const),
    };
    const told = rateHz * (k % 4 < 2 ? 1 : between(random, 0.8, 1.25));
    const labels = labelWaves(signal, rateHz, told, rapidWindows(piece, signal));
    const shown = k % 4 === 3 ? addNoise(signal, rateHz, rangeOf(signal), noise, random).signal : signal;
    yield {
      key: `rapid ${record.name} ${k} ${seed}`,
      form: 'rapid',
      signal: shown,
      rateHz: told,
      labels,
      weight: WEIGHT,
      heavy: null,
    };
  }
}

/** Labels for each native sample, as `labelCandidates` gives them. `toldHz` is the rate the detector is told. */
export function labelWaves(
  signal: Float32Array,
  rateHz: number,
  toldHz: number,
  windows: readonly RapidWindow[],
): Uint8Array {
  const { at, strength, end } = candidatesOf(signal, toldHz);
  const labels = new Uint8Array(end).fill(UNKNOWN);
  for (const stretch of joined(windows)) {
    const from = stretch[0]!.fromS * rateHz;
    const to = (stretch.at(-1)!.fromS + WINDOW_S) * rateHz;
    const inside = at.flatMap((sample, i) => (sample >= from && sample < to ? [i] : []));
    const cycleAt = (sample: number) => {
      const k = Math.floor((sample - from) / (WINDOW_S * rateHz));
      return (60 * rateHz) / stretch[Math.max(0, Math.min(stretch.length - 1, k))]!.ratePerMinute;
    };
    const beats = bestTrain(
      inside.map((i) => at[i]!),
      inside.map((i) => strength[i]!),
      cycleAt,
    );
    beats.forEach((k, b) => {
      const sample = at[inside[k]!]!;
      labels[sample] = BEAT;
      const next = b + 1 < beats.length ? at[inside[beats[b + 1]!]!]! : Number.POSITIVE_INFINITY;
      if (next - sample > (1 + MOST_UNEVEN) * cycleAt(sample)) return;
      for (let between = k + 1; between < beats[b + 1]!; between++) labels[at[inside[between]!]!] = NOT_A_BEAT;
    });
  }
  return labels;
}

/** Windows that follow one another without a break. */
function joined(windows: readonly RapidWindow[]): RapidWindow[][] {
  const out: RapidWindow[][] = [];
  for (const window of windows) {
    const last = out.at(-1)?.at(-1);
    if (last && window.fromS - last.fromS < WINDOW_S + 0.01) out.at(-1)!.push(window);
    else out.push([window]);
  }
  return out;
}

/** Indices of the chain of candidates that is strongest and keeps the cycle best (dynamic programming). */
function bestTrain(at: number[], strength: number[], cycleAt: (sample: number) => number): number[] {
  const usual = Float64Array.from(strength).sort()[strength.length >> 1] ?? 1;
  const score = new Float64Array(at.length);
  const before = new Int32Array(at.length).fill(-1);
  for (let i = 0; i < at.length; i++) {
    const own = Math.max(LEAST_WORTH, WORTH + Math.log(strength[i]! / usual));
    score[i] = own;
    const cycle = cycleAt(at[i]!);
    for (let k = i - 1; k >= 0 && at[i]! - at[k]! < 4 * cycle; k--) {
      const off = (at[i]! - at[k]!) / cycle - 1;
      const cost =
        Math.abs(off) <= MOST_UNEVEN ? COST_OF_UNEVEN * off * off : off > 0 ? COST_OF_A_HOLE : Number.POSITIVE_INFINITY;
      if (score[k]! - cost + own > score[i]!) {
        score[i] = score[k]! - cost + own;
        before[i] = k;
      }
    }
  }
  let best = -1;
  for (let i = 0; i < at.length; i++) if (best < 0 || score[i]! >= score[best]!) best = i;
  const out: number[] = [];
  for (let i = best; i >= 0; i = before[i]!) out.unshift(i);
  return out;
}

/** A lead's candidates, in native samples, with their strength. */
function candidatesOf(signal: Float32Array, toldHz: number): { at: number[]; strength: number[]; end: number } {
  const lead = new DetectorLead(toldHz);
  const front = new FrontEnd();
  const at: number[] = [];
  const strength: number[] = [];
  for (let i = 0; i < signal.length; i++) {
    if (!lead.push(signal[i]!)) continue;
    while (lead.next()) {
      const c = front.push(lead.out);
      if (c < 0) continue;
      at.push(lead.start + Math.round(c * lead.samplesPerStep));
      strength.push(front.peakiness(c));
    }
  }
  return { at, strength, end: signal.length + Math.ceil(64 * lead.samplesPerStep) + 1 };
}

function rangeOf(signal: Float32Array): number {
  const sorted = Float32Array.from(signal).sort();
  const at = (share: number) => sorted[Math.floor(share * (sorted.length - 1))]!;
  return at(0.98) - at(0.02);
}

/** Waves of a whole lead by the same rule: what the detector's count is held against. */
export function wavesOf(record: RapidRecord, signal: Float32Array): number[] {
  const labels = labelWaves(signal, record.rateHz, record.rateHz, rapidWindows(record, signal));
  const waves: number[] = [];
  for (let i = 0; i < labels.length; i++) if (labels[i] === BEAT) waves.push(i);
  return waves;
}

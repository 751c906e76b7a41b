import { seededRandom, seedOf } from '../random.js';
import { recordKey } from './folds.js';
import { qrsHeight } from './noise.js';
import type { BeatRecord } from './records.js';

/** What is done to a record before the detector sees it, and what is scored. */
export interface StressCase {
  readonly title: string;
  /** The lead the detector is shown, and the rate it is told (left out: the true one). */
  change(record: BeatRecord): { readonly signal: Float32Array; readonly toldHz?: number };
  /** Counted time, seconds; left out: the whole record. */
  readonly windows?: readonly (readonly [fromS: number, toS: number])[];
  /** Left out of the case: records it makes no sense for. */
  skips?(record: BeatRecord): boolean;
}

const first = (record: BeatRecord) => record.signals[0]!;

function eachSample(record: BeatRecord, change: (value: number, i: number, height: number) => number): Float32Array {
  const height = qrsHeight(first(record), record.reference);
  return first(record).map((value, i) => change(value, i, height));
}

function sine(title: string, hz: number, heights: number): StressCase {
  return {
    title,
    change: (record) => ({
      signal: eachSample(
        record,
        (v, i, height) => v + heights * height * Math.sin((2 * Math.PI * hz * i) / record.rateHz),
      ),
    }),
  };
}

function middleOf(signal: Float32Array): number {
  return Float32Array.from(signal).sort()[signal.length >> 1]!;
}

const perMinute = (record: BeatRecord) => (60 * record.reference.samples.length * record.rateHz) / first(record).length;

/** The whole record faster or slower, until its mean rate is that many beats a minute. */
function atPace(goal: number): StressCase {
  return {
    title: `played at ${goal} a minute`,
    skips: (record) => record.reference.flutter.length > 0,
    change: (record) => ({ signal: first(record), toldHz: Math.round((record.rateHz * goal) / perMinute(record)) }),
  };
}

const BREAKS_S = [100, 300, 500, 700, 900, 1100, 1300, 1500];
const BREAK_S = 5;

/** Eight times the lead is off for 5 s; scored is a time after each. */
function afterBreak(title: string, heights: number, [fromS, toS]: readonly [number, number]): StressCase {
  return {
    title: `${title} for ${BREAK_S} s: ${fromS} to ${toS} s after`,
    windows: BREAKS_S.map((at) => [at + BREAK_S + fromS, at + BREAK_S + toS] as const),
    change: (record) => {
      const signal = Float32Array.from(first(record));
      const height = qrsHeight(signal, record.reference);
      for (const at of BREAKS_S) {
        const from = Math.round(at * record.rateHz);
        signal.fill(signal[from]! + heights * height, from, from + BREAK_S * record.rateHz);
      }
      return { signal };
    },
  };
}

/** What other devices, placements and hearts do to a lead; nothing of it was looked at in training in this very form. */
export const STRESS_CASES: readonly StressCase[] = [
  { title: 'as recorded', change: (record) => ({ signal: first(record) }) },
  { title: 'upside down', change: (record) => ({ signal: first(record).map((v) => -v) }) },
  { title: 'second lead', change: (record) => ({ signal: record.signals[1] ?? first(record) }) },
  {
    title: 'gain 0.001, offset 0.5',
    change: (record) => ({ signal: first(record).map((v) => v * 1e-3 + 0.5) }),
  },
  {
    title: '6 bits over 4 QRS heights',
    change: (record) => ({
      signal: eachSample(record, (v, _, height) => (Math.round((16 * v) / height) * height) / 16),
    }),
  },
  {
    title: 'clipped at 0.6 QRS heights',
    change: (record) => {
      const middle = middleOf(first(record));
      return {
        signal: eachSample(record, (v, _, height) =>
          Math.max(middle - 0.6 * height, Math.min(middle + 0.6 * height, v)),
        ),
      };
    },
  },
  sine('mains 50 Hz, 0.3 QRS heights', 50, 0.15),
  sine('wander 0.3 Hz, 3 QRS heights', 0.3, 1.5),
  sine('wander 0.8 Hz, 2 QRS heights', 0.8, 1),
  {
    title: 'white noise, RMS 0.1 QRS heights',
    change: (record) => {
      const random = seededRandom(seedOf(recordKey(record)));
      // Uniform: same power as a normal deviate of 0.1.
      return { signal: eachSample(record, (v, _, height) => v + 0.1 * height * Math.sqrt(12) * (random() - 0.5)) };
    },
  },
  atPace(40),
  atPace(150),
  atPace(180),
  atPace(220),
  afterBreak('lead flat', 0, [1, 6]),
  afterBreak('lead flat', 0, [6, 20]),
  afterBreak('lead at the rail', 5, [1, 6]),
  afterBreak('lead at the rail', 5, [6, 20]),
];

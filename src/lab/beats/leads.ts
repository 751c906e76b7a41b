import { between, type Random, seededRandom, seedOf } from '../random.js';
import { recordKey } from './folds.js';
import { labelCandidates } from './labels.js';
import { addNoise, qrsHeight, type RecordedNoise } from './noise.js';
import type { BeatRecord } from './records.js';
import { type Strip, wearOut } from './worn-leads.js';

/** A lead to learn from. */
export interface Lead {
  /** Names record, form and seed: everything random about the lead comes from it. */
  readonly key: string;
  readonly form: 'plain' | 'noisy' | 'mixed' | 'rapid';
  readonly signal: Float32Array;
  /** The rate the detector is told: other than the true one, it scales time. */
  readonly rateHz: number;
  readonly labels: Uint8Array;
  readonly weight: number;
  /** 1 for each sample under heavy noise; null where there is none. */
  readonly heavy: Uint8Array | null;
}

/** What the second mixed lead is shown at, in shares of its speed: hearts at 40 and at 220 a minute are in it. */
const SLOWEST = 0.6;
const FASTEST = 2.4;
const SHORTEST_CYCLE_S = 0.26;
/** From this speed on diastoles are not cut short as well. */
const UNHURRIED_FROM = 1.5;

/** Share of beats in a mixed lead that are shown from another angle, as an aberrant beat would look. */
const ODD_SHARE = 0.08;

/**
 * The forms in which a record is shown: as it is; half of it with noise; and twice half of it as another lead, a mix of its
 * two at a random angle, with some beats from another angle and early, 60 % of them noisy. The first mix runs at 0.8-1.25
 * of its speed, the second at 0.6-2.4 and, in stretches, with its diastoles cut short; both have breaks in which the lead
 * is off or at the rail.
 */
export function* leadsOf(record: BeatRecord, noise: readonly RecordedNoise[], seed: number): Generator<Lead> {
  for (const form of ['plain', 'noisy', 'mixed', 'mixed again'] as const) {
    const key = `${recordKey(record)} ${form} ${seed}`;
    const random = seededRandom(seedOf(key));
    const mixed = form === 'mixed' || form === 'mixed again';
    const speed = speedOf(form, record, random);
    let strip: Strip = { signal: record.signals[0]!, reference: record.reference };
    if (form === 'noisy') strip = halfOf(record, random);
    if (mixed)
      strip = wearOut(mix(halfOf(record, random), random, form === 'mixed again' && speed < UNHURRIED_FROM), random);
    let { signal } = strip;
    const { reference } = strip;
    let heavy: Uint8Array | null = null;
    if (form === 'noisy' || (mixed && random() < 0.6)) {
      ({ signal, heavy } = addNoise(signal, record.rateHz, qrsHeight(signal, reference), noise, random));
    }
    const rateHz = record.rateHz * speed;
    yield {
      key,
      form: mixed ? 'mixed' : form,
      signal,
      rateHz,
      labels: labelCandidates(signal, rateHz, reference),
      heavy,
      weight: form === 'plain' ? 1 : 0.8,
    };
  }
}

/** Half of a record, from anywhere in it: the rest is much alike. */
function halfOf(record: BeatRecord, random: Random): BeatRecord & Strip {
  const { reference, signals } = record;
  const length = signals[0]!.length >> 1;
  const from = Math.floor(random() * length);
  const kept = [...reference.samples.keys()].filter(
    (k) => reference.samples[k]! >= from && reference.samples[k]! < from + length,
  );
  const cut = signals.map((signal) => signal.subarray(from, from + length));
  return {
    ...record,
    signals: cut,
    signal: cut[0]!,
    reference: {
      ...reference,
      samples: Float64Array.from(kept, (k) => reference.samples[k]! - from),
      symbols: kept.map((k) => reference.symbols[k]!),
      flutter: reference.flutter.map(([a, b]) => [Math.max(0, a - from), b - from] as const).filter(([, b]) => b > 0),
    },
  };
}

/** How much faster than it was a record is shown. */
function speedOf(form: 'plain' | 'noisy' | 'mixed' | 'mixed again', record: BeatRecord, random: Random): number {
  if (form === 'mixed') return between(random, 0.8, 1.25);
  if (form !== 'mixed again') return 1;
  const { samples, rateHz } = record.reference;
  const meanCycleS = (samples.at(-1)! - samples[0]!) / (samples.length - 1) / rateHz;
  const fastest = Math.max(1, Math.min(FASTEST, meanCycleS / SHORTEST_CYCLE_S));
  return SLOWEST * (fastest / SLOWEST) ** random();
}

/** A lead between (or beyond) the record's two, both brought to the same QRS height first. */
function mix(record: BeatRecord, random: Random, hurried: boolean): Strip {
  const { reference, rateHz } = record;
  const first = record.signals[0]!;
  const second = record.signals[1] ?? first;
  const scale1 = 1 / qrsHeight(first, reference);
  const scale2 = 1 / qrsHeight(second, reference);
  const seenAt = (angle: number) => {
    const [a, b] = [Math.cos(angle) * scale1, Math.sin(angle) * scale2];
    return (i: number) => a * first[i]! + b * second[i]!;
  };
  const usual = seenAt(between(random, 0, 2 * Math.PI));
  const signal = first.map((_, i) => usual(i));

  const edge = Math.round(0.04 * rateHz);
  const cuts: [from: number, length: number][] = [];
  const { samples } = reference;
  let hurry = 0;
  let calm = 0;
  for (let b = 1; b < samples.length; b++) {
    if (hurried && calm-- <= 0) {
      // Stretches of 20 to 150 beats at one shortened cycle, and as long ones without.
      hurry = random() < 0.6 ? between(random, 0.1, 0.55) : 0;
      calm = between(random, 20, 150);
    }
    if (random() >= ODD_SHARE) {
      const interval = samples[b]! - samples[b - 1]!;
      const to = samples[b]! - Math.round(0.14 * rateHz) - edge;
      const room = Math.min(hurry * interval, to - samples[b - 1]! - 0.24 * rateHz);
      if (room > edge) cuts.push([to - Math.round(room), Math.round(room)]);
      continue;
    }
    const beat = samples[b]!;
    const from = Math.max(0, beat - Math.round(0.12 * rateHz));
    const to = Math.min(signal.length - 1, beat + Math.round(0.3 * rateHz));
    const other = seenAt(between(random, 0, 2 * Math.PI));
    const gain = between(random, 0.6, 1.5);
    // Taken about its own start, so that no step comes in.
    const base = signal[from]! - gain * other(from);
    for (let i = from; i <= to; i++) {
      const share = Math.min(1, (i - from) / edge, (to - i) / edge);
      signal[i] = signal[i]! + share * (gain * other(i) + base - signal[i]!);
    }
    const interval = beat - samples[b - 1]!;
    const cut = Math.round(between(random, 0.1, 0.5) * interval);
    const room = from - edge - cut - (samples[b - 1]! + 0.22 * rateHz);
    if (random() < 0.6 && room > 0) cuts.push([from - edge - cut, cut]);
  }
  return cutOut({ signal, reference }, cuts);
}

/** Takes stretches out of a strip, which makes the beat after each come early. Ascending, without beats in them. */
function cutOut({ signal, reference }: Strip, cuts: readonly (readonly [from: number, length: number])[]): Strip {
  const gone = cuts.reduce((sum, [, length]) => sum + length, 0);
  const out = new Float32Array(signal.length - gone);
  const blend = Math.round(0.04 * reference.rateHz);
  let to = 0;
  let from = 0;
  for (const [at, length] of [...cuts, [signal.length, 0] as const]) {
    out.set(signal.subarray(from, at), to);
    to += at - from;
    // Ease from the old course into the new one, so that the joint is no edge.
    if (length > 0) {
      const jump = signal[at - 1]! - signal[at + length]!;
      for (let i = 0; i < blend; i++) {
        signal[at + length + i] = signal[at + length + i]! + jump * (1 - i / blend);
      }
    }
    from = at + length;
  }
  const moved = (sample: number) => {
    let shift = 0;
    for (const [at, length] of cuts) {
      if (at >= sample) break;
      shift += Math.min(length, sample - at);
    }
    return sample - shift;
  };
  return {
    signal: out,
    reference: {
      ...reference,
      samples: reference.samples.map(moved),
      flutter: reference.flutter.map(([a, b]) => [moved(a), moved(b)] as const),
    },
  };
}

import type { ReferenceBeats } from '../evaluation/beat-match.js';
import { between, type Random, seededRandom, seedOf } from '../random.js';
import { recordKey } from './folds.js';
import { labelCandidates } from './labels.js';
import { addNoise, qrsHeight, type RecordedNoise } from './noise.js';
import type { BeatRecord } from './records.js';

/** A lead to learn from. */
export interface Lead {
  /** Names record, form and seed: everything random about the lead comes from it. */
  readonly key: string;
  readonly form: 'plain' | 'noisy' | 'mixed';
  readonly signal: Float32Array;
  /** The rate the detector is told: other than the true one, it scales time. */
  readonly rateHz: number;
  readonly labels: Uint8Array;
  readonly weight: number;
  /** 1 for each sample under heavy noise; null where there is none. */
  readonly heavy: Uint8Array | null;
}

/** A lead with its beats, while it is being made. */
interface Strip {
  readonly signal: Float32Array;
  readonly reference: ReferenceBeats;
}

/** Share of beats in a mixed lead that are shown from another angle, as an aberrant beat would look. */
const ODD_SHARE = 0.08;

/**
 * The forms in which a record is shown: as it is (weight 1); with noise (0.5); and twice as another lead, a mix of its two
 * at a random angle, at 0.8-1.25 of its speed, with some beats from another angle and early, 60 % of them noisy (0.4).
 */
export function* leadsOf(record: BeatRecord, noise: readonly RecordedNoise[], seed: number): Generator<Lead> {
  for (const form of ['plain', 'noisy', 'mixed', 'mixed again'] as const) {
    const key = `${recordKey(record)} ${form} ${seed}`;
    const random = seededRandom(seedOf(key));
    const mixed = form === 'mixed' || form === 'mixed again';
    let { signal, reference }: Strip = mixed
      ? mix(record, random)
      : { signal: record.signals[0]!, reference: record.reference };
    let heavy: Uint8Array | null = null;
    const rateHz = record.rateHz * (mixed ? between(random, 0.8, 1.25) : 1);
    if (form === 'noisy' || (mixed && random() < 0.6)) {
      ({ signal, heavy } = addNoise(signal, record.rateHz, qrsHeight(signal, reference), noise, random));
    }
    yield {
      key,
      form: mixed ? 'mixed' : form,
      signal,
      rateHz,
      labels: labelCandidates(signal, rateHz, reference),
      heavy,
      weight: form === 'plain' ? 1 : form === 'noisy' ? 0.5 : 0.4,
    };
  }
}

/** A lead between (or beyond) the record's two, both brought to the same QRS height first. */
function mix(record: BeatRecord, random: Random): Strip {
  const { reference, rateHz } = record;
  const first = record.signals[0]!;
  const second = record.signals[1] ?? first;
  const scale1 = 1 / qrsHeight(first, reference);
  const scale2 = 1 / qrsHeight(second, reference);
  const at = (angle: number, i: number) => Math.cos(angle) * scale1 * first[i]! + Math.sin(angle) * scale2 * second[i]!;
  const angle = between(random, 0, 2 * Math.PI);
  const signal = first.map((_, i) => at(angle, i));

  const edge = Math.round(0.04 * rateHz);
  const cuts: [from: number, length: number][] = [];
  const { samples } = reference;
  for (let b = 1; b < samples.length; b++) {
    if (random() >= ODD_SHARE) continue;
    const beat = samples[b]!;
    const from = Math.max(0, beat - Math.round(0.12 * rateHz));
    const to = Math.min(signal.length - 1, beat + Math.round(0.3 * rateHz));
    const other = between(random, 0, 2 * Math.PI);
    const gain = between(random, 0.6, 1.5);
    // Taken about its own start, so that no step comes in.
    const base = signal[from]! - gain * at(other, from);
    for (let i = from; i <= to; i++) {
      const share = Math.min(1, (i - from) / edge, (to - i) / edge);
      signal[i] = signal[i]! + share * (gain * at(other, i) + base - signal[i]!);
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

import type { ReferenceBeats } from '../evaluation/beat-match.js';
import { between, type Random } from '../random.js';
import { qrsHeight } from './noise.js';

/** A lead with its beats, while it is being made. */
export interface Strip {
  readonly signal: Float32Array;
  readonly reference: ReferenceBeats;
}

const BROKEN_SHARE = 0.4;
const HUM_SHARE = 0.25;
const CLIPPED_SHARE = 0.15;

/** What electrodes and cheap front ends do to a lead: breaks (flat, at the rail, open), mains hum, clipped peaks. */
export function wearOut(strip: Strip, random: Random): Strip {
  const { signal, reference } = strip;
  const height = qrsHeight(signal, reference);
  const out = Float32Array.from(signal);
  if (random() < HUM_SHARE) hum(out, reference.rateHz, height * between(random, 0.01, 0.15), random);
  if (random() < CLIPPED_SHARE) clip(out, height * between(random, 0.4, 1));
  if (random() >= BROKEN_SHARE) return { signal: out, reference };
  return { signal: out, reference: breakOff(out, reference, height, random) };
}

function hum(signal: Float32Array, rateHz: number, amplitude: number, random: Random): void {
  const perSample = (2 * Math.PI * (random() < 0.5 ? 50 : 60)) / rateHz;
  for (let i = 0; i < signal.length; i++) signal[i] = signal[i]! + amplitude * Math.sin(perSample * i);
}

function clip(signal: Float32Array, reach: number): void {
  const middle = Float32Array.from(signal).sort()[signal.length >> 1]!;
  for (let i = 0; i < signal.length; i++) {
    signal[i] = Math.max(middle - reach, Math.min(middle + reach, signal[i]!));
  }
}

/** Every minute or two the lead is off for 1-8 s. Its beats of that time are gone. */
function breakOff(signal: Float32Array, reference: ReferenceBeats, height: number, random: Random): ReferenceBeats {
  const { rateHz } = reference;
  const breaks: [from: number, to: number][] = [];
  let at = between(random, 5, 90) * rateHz;
  while (at < signal.length - 10 * rateHz) {
    const from = Math.floor(at);
    const to = from + Math.floor(between(random, 1, 8) * rateHz);
    const kind = random();
    const base = signal[from]!;
    const level = kind < 0.4 ? base : base + height * between(random, -8, 8);
    const hiss = kind < 0.75 ? 0 : height * between(random, 0, 0.3);
    for (let i = from; i < to; i++) signal[i] = level + hiss * (random() - 0.5);
    breaks.push([from - 0.06 * rateHz, to + 0.06 * rateHz]);
    at = to + between(random, 40, 120) * rateHz;
  }
  const kept = [...reference.samples.keys()].filter((k) => {
    const sample = reference.samples[k]!;
    return !breaks.some(([from, to]) => sample >= from && sample <= to);
  });
  return {
    ...reference,
    samples: Float64Array.from(kept, (k) => reference.samples[k]!),
    symbols: kept.map((k) => reference.symbols[k]!),
  };
}

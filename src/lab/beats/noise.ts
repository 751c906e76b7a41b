import type { ReferenceBeats } from '../evaluation/beat-match.js';
import { between, type Random } from '../random.js';
import { deviationOf } from '../signal/standardise.js';

/** Recorded noise to train with: muscle (`ma`) and baseline wander (`bw`) of nstdb. Its electrode motion (`em`) is the test. */
export interface RecordedNoise {
  readonly rateHz: number;
  readonly channels: readonly Float32Array[];
}

/** Below this a good part of the beats cannot be told from the noise. */
const HEAVY_BELOW_DB = 3;

/** Typical peak-to-peak height of the QRS complexes, in the lead's unit: the median over the beats of the range within 50 ms. */
export function qrsHeight(signal: Float32Array, reference: ReferenceBeats): number {
  const reach = Math.round(0.05 * reference.rateHz);
  const heights: number[] = [];
  for (const beat of reference.samples) {
    let low = Number.POSITIVE_INFINITY;
    let high = Number.NEGATIVE_INFINITY;
    for (let i = Math.max(0, beat - reach); i <= Math.min(signal.length - 1, beat + reach); i++) {
      const v = signal[i]!;
      if (v < low) low = v;
      if (v > high) high = v;
    }
    if (high > low) heights.push(high - low);
  }
  if (heights.length === 0) return 1;
  return Float64Array.from(heights).sort()[heights.length >> 1]!;
}

/**
 * Adds stretches of noise (15-90 s, with clean stretches as long between them) at signal-to-noise ratios of -3 to 18 dB,
 * counted as WFDB's nst does: signal power is (QRS height)^2 / 8.
 * @returns the noisy lead, and 1 for each sample under heavy noise
 */
export function addNoise(
  signal: Float32Array,
  rateHz: number,
  height: number,
  recorded: readonly RecordedNoise[],
  random: Random,
): { readonly signal: Float32Array; readonly heavy: Uint8Array } {
  const heavy = new Uint8Array(signal.length);
  const out = Float32Array.from(signal);
  let at = Math.floor(between(random, 0, 60) * rateHz);
  while (at < out.length) {
    const length = Math.min(out.length - at, Math.floor(between(random, 15, 90) * rateHz));
    const noise = new Float32Array(length);
    const kind = random();
    if (kind < 0.3) addRecorded(noise, rateHz, recorded, random);
    else if (kind < 0.55) addPulses(noise, rateHz, random);
    else if (kind < 0.8) addLowPass(noise, rateHz, random);
    else {
      addPulses(noise, rateHz, random);
      addLowPass(noise, rateHz, random);
      if (random() < 0.5) addRecorded(noise, rateHz, recorded, random);
    }
    const snrDb = between(random, -3, 18);
    if (snrDb < HEAVY_BELOW_DB) heavy.fill(1, at, at + length);
    const wanted = (height / Math.sqrt(8)) * 10 ** (-snrDb / 20);
    const gain = wanted / Math.max(1e-9, deviationOf(noise));
    for (let i = 0; i < length; i++) out[at + i] = out[at + i]! + gain * noise[i]!;
    at += length + Math.floor(between(random, 15, 90) * rateHz);
  }
  return { signal: out, heavy };
}

/** A stretch of recorded noise at unit power, played a little slower or faster. */
function addRecorded(noise: Float32Array, rateHz: number, recorded: readonly RecordedNoise[], random: Random): void {
  const source = recorded[Math.floor(random() * recorded.length)]!;
  const channel = source.channels[Math.floor(random() * source.channels.length)]!;
  const step = (source.rateHz / rateHz) * between(random, 0.8, 1.25);
  const need = noise.length * step + 2;
  const start = between(random, 0, Math.max(1, channel.length - need));
  const piece = new Float32Array(noise.length);
  for (let i = 0; i < noise.length; i++) {
    const position = start + i * step;
    const k = Math.min(channel.length - 2, Math.floor(position));
    piece[i] = channel[k]! + (position - k) * (channel[k + 1]! - channel[k]!);
  }
  addScaled(noise, piece);
}

/** Bumps of 30-280 ms, up or down, steep or slow on either side, at random times: like a shifting electrode. */
function addPulses(noise: Float32Array, rateHz: number, random: Random): void {
  const perSecond = between(random, 0.3, 4);
  const piece = new Float32Array(noise.length);
  let t = 0;
  for (;;) {
    t += -Math.log(1 - random()) / perSecond;
    const at = Math.floor(t * rateHz);
    if (at >= noise.length) break;
    const rise = between(random, 0.015, 0.14) * rateHz;
    const fall = between(random, 0.015, 0.14) * rateHz;
    const size = (random() < 0.5 ? -1 : 1) * between(random, 0.3, 1.5);
    for (let i = 0; i < rise + fall && at + i < noise.length; i++) {
      const phase = i < rise ? (i / rise) * 0.5 : 0.5 + ((i - rise) / fall) * 0.5;
      piece[at + i] = piece[at + i]! + size * Math.sin(Math.PI * phase) ** 2;
    }
  }
  addScaled(noise, piece);
}

/** White noise through two one-pole low passes of 0.5-12 Hz. */
function addLowPass(noise: Float32Array, rateHz: number, random: Random): void {
  const keep = Math.exp((-2 * Math.PI * between(random, 0.5, 12)) / rateHz);
  const piece = new Float32Array(noise.length);
  let once = 0;
  let twice = 0;
  for (let i = 0; i < noise.length; i++) {
    once = keep * once + (1 - keep) * (random() - 0.5);
    twice = keep * twice + (1 - keep) * once;
    piece[i] = twice;
  }
  addScaled(noise, piece);
}

function addScaled(noise: Float32Array, piece: Float32Array): void {
  const scale = 1 / Math.max(1e-9, deviationOf(piece));
  for (let i = 0; i < noise.length; i++) noise[i] = noise[i]! + scale * piece[i]!;
}

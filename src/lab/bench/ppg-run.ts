import { PulseDetector } from '../../signal/ppg/detector.js';
import { PulseQuality } from '../../signal/ppg/quality.js';
import { Heart } from '../../simulator/heart/heart.js';
import { makeScenario } from '../../simulator/scenario.js';
import { seededRandom } from '../random.js';

/** What detector and gate made of one pulse wave; times in ms from its start. */
export interface PulseRun {
  readonly beatsMs: number[];
  readonly delaysMs: number[];
  /** Stretches that the gate called good. */
  readonly good: (readonly [number, number])[];
  readonly goodShare: number;
  /** Why it was not good, each with its share of the time. */
  readonly reasons: Record<string, number>;
}

/** Plays samples through the detector and the gate, as the daemon does. */
export function runPulse(samples: Float64Array, rateHz: number, range?: { min: number; max: number }): PulseRun {
  const beatsMs: number[] = [];
  const delaysMs: number[] = [];
  const good: [number, number][] = [];
  const spent = new Map<string, number>();
  let state = 'none';
  let word = 'starting';
  let since = 0;
  const close = (tMs: number) => {
    if (state === 'good') good.push([since, tMs]);
    else spent.set(word, (spent.get(word) ?? 0) + tMs - since);
  };
  const gate = new PulseQuality({
    rateHz,
    range,
    onChange(quality) {
      close(quality.tMs);
      since = quality.tMs;
      state = quality.state;
      word = quality.reasons.join('+') || quality.state;
    },
  });
  const detector = new PulseDetector({
    rateHz,
    onBeat(sample, decidedAt) {
      beatsMs.push((sample * 1000) / rateHz);
      delaysMs.push(((decidedAt - sample) * 1000) / rateHz);
    },
  });
  for (let i = 0; i < samples.length; i++) {
    gate.push(samples[i]!, (i * 1000) / rateHz);
    detector.push(samples[i]!);
  }
  detector.flush();
  const endMs = (samples.length * 1000) / rateHz;
  close(endMs);
  const goodMs = good.reduce((sum, [from, to]) => sum + to - from, 0);
  const reasons = Object.fromEntries([...spent].map(([name, ms]) => [name, Math.round((1000 * ms) / endMs) / 1000]));
  return { beatsMs, delaysMs, good, goodShare: goodMs / endMs, reasons };
}

export interface SimulatedPulse {
  readonly samples: Float64Array;
  /** True R peaks whose pulse reaches the finger, ms. */
  readonly beatsMs: number[];
}

/** A simulated heart's pleth, scaled to counts, with white noise of this share of a pulse's height (RMS). */
export function simulatedPulse(
  rhythm: string,
  bpm: number | undefined,
  seconds: number,
  rateHz: number,
  noise: number,
  seed = 1,
): SimulatedPulse {
  const beatsMs: number[] = [];
  const episode = bpm === undefined ? { rhythm, seconds } : { rhythm, bpm, seconds };
  const heart = new Heart({
    scenario: makeScenario({ episodes: [episode] }),
    seed,
    rateHz,
    waveform: 'ppg',
    onBeat: (beat) => {
      if (beat.pulse >= 0.3) beatsMs.push(beat.tMs);
    },
  });
  const normal = normalOf(seed);
  const samples = new Float64Array(seconds * rateHz);
  for (let i = 0; i < samples.length; i++) {
    heart.step();
    samples[i] = Math.round(2000 + 400 * (heart.value + noise * normal()));
  }
  return { samples, beatsMs };
}

/** Repeatable normally distributed numbers (Box and Muller). */
export function normalOf(seed: number): () => number {
  const random = seededRandom(seed);
  return () => Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random());
}

/** What sensors send with no finger on them; every one of them has been seen taken for 150 to 230 beats a minute. */
export const NO_FINGER: Readonly<Record<string, (i: number, rateHz: number, normal: () => number) => number>> = {
  'white noise': (_i, _rate, normal) => 512 + 40 * normal(),
  'white noise, few steps': (_i, _rate, normal) => Math.round(512 + normal()),
  'mains 50 Hz': (i, rate, normal) => 512 + 150 * Math.sin((2 * Math.PI * 50 * i) / rate) + 3 * normal(),
  'mains 60 Hz': (i, rate, normal) => 512 + 150 * Math.sin((2 * Math.PI * 60 * i) / rate) + 3 * normal(),
  'mains folded to 2.5 Hz (150/min)': (i, rate, normal) =>
    512 + 150 * Math.sin((2 * Math.PI * 2.5 * i) / rate) + 8 * normal(),
  'mains folded to 3.6 Hz (216/min)': (i, rate, normal) =>
    512 + 150 * Math.sin((2 * Math.PI * 3.6 * i) / rate) + 8 * normal(),
  'mains, rectified and clipped': (i, rate) =>
    Math.min(1023, Math.max(0, 512 + 900 * Math.sin((2 * Math.PI * 50.2 * i) / rate))),
};

/** Lamps whose flicker is no sine: folded, it has harmonics as a pulse has. The gate tells them by their evenness, at 25 Hz badly. */
export const LAMPS: typeof NO_FINGER = {
  'lamp flicker folded to 2.2 Hz, ramp': (i, rate, normal) => 512 + 150 * (((2.2 * i) / rate) % 1) + 4 * normal(),
  'lamp flicker folded to 2.2 Hz, dimmer': (i, rate, normal) =>
    512 + (((2.2 * i) / rate) % 1 < 0.3 ? 150 : 0) + 4 * normal(),
  'lamp flicker folded to 2.2 Hz, half waves': (i, rate, normal) =>
    512 + 150 * Math.abs(Math.sin((Math.PI * 2.2 * i) / rate)) + 4 * normal(),
};

/** Noise as a hand makes it: a random walk, 0.5 to 5 Hz, of changing size. */
export function handMotion(length: number, rateHz: number, seed: number): Float64Array {
  const normal = normalOf(seed);
  const samples = new Float64Array(length);
  let fast = 0;
  let slow = 0;
  const pole = Math.exp((-2 * Math.PI * 4) / rateHz);
  const slowPole = Math.exp((-2 * Math.PI * 0.7) / rateHz);
  for (let i = 0; i < length; i++) {
    fast = pole * fast + (1 - pole) * normal();
    slow = slowPole * slow + (1 - slowPole) * normal();
    const size = 1 + 0.7 * Math.sin((2 * Math.PI * i) / (7.3 * rateHz));
    samples[i] = 2000 + 2500 * size * (fast - slow);
  }
  return samples;
}

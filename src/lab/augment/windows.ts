import type { Resumable } from '../train/checkpoint.js';
import { Random } from '../train/random.js';
import type { RecordedNoise } from './recorded-noise.js';

/** How windows of a signal are changed a little, as other sensors, electrodes and rooms would. What is left out is not done. */
export interface WindowAugmentation {
  /** Standard deviation of the logarithm of the gain: 0.15 is about 15 %. */
  readonly gain?: number;
  /** How often the lead is turned upside down, 0 to 1. */
  readonly inversion?: number;
  /** The window is moved by up to this many samples; the ends are held. */
  readonly shift?: number;
  /** Largest amplitude of mains hum (50 or 60 Hz), in the window's unit. */
  readonly mains?: number;
  /** Largest deviation of recorded baseline wander, in the window's unit. */
  readonly baseline?: number;
  /** Largest deviation of recorded muscle noise, in the window's unit. */
  readonly muscle?: number;
}

export interface WindowAugmenterOptions {
  readonly rateHz: number;
  readonly seed: number;
  /** Channels that lie side by side in a window, sample by sample; a disturbance is the same in all. 1 unless told. */
  readonly channels?: number;
  /** Needed for `baseline` and `muscle`: see `loadRecordedNoise`. */
  readonly noise?: RecordedNoise;
}

/**
 * Changes windows at random, the same way each time for the same seed and the same sequence of windows. Its state can be kept
 * in a checkpoint, so that a resumed training goes on with the same noise.
 */
export class WindowAugmenter implements Resumable {
  private readonly random: Random;
  private readonly rateHz: number;
  private readonly channels: number;

  /** @throws RangeError for an option out of its range, noise that is not given, or noise of another rate */
  constructor(
    private readonly wish: WindowAugmentation,
    private readonly options: WindowAugmenterOptions,
  ) {
    const { rateHz, seed, channels = 1, noise } = options;
    for (const [name, value] of Object.entries(wish)) {
      if (!(value >= 0) || (name === 'inversion' && value > 1))
        throw new RangeError(`augmentation: ${name} of ${value}`);
    }
    if ((wish.shift ?? 0) % 1 !== 0) throw new RangeError(`augmentation: a shift of ${wish.shift} samples`);
    if ((wish.baseline || wish.muscle) && !noise) {
      throw new RangeError('augmentation: baseline and muscle need recorded noise: loadRecordedNoise(folder, rateHz)');
    }
    if (noise && noise.rateHz !== rateHz) {
      throw new RangeError(`augmentation: noise at ${noise.rateHz} Hz for windows at ${rateHz} Hz`);
    }
    this.rateHz = rateHz;
    this.channels = channels;
    this.random = new Random(seed);
  }

  save(): unknown {
    return this.random.save();
  }

  restore(saved: unknown): void {
    this.random.restore(saved);
  }

  /** Writes a changed copy of `window` into `out`, which may be part of a batch and must not be `window` itself. */
  apply(window: Float32Array, out: Float32Array): void {
    const { random, wish, rateHz, channels } = this;
    const { gain = 0, inversion = 0, shift = 0, mains = 0, baseline = 0, muscle = 0 } = wish;
    const length = window.length / channels;
    const moved = shift > 0 ? random.below(2 * shift + 1) - shift : 0;
    const factor = (gain > 0 ? Math.exp(gain * random.normal()) : 1) * (random.uniform() < inversion ? -1 : 1);
    for (let i = 0; i < length; i++) {
      const source = channels * Math.min(length - 1, Math.max(0, i + moved));
      for (let c = 0; c < channels; c++) out[channels * i + c] = window[source + c]! * factor;
    }
    const add = (extra: (i: number) => number) => {
      for (let i = 0; i < length; i++) {
        const value = extra(i);
        for (let c = 0; c < channels; c++) out[channels * i + c]! += value;
      }
    };
    if (mains > 0) {
      const level = mains * random.uniform();
      const step = (2 * Math.PI * (random.uniform() < 0.5 ? 50 : 60)) / rateHz;
      const phase = 2 * Math.PI * random.uniform();
      add((i) => level * Math.sin(step * i + phase));
    }
    if (muscle > 0) add(drawNoise(random, this.options.noise!.muscle, length, muscle));
    if (baseline > 0) add(drawNoise(random, this.options.noise!.baseline, length, baseline));
  }
}

/** A stretch of noise from anywhere in any channel, either way up, at a level from 0 up to `most` deviations. */
export function drawNoise(
  random: Random,
  channels: readonly Float32Array[],
  length: number,
  most: number,
): (i: number) => number {
  const channel = channels[random.below(channels.length)]!;
  const from = random.below(Math.max(1, channel.length - length));
  const level = most * random.uniform() * (random.uniform() < 0.5 ? -1 : 1);
  return (i) => level * (channel[from + i] ?? 0);
}

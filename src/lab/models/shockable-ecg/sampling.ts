import {
  heightOf,
  SHOCKABLE_FEATURES,
  SHOCKABLE_SAMPLES,
  ShockableInputs,
  type ShockablePreprocessing,
  standardiseShockable,
} from '../../../inference/windows/shockable-ecg.js';
import { FAST_VT, FIBRILLATION, MIXED, type ShockableRecord, SLOW_VT } from '../../data/shockable-records.js';
import { LabError } from '../../error.js';
import type { Batch } from '../../train/loop.js';
import { Random } from '../../train/random.js';
import { LABELS } from './network.js';
import type { ShockableRecipe } from './recipe.js';

const FEATURE_COUNT = SHOCKABLE_FEATURES.length;

/** A window of a record, by its number. */
interface Place {
  readonly record: ShockableRecord;
  readonly windows: Uint32Array;
  /** Sum of the weights of this place and those before it. */
  readonly upTo: number;
}

/** Draws training windows, disturbed by the recipe: records weigh as the root of what they hold. */
export class ShockableSampler {
  private readonly random: Random;
  private readonly byLabel: Readonly<Record<'vt' | 'vf' | 'other', readonly Place[]>>;
  private readonly inputs = new ShockableInputs();
  private readonly window = new Float64Array(SHOCKABLE_SAMPLES);
  private usual = 0;

  /** @throws LabError where a class has no window */
  constructor(
    records: readonly ShockableRecord[],
    private readonly noise: readonly Float32Array[],
    private readonly recipe: ShockableRecipe,
    seed: number,
  ) {
    this.random = new Random(seed);
    const places = (wanted: (label: number) => boolean): Place[] => {
      let upTo = 0;
      const found = records.flatMap((record): Place[] => {
        const { labels, database } = record;
        const fits = (w: number) => wanted(labels[w]!) && !isNearChange(labels, w, recipe.borderS);
        const windows = Uint32Array.from([...labels.keys()].filter(fits));
        if (windows.length === 0) return [];
        upTo += Math.sqrt(windows.length) * (database === 'svdb' ? recipe.ectopyWeight : 1);
        return [{ record, windows, upTo }];
      });
      if (found.length === 0) throw new LabError('a class has no window to train on');
      return found;
    };
    this.byLabel = {
      vt: places((label) => label === FAST_VT),
      vf: places((label) => label === FIBRILLATION),
      other: places((label) => ![FAST_VT, FIBRILLATION, SLOW_VT, MIXED].includes(label)),
    };
  }

  /**
   * Draws one window.
   * @param disturbed odds that it is stretched, and that noise is added
   * @returns its class; the window is in `window`, its usual height in `usual`
   */
  private draw(disturbed: number): number {
    const { random, recipe, window } = this;
    const { augmentation: a } = recipe;
    const isDisturbed = random.uniform() < disturbed;
    const isShockable = random.uniform() < recipe.shockable;
    const name = isShockable ? (random.uniform() < 0.5 ? 'vt' : 'vf') : 'other';
    if (isDisturbed && !isShockable && random.uniform() < a.pureNoise) {
      window.fill(0);
      this.addNoise(1);
      this.usual = heightOf(window) * Math.exp(a.usual * random.normal());
      return 0;
    }
    const { record, windows } = this.place(this.byLabel[name]);
    const w = windows[random.below(windows.length)]!;
    const end = record.ends[w]!;
    const isStretched = isDisturbed && random.uniform() < a.stretch;
    this.cut(record.signal, end, isStretched ? 0.87 + 0.28 * random.uniform() : 1);
    if (random.uniform() < 0.5) for (let i = 0; i < window.length; i++) window[i] = -window[i]!;
    this.usual = record.usual[w]! * Math.exp(a.usual * random.normal());
    if (isDisturbed && random.uniform() < a.noise) {
      this.addNoise(random.uniform() * (isShockable ? a.noiseOnShockable : a.noiseOnOthers));
    }
    if (random.uniform() < a.fresh) this.usual = heightOf(window);
    return LABELS.indexOf(name);
  }

  private place(places: readonly Place[]): Place {
    const at = this.random.uniform() * places.at(-1)!.upTo;
    return places.find(({ upTo }) => at < upTo) ?? places.at(-1)!;
  }

  /** The window that ends at `end`, played `speed` times as fast. */
  private cut(signal: Float32Array, end: number, speed: number): void {
    const { window } = this;
    const last = SHOCKABLE_SAMPLES - 1;
    for (let i = 0; i < SHOCKABLE_SAMPLES; i++) {
      const position = Math.max(0, end - 1 - (last - i) * speed);
      const k = Math.min(signal.length - 2, Math.floor(position));
      window[i] = signal[k]! + (position - k) * (signal[k + 1]! - signal[k]!);
    }
  }

  /** Adds noise of so many deviations of what is there; of unit size where nothing is. */
  private addNoise(size: number): void {
    const { random, window, noise } = this;
    const channel = noise[random.below(noise.length)]!;
    const from = random.below(channel.length - SHOCKABLE_SAMPLES);
    const piece = channel.subarray(from, from + SHOCKABLE_SAMPLES);
    const own = deviation(window);
    const scale = (size * (own > 0 ? own : 1)) / Math.max(1e-9, deviation(piece));
    const sign = random.uniform() < 0.5 ? -scale : scale;
    for (let i = 0; i < window.length; i++) window[i]! += sign * piece[i]!;
  }

  /** A source of batches of the signal alone, in buffers that are used again. */
  signals(size: number): () => Batch {
    const signals = new Float32Array(size * SHOCKABLE_SAMPLES);
    const batch: Batch = { inputs: [signals], targets: new Float32Array(size * LABELS.length), size };
    return () => {
      batch.targets.fill(0);
      for (let item = 0; item < size; item++) {
        setTarget(batch.targets, item, this.draw(1), this.recipe.ownKind);
        signals.set(this.inputs.writeSignal(this.window, this.usual), item * SHOCKABLE_SAMPLES);
      }
      return batch;
    };
  }

  /** Draws `count` windows once and for all, the share `disturbed` of them augmented; the features are not standardised. */
  pool(count: number, disturbed: number): Pool {
    const signals = new Float32Array(count * SHOCKABLE_SAMPLES);
    const features = new Float32Array(count * FEATURE_COUNT);
    const classes = new Uint8Array(count);
    for (let item = 0; item < count; item++) {
      classes[item] = this.draw(disturbed);
      const [signal, vector] = this.inputs.write(this.window, this.usual);
      signals.set(signal, item * SHOCKABLE_SAMPLES);
      features.set(vector, item * FEATURE_COUNT);
    }
    return { count, signals, features, classes };
  }
}

/** Windows drawn beforehand. */
export interface Pool {
  readonly count: number;
  readonly signals: Float32Array;
  readonly features: Float32Array;
  readonly classes: Uint8Array;
}

/** Mean and deviation of each feature over a pool. */
export function poolConstants({ count, features }: Pool): ShockablePreprocessing {
  const mean = new Array<number>(FEATURE_COUNT).fill(0);
  const square = new Array<number>(FEATURE_COUNT).fill(0);
  for (let i = 0; i < count * FEATURE_COUNT; i++) {
    mean[i % FEATURE_COUNT]! += features[i]! / count;
    square[i % FEATURE_COUNT]! += features[i]! ** 2 / count;
  }
  // Six digits: what the manifest carries is exactly what the training used.
  const round = (value: number) => Number(value.toPrecision(6));
  return {
    featureMean: mean.map(round),
    featureDeviation: square.map((sum, i) => round(Math.max(1e-4, Math.sqrt(Math.max(0, sum - mean[i]! ** 2))))),
  };
}

/** Features of a pool as the model takes them. In place. */
export function standardisePool({ count, features }: Pool, preprocessing: ShockablePreprocessing): void {
  for (let item = 0; item < count; item++) {
    standardiseShockable(features.subarray(item * FEATURE_COUNT, (item + 1) * FEATURE_COUNT), preprocessing);
  }
}

/** Batches out of a pool whose features are standardised already, in buffers that are used again. */
export function poolBatches(
  pool: Pool,
  size: number,
  seed: number,
  half: 'features' | 'both',
  ownKind: number,
): () => Batch {
  const random = new Random(seed);
  const signals = new Float32Array(half === 'both' ? size * SHOCKABLE_SAMPLES : 0);
  const features = new Float32Array(size * FEATURE_COUNT);
  const inputs = half === 'both' ? [signals, features] : [features];
  const batch: Batch = { inputs, targets: new Float32Array(size * LABELS.length), size };
  return () => {
    batch.targets.fill(0);
    for (let item = 0; item < size; item++) {
      const k = random.below(pool.count);
      setTarget(batch.targets, item, pool.classes[k]!, ownKind);
      features.set(pool.features.subarray(k * FEATURE_COUNT, (k + 1) * FEATURE_COUNT), item * FEATURE_COUNT);
      if (half === 'features') continue;
      signals.set(pool.signals.subarray(k * SHOCKABLE_SAMPLES, (k + 1) * SHOCKABLE_SAMPLES), item * SHOCKABLE_SAMPLES);
    }
    return batch;
  };
}

/** Whether a window within so many seconds holds a change of rhythm. */
function isNearChange(labels: Uint8Array, w: number, borderS: number): boolean {
  for (let k = 1; k <= borderS; k++) if (labels[w - k] === MIXED || labels[w + k] === MIXED) return true;
  return false;
}

/** A window's target; the classes of the two shockable kinds stand at 1 and 2. */
function setTarget(targets: Float32Array, item: number, kind: number, ownKind: number): void {
  const from = item * LABELS.length;
  targets[from + kind] = kind === 0 ? 1 : ownKind;
  if (kind !== 0) targets[from + 3 - kind] = 1 - ownKind;
}

function deviation(values: ArrayLike<number>): number {
  let mean = 0;
  for (let i = 0; i < values.length; i++) mean += values[i]! / values.length;
  let square = 0;
  for (let i = 0; i < values.length; i++) square += (values[i]! - mean) ** 2 / values.length;
  return Math.sqrt(square);
}

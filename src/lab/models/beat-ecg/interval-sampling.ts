import { type BeatEcgPreprocessing, limitedFeature } from '../../../inference/windows/beat-ecg.js';
import { INTERVAL_FEATURES } from '../../../inference/windows/beat-ecg-features.js';
import { type BeatRecord, CLASSES, FEATURE_COUNT } from '../../data/beat-records.js';
import type { IntervalRecord } from '../../data/interval-records.js';
import { LabError } from '../../error.js';
import type { Resumable } from '../../train/checkpoint.js';
import type { Batch } from '../../train/loop.js';
import { Random } from '../../train/random.js';
import { LABELS } from './network.js';
import type { BeatEcgRecipe } from './recipe.js';

export type { IntervalRecord } from '../../data/interval-records.js';

const NORMALS = 1 << 16;

/** Beats of one class in one recording: rows of features, all of them or those of the intervals alone. */
interface Pool {
  readonly rows: Float32Array;
  readonly width: number;
  readonly beats: readonly number[];
}

/** A recording with fewer beats of a class says little about it, and its few would be drawn again and again. */
const LEAST_BEATS = 5;

/**
 * Draws beats of which only the intervals are told: of long recordings without a signal (fibrillation in many of them,
 * ectopic beats in all) and of the patients with a signal. Every other feature is nought.
 */
export class IntervalSampler implements Resumable {
  private readonly random: Random;
  /** By class (N, S, V): long recordings, then those with a signal. */
  private readonly pools: readonly (readonly [Pool[], Pool[]])[];
  private readonly batch: Batch;
  private readonly normals: Float32Array;

  /** @param records with standardised features */
  constructor(
    long: readonly IntervalRecord[],
    records: readonly BeatRecord[],
    constants: BeatEcgPreprocessing,
    private readonly recipe: BeatEcgRecipe,
    seed: number,
  ) {
    this.random = new Random(seed + 15_485_863);
    this.normals = Float32Array.from({ length: NORMALS }, () => this.random.normal());
    const ready = long.map((record) => ({ ...record, features: standardisedIntervals(record.features, constants) }));
    this.pools = LABELS.map((label) => {
      const of = (some: readonly { features: Float32Array; classes: Uint8Array }[], width: number) =>
        some
          .map(({ features, classes }): Pool => ({ rows: features, width, beats: beatsOf(classes, label) }))
          .filter(({ beats }) => beats.length >= LEAST_BEATS);
      const pools: [Pool[], Pool[]] = [of(ready, INTERVAL_FEATURES.length), of(records, FEATURE_COUNT)];
      if (pools.every(({ length }) => length === 0))
        throw new LabError(
          `no recording has ${LEAST_BEATS} beats of class ${label} to train the branch of the intervals on`,
        );
      return pools;
    });
    const { batchSize } = recipe;
    this.batch = {
      inputs: [new Float32Array(batchSize * FEATURE_COUNT)],
      targets: new Float32Array(batchSize * LABELS.length),
      size: batchSize,
    };
  }

  save(): unknown {
    return this.random.save();
  }

  restore(saved: unknown): void {
    this.random.restore(saved);
  }

  /** The next batch, in buffers that are used again. */
  next(): Batch {
    const { batch, random, recipe } = this;
    const [n, s] = recipe.classShares;
    const noise = recipe.augmentation.features;
    const vectors = batch.inputs[0]!;
    batch.targets.fill(0);
    for (let item = 0; item < batch.size; item++) {
      const at = random.uniform();
      const label = at < n ? 0 : at < n + s ? 1 : 2;
      const [long, short] = this.pools[label]!;
      const fromLong = short.length === 0 || (long.length > 0 && random.uniform() < recipe.intervals.longShare);
      const pools = fromLong ? long : short;
      const { rows, width, beats } = pools[random.below(pools.length)]!;
      const row = beats[random.below(beats.length)]! * width;
      const drawn = random.below(NORMALS);
      INTERVAL_FEATURES.forEach((feature, i) => {
        const value = rows[row + (fromLong ? i : feature)]!;
        vectors[item * FEATURE_COUNT + feature] = value + noise * this.normals[(drawn + i) % NORMALS]!;
      });
      batch.targets[item * LABELS.length + label] = 1;
    }
    return batch;
  }
}

function beatsOf(classes: Uint8Array, label: (typeof LABELS)[number]): number[] {
  const wanted = CLASSES.indexOf(label);
  const found: number[] = [];
  classes.forEach((index, beat) => {
    if (index === wanted) found.push(beat);
  });
  return found;
}

function standardisedIntervals(rows: Float32Array, constants: BeatEcgPreprocessing): Float32Array {
  const width = INTERVAL_FEATURES.length;
  return rows.map((value, i) => limitedFeature(value, INTERVAL_FEATURES[i % width]!, constants));
}

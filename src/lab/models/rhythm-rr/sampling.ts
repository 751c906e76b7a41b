import { RHYTHM_BEATS, RHYTHM_RR_INPUT_SHAPES, RhythmRrInputs } from '../../../inference/windows/rhythm-rr.js';
import { AF, type RhythmRecord, UNLABELLED } from '../../data/rhythm-records.js';
import { LabError } from '../../error.js';
import type { Resumable } from '../../train/checkpoint.js';
import type { Batch } from '../../train/loop.js';
import { Random } from '../../train/random.js';
import { addEctopy, dither, misdetect } from './augment.js';
import { LABELS } from './network.js';
import type { RhythmRrRecipe } from './recipe.js';

const [[BEATS, CHANNELS], [FEATURES]] = RHYTHM_RR_INPUT_SHAPES;
export const SEQUENCE_VALUES = BEATS * CHANNELS;
export const FEATURE_VALUES = FEATURES;
/** Missed beats make two intervals one: so many more are taken. */
const SPARE = 4;
/** Draws from one record before it is taken as having no window to give. */
const TRIES = 200;

/**
 * What the reference says of the window that ends at interval `end`.
 * @returns null where it is not whole or not wholly labelled; else the share of its beats in fibrillation
 */
export function windowShareAf({ labels, unbroken }: RhythmRecord, end: number): number | null {
  if (end < RHYTHM_BEATS - 1 || unbroken[end]! < RHYTHM_BEATS) return null;
  let af = 0;
  for (let i = end - RHYTHM_BEATS + 1; i <= end; i++) {
    if (labels[i] === UNLABELLED) return null;
    if (labels[i] === AF) af++;
  }
  return af / RHYTHM_BEATS;
}

/** Which half of the network a batch is for. */
export type Half = 'sequence' | 'features' | 'both';

/** Draws training batches: every record with equal odds, any of its windows, disturbed by the recipe. */
export class RhythmSampler implements Resumable {
  private readonly random: Random;
  private readonly records: readonly RhythmRecord[];
  private readonly rr = new Float64Array(RHYTHM_BEATS + SPARE);
  private readonly inputs: RhythmRrInputs;
  private readonly sequences: Float32Array;
  private readonly vectors: Float32Array;
  private readonly batch: Batch;
  private readonly half: Half;

  /**
   * @param preprocessing constants of the features; null leaves them as they are
   * @throws LabError where no record has a window
   */
  constructor(
    records: readonly RhythmRecord[],
    private readonly augmentation: RhythmRrRecipe['augmentation'] | null,
    options: { seed: number; batchSize: number; half: Half; preprocessing: object | null },
  ) {
    const { seed, batchSize, half, preprocessing } = options;
    this.half = half;
    this.random = new Random(seed);
    this.inputs = new RhythmRrInputs(preprocessing ? { ...preprocessing } : undefined);
    this.records = records.filter((record) => this.drawEnd(record) !== null);
    if (this.records.length === 0) throw new LabError('no record has a window of 60 labelled intervals to train on');
    this.sequences = new Float32Array(half === 'features' ? 0 : batchSize * SEQUENCE_VALUES);
    this.vectors = new Float32Array(half === 'sequence' ? 0 : batchSize * FEATURE_VALUES);
    const inputs =
      half === 'both' ? [this.sequences, this.vectors] : half === 'sequence' ? [this.sequences] : [this.vectors];
    this.batch = { inputs, targets: new Float32Array(batchSize * LABELS.length), size: batchSize };
  }

  save(): unknown {
    return this.random.save();
  }

  restore(saved: unknown): void {
    this.random.restore(saved);
  }

  /** The next batch, in buffers that are used again. */
  next(): Batch {
    const { batch, random, records } = this;
    for (let item = 0; item < batch.size; item++) {
      let record: RhythmRecord;
      let end: number | null;
      do {
        record = records[random.below(records.length)]!;
        end = this.drawEnd(record);
      } while (end === null);
      const isAf = windowShareAf(record, end)! > 0.5;
      const intervals = this.intervals(record, end, isAf);
      if (this.half === 'sequence') this.sequences.set(this.inputs.writeSequence(intervals), item * SEQUENCE_VALUES);
      else {
        const [sequence, vector] = this.inputs.write(intervals);
        if (this.half === 'both') this.sequences.set(sequence, item * SEQUENCE_VALUES);
        this.vectors.set(vector, item * FEATURE_VALUES);
      }
      batch.targets[2 * item] = isAf ? 0 : 1;
      batch.targets[2 * item + 1] = isAf ? 1 : 0;
    }
    return batch;
  }

  /** The window's intervals in s, disturbed. */
  private intervals(record: RhythmRecord, end: number, isAf: boolean): Float64Array {
    const { rr, random, augmentation } = this;
    let count = rr.length;
    for (let i = 0; i < count; i++) rr[i] = record.rrMs[end - count + 1 + i]! / 1000;
    if (augmentation) {
      if (!isAf && random.uniform() < augmentation.ectopy) addEctopy(rr, random);
      if (random.uniform() < augmentation.detection) count = misdetect(rr, count, random);
      if (random.uniform() < augmentation.dither) dither(rr, count, random);
    }
    return rr.subarray(count - RHYTHM_BEATS, count);
  }

  private drawEnd(record: RhythmRecord): number | null {
    const { count, unbroken } = record;
    const least = RHYTHM_BEATS + SPARE;
    if (count < least) return null;
    for (let k = 0; k < TRIES; k++) {
      const end = least - 1 + this.random.below(count - least + 1);
      // Unbroken here and where the spare intervals end: unbroken over both.
      if (unbroken[end - SPARE]! >= RHYTHM_BEATS && windowShareAf(record, end) !== null) return end;
    }
    return null;
  }
}

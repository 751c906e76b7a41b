import { BEAT_ECG_INPUT_SHAPES } from '../../../inference/windows/beat-ecg.js';
import { MODEL_RATE_HZ } from '../../../inference/windows/beat-signal.js';
import type { RecordedNoise } from '../../augment/recorded-noise.js';
import { drawNoise } from '../../augment/windows.js';
import { type BeatRecord, CLASSES, FEATURE_COUNT, WINDOW_VALUES } from '../../data/beat-records.js';
import { LabError } from '../../error.js';
import type { Resumable } from '../../train/checkpoint.js';
import type { Batch } from '../../train/loop.js';
import { Random } from '../../train/random.js';
import { LABELS } from './network.js';
import type { BeatEcgRecipe } from './recipe.js';

const [[WINDOW, CHANNELS]] = BEAT_ECG_INPUT_SHAPES;

const NORMALS = 1 << 16;

/** Beats of one class in one record. */
interface Pool {
  readonly record: BeatRecord;
  readonly beats: Uint32Array;
}

/** The records of a database, or of several that count as one, which have a class. */
interface DatabasePools {
  readonly share: number;
  readonly pools: readonly Pool[];
}

/**
 * Draws training batches: a class by its share, a database by its share, then every record that has the class with equal
 * odds and any of its beats; so one patient with two thousand ectopic beats counts as one patient.
 */
export class BeatSampler implements Resumable {
  private readonly random: Random;
  /** By class (N, S, V), then by database, with the share of the beats that come from each. */
  private readonly pools: readonly (readonly DatabasePools[])[];
  private readonly batch: Batch;
  /** Normal numbers, drawn once: a stretch of them from anywhere is noise enough, and drawing took half of a step. */
  private readonly normals: Float32Array;

  /**
   * @param records with standardised features
   * @param recorded noise at the model's rate, where the recipe asks for it
   * @throws LabError where a class has no beats at all
   */
  constructor(
    records: readonly BeatRecord[],
    private readonly recipe: BeatEcgRecipe,
    seed: number,
    private readonly recorded?: RecordedNoise,
  ) {
    const { muscle = 0, baseline = 0 } = recipe.augmentation;
    if ((muscle > 0 || baseline > 0) && !recorded)
      throw new LabError('the recipe asks for recorded noise, and none is given');
    this.random = new Random(seed);
    this.normals = Float32Array.from({ length: NORMALS }, () => this.random.normal());
    this.pools = LABELS.map((label) => {
      // Fusion beats are sampled with the V, with a target of their own.
      const wanted = label === 'V' ? ['V', 'F'] : [label];
      const pools = records.map((record) => ({ record, beats: beatsOf(record, wanted) }));
      const filled = pools.filter(({ beats }) => beats.length > 0);
      if (filled.length === 0) throw new LabError(`no beats of class ${label} to train on`);
      return byDatabase(filled, recipe.svdbShare);
    });
    const { batchSize } = recipe;
    this.batch = {
      inputs: [new Float32Array(batchSize * WINDOW_VALUES), new Float32Array(batchSize * FEATURE_COUNT)],
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
    for (let item = 0; item < batch.size; item++) {
      const label = this.pickLabel();
      const pools = this.pickDatabase(this.pools[label]!);
      const { record, beats } = pools[random.below(pools.length)]!;
      const beat = beats[random.below(beats.length)]!;
      this.fill(item, record, beat);
      const isFusion = CLASSES[record.classes[beat]!] === 'F';
      for (let k = 0; k < LABELS.length; k++) {
        batch.targets[item * LABELS.length + k] = isFusion ? recipe.fusionTarget[k]! : k === label ? 1 : 0;
      }
    }
    return batch;
  }

  private pickDatabase(databases: readonly DatabasePools[]): readonly Pool[] {
    if (databases.length === 1) return databases[0]!.pools;
    let at = this.random.uniform();
    for (const { share, pools } of databases) {
      if (at < share) return pools;
      at -= share;
    }
    return databases.at(-1)!.pools;
  }

  private pickLabel(): number {
    const [n, s] = this.recipe.classShares;
    const at = this.random.uniform();
    return at < n ? 0 : at < n + s ? 1 : 2;
  }

  /** Copies a beat into the batch, changed a little as other sensors and detectors would. */
  private fill(item: number, record: BeatRecord, beat: number): void {
    const { random, batch } = this;
    const {
      shift,
      flip,
      gain,
      noise,
      wander,
      mains = 0,
      muscle = 0,
      baseline = 0,
      features,
    } = this.recipe.augmentation;
    const [windows, vectors] = batch.inputs as [Float32Array, Float32Array];
    const moved = random.below(2 * shift + 1) - shift;
    const factor = Math.exp(gain * random.normal()) * (random.uniform() < flip ? -1 : 1);
    const noiseLevel = noise * random.uniform();
    const wanderLevel = wander * random.normal();
    const wanderTurns = random.uniform();
    const wanderPhase = 2 * Math.PI * random.uniform();
    // Drawn only where asked for: without hum the stream of random numbers, hence the weights, stay as they were.
    const humLevel = mains > 0 ? mains * random.uniform() : 0;
    const humStep = mains > 0 ? (2 * Math.PI * (random.uniform() < 0.5 ? 50 : 60)) / MODEL_RATE_HZ : 0;
    const humPhase = mains > 0 ? 2 * Math.PI * random.uniform() : 0;
    const muscleAt = muscle > 0 ? drawNoise(random, this.recorded!.muscle, WINDOW, muscle) : null;
    const baselineAt = baseline > 0 ? drawNoise(random, this.recorded!.baseline, WINDOW, baseline) : null;
    const { normals } = this;
    const drawn = random.below(NORMALS);
    const from = beat * WINDOW_VALUES;
    const to = item * WINDOW_VALUES;
    for (let i = 0; i < WINDOW; i++) {
      const source = from + CHANNELS * Math.min(WINDOW - 1, Math.max(0, i + moved));
      const extra =
        noiseLevel * normals[(drawn + i) % NORMALS]! +
        wanderLevel * Math.sin((2 * Math.PI * wanderTurns * i) / WINDOW + wanderPhase) +
        humLevel * Math.sin(humStep * i + humPhase) +
        (muscleAt?.(i) ?? 0) +
        (baselineAt?.(i) ?? 0);
      // Disturbances are in the beat, hence also in its difference from the template.
      for (let c = 0; c < CHANNELS; c++) {
        windows[to + CHANNELS * i + c] = record.windows[source + c]! * factor + extra;
      }
    }
    for (let i = 0; i < FEATURE_COUNT; i++) {
      vectors[item * FEATURE_COUNT + i] =
        record.features[beat * FEATURE_COUNT + i]! + features * normals[(drawn + WINDOW + i) % NORMALS]!;
    }
  }
}

/** svdb has a share of its own beside all others; where the recipe gives it none, every database has the same. */
function byDatabase(pools: readonly Pool[], svdbShare: number | null): DatabasePools[] {
  const nameOf = ({ record: { database } }: Pool) => (svdbShare === null || database === 'svdb' ? database : 'others');
  const groups = new Map<string, Pool[]>(svdbShare === null ? [] : [['svdb', []]]);
  for (const pool of pools) groups.set(nameOf(pool), [...(groups.get(nameOf(pool)) ?? []), pool]);
  return [...groups]
    .filter(([, own]) => own.length > 0)
    .map(([name, own], _, all) => ({
      share: svdbShare === null ? 1 / all.length : name === 'svdb' ? svdbShare : 1 - svdbShare,
      pools: own,
    }));
}

function beatsOf({ classes }: BeatRecord, wanted: readonly string[]): Uint32Array {
  const found: number[] = [];
  classes.forEach((index, beat) => {
    if (wanted.includes(CLASSES[index]!)) found.push(beat);
  });
  return Uint32Array.from(found);
}

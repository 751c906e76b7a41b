import { mkdtemp, readFile, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as tf from '@tensorflow/tfjs';
import { beforeAll, describe, expect, it } from 'vitest';
import { INTERVAL_FEATURES } from '../../../src/inference/windows/beat-ecg-features.js';
import { openBackend } from '../../../src/lab/backend.js';
import { type BeatRecord, beatArrays, FEATURE_COUNT } from '../../../src/lab/data/beat-records.js';
import type { IntervalRecord } from '../../../src/lab/data/interval-records.js';
import { MITDB_DS1, MITDB_DS2 } from '../../../src/lab/data/splits.js';
import { loadTraining, saveTraining } from '../../../src/lab/models/beat-ecg/bundle.js';
import { crossValidate } from '../../../src/lab/models/beat-ecg/cross-validate.js';
import { featureConstants, standardised } from '../../../src/lab/models/beat-ecg/data.js';
import { chooseOffsets, composite, matrixOf, NO_OFFSETS } from '../../../src/lab/models/beat-ecg/decide.js';
import { imitated, taught } from '../../../src/lab/models/beat-ecg/distil.js';
import { type Fitted, fitNetwork, fitPruned, score } from '../../../src/lab/models/beat-ecg/fit.js';
import { IntervalSampler } from '../../../src/lab/models/beat-ecg/interval-sampling.js';
import { BEAT_ECG_RECIPE } from '../../../src/lab/models/beat-ecg/recipe.js';
import { BeatSampler } from '../../../src/lab/models/beat-ecg/sampling.js';
import { patientFolds } from '../../../src/lab/models/beat-ecg/split.js';
import { kernelSparsity } from '../../../src/lab/prune/kernel-sparsity.js';
import { Random } from '../../../src/lab/train/random.js';
import { MADE_UP_RATE_HZ, madeUpHeart } from '../../../src/lab/walkthrough/hearts.js';

function heart(database: string, record: string, seed: number): BeatRecord {
  const { signal, beats } = madeUpHeart(seed, 220);
  return { database, record, ...beatArrays(signal, MADE_UP_RATE_HZ, beats), inAf: new Uint8Array(beats.length) };
}

const recipe = { ...BEAT_ECG_RECIPE, epochs: 3, stepsPerEpoch: 16, batchSize: 64 };
const train = [1, 2, 3, 4].map((seed) => heart(seed % 2 ? 'svdb' : 'mitdb', `t${seed}`, seed));
const unseen = [heart('mitdb', 'u1', 11), heart('svdb', 'u2', 12)];
const weights = (model: tf.LayersModel) => model.getWeights().map((weight) => [...weight.dataSync()]);

describe('beat-ecg in the lab', () => {
  let fitted: Fitted;

  beforeAll(async () => {
    await openBackend('wasm');
    fitted = await fitNetwork(train, recipe, 0);
  });

  it('learns hearts it has not seen apart', () => {
    const scored = score(fitted, unseen);
    expect(composite(scored, NO_OFFSETS)).toBeGreaterThan(0.9);
    expect(scored[0]!.logits.length).toBe(3 * unseen[0]!.count);
  });

  it('gives the same weights for the same seed, others for another', async () => {
    const short = { ...recipe, epochs: 1, stepsPerEpoch: 3 };
    const [a, b, c] = await Promise.all([0, 0, 1].map((seed) => fitNetwork(train, short, seed)));
    expect(weights(a!.model)).toEqual(weights(b!.model));
    expect(weights(a!.model)).not.toEqual(weights(c!.model));
  });

  it('comes back from its folder as it was, and says which folder holds none', async () => {
    const folder = join(await mkdtemp(join(tmpdir(), 'slothd-lab-')), 'model');
    await saveTraining(folder, fitted, {
      ...{ model: 'beat-ecg', seed: 0, backend: 'x', sparsity: 0, recipe, trainedOn: [], validation: null },
      ...{ preprocessing: fitted.preprocessing, logitOffsets: [0, 0.25, 0] },
    });
    const loaded = await loadTraining(folder);
    expect(loaded.training.logitOffsets).toEqual([0, 0.25, 0]);
    const before = score(fitted, unseen)[0]!.logits;
    const after = score(loaded.fitted, unseen)[0]!.logits;
    for (const [i, value] of after.entries()) expect(value).toBeCloseTo(before[i]!, 5);
    // A dropout layer of ours is a plain one in the file.
    expect(await readFile(join(folder, 'model.json'), 'utf8')).toMatch(
      /"class_name":"Dropout","config":\{[^}]*"rate":0.3/,
    );
    await expect(loadTraining('/nonexistent')).rejects.toThrow('/nonexistent/training.json');
    await writeFile(join(folder, 'model.json'), '{}');
    await expect(loadTraining(folder)).rejects.toThrow(/model\.json: no layers model/);
  });

  it('prunes while training on, to the sparsity asked for, and still knows its beats', async () => {
    const copy = await fitNetwork(train, recipe, 0);
    expect(kernelSparsity(copy.model)).toBe(0);
    await fitPruned(copy, train, { ...recipe, stepsPerEpoch: 12 }, 0, { sparsity: 0.8 });
    expect(kernelSparsity(copy.model)).toBeGreaterThan(0.795);
    expect(kernelSparsity(copy.model)).toBeLessThan(0.805);
    expect(composite(score(copy, unseen), NO_OFFSETS)).toBeGreaterThan(0.85);
  });
});

describe('the branch of the intervals', () => {
  const random = new Random(5);
  const long: IntervalRecord[] = [0, 1].map((k) => {
    const count = 300;
    const classes = Uint8Array.from({ length: count }, (_, i) => i % 3);
    const width = INTERVAL_FEATURES.length;
    const features = Float32Array.from({ length: count * width }, (_, i) =>
      i % width === 0 ? 3 * classes[Math.floor(i / width)]! + 0.1 * random.normal() : random.normal(),
    );
    return { database: 'ltafdb', record: `l${k}`, count, features, classes };
  });

  it('is trained first, on intervals alone, and then stays as it is', async () => {
    await openBackend('wasm');
    const short = {
      ...recipe,
      epochs: 1,
      stepsPerEpoch: 2,
      intervals: { ...recipe.intervals, epochs: 2, stepsPerEpoch: 4 },
    };
    const kernelOf = ({ model }: Fitted) => model.getLayer('intervals').getWeights()[0]!;
    const [one, more, none] = [
      await fitNetwork(train, short, 0, undefined, { intervals: long }),
      await fitNetwork(train, { ...short, stepsPerEpoch: 5 }, 0, undefined, { intervals: long }),
      await fitNetwork(train, short, 0),
    ];
    const kernel = [...kernelOf(one).dataSync()];
    expect(kernel).toEqual([...kernelOf(more).dataSync()]);
    expect(kernel).not.toEqual([...kernelOf(none).dataSync()]);
    // Features that need an ECG weigh nothing.
    const units = kernelOf(one).shape[1]!;
    for (let i = 0; i < FEATURE_COUNT; i++) {
      const row = kernel.slice(i * units, (i + 1) * units);
      expect(row.every((weight) => weight === 0)).toBe(!INTERVAL_FEATURES.includes(i));
    }
  });

  it('is pruned on those recordings where that is wished, and still gives the rest what it gave', async () => {
    await openBackend('wasm');
    const short = {
      ...recipe,
      epochs: 1,
      stepsPerEpoch: 2,
      intervals: { ...recipe.intervals, epochs: 6, stepsPerEpoch: 20, peakLearningRate: 3e-3 },
    };
    const one = await fitNetwork(train, short, 0, undefined, { intervals: long });
    const layer = one.model.getLayer('intervals');
    const before = [...layer.getWeights()[0]!.dataSync()];
    const wish = { sparsity: 0.5, layers: { intervals: 0.8 }, levels: 8, teacher: 0.7 };
    await fitPruned(one, train, short, 0, wish, undefined, { intervals: long });
    const after = [...layer.getWeights()[0]!.dataSync()];
    const zeros = (values: number[]) => values.filter((value) => value === 0).length / values.length;
    expect(zeros(before)).toBeLessThan(0.6);
    expect(zeros(after)).toBeGreaterThanOrEqual(0.799);
    expect(layer.trainable).toBe(false);
    const units = layer.getWeights()[0]!.shape[1]!;
    const column = (unit: number) => after.filter((value, i) => i % units === unit && value !== 0).map(Math.abs);
    for (let unit = 0; unit < units; unit++) expect(new Set(column(unit)).size).toBeLessThanOrEqual(8);
    // Left alone where nothing is wished of it.
    const other = await fitNetwork(train, short, 0, undefined, { intervals: long });
    await fitPruned(other, train, short, 0, { sparsity: 0.5 }, undefined, { intervals: long });
    expect([...other.model.getLayer('intervals').getWeights()[0]!.dataSync()]).toEqual(before);
  });

  it('draws beats of both kinds of recording, every feature but the intervals nought', () => {
    const constants = featureConstants(train);
    const settings = { ...recipe, batchSize: 600 };
    const { inputs, targets } = new IntervalSampler(
      long,
      standardised(train, constants),
      constants,
      settings,
      1,
    ).next();
    const [n, s, v] = [0, 1, 2].map((k) => targets.filter((value, i) => i % 3 === k && value === 1).length);
    expect(n! / 600).toBeCloseTo(0.7, 1);
    expect(s! + v!).toBe(600 - n!);
    inputs[0]!.forEach((value, i) => {
      if (!INTERVAL_FEATURES.includes(i % FEATURE_COUNT) && value !== 0)
        throw new Error(`feature ${i % FEATURE_COUNT}`);
    });
  });

  it('folds that a training kept are taken up again by a pruning, others are not', async () => {
    await openBackend('wasm');
    const foldsFolder = await mkdtemp(join(tmpdir(), 'slothd-folds-'));
    const options = { records: train, recipe: { ...recipe, epochs: 1, stepsPerEpoch: 2 }, folds: 2, foldsFolder };
    let epochs = 0;
    const onEpoch = () => {
      epochs++;
    };
    const first = await crossValidate({ ...options, seed: 0, onEpoch });
    expect(epochs).toBe(2);
    const again = await crossValidate({ ...options, seed: 0, onEpoch });
    expect(epochs).toBe(2);
    again.float[0]!.logits.forEach((value, i) => {
      expect(value).toBeCloseTo(first.float[0]!.logits[i]!, 5);
    });
    await crossValidate({ ...options, seed: 1, onEpoch });
    expect(epochs).toBe(4);
  });
});

describe('what beat-ecg is trained on', () => {
  it('the split of de Chazal: 22 records each, none in both, no paced ones', () => {
    expect(MITDB_DS1.length).toBe(22);
    expect(MITDB_DS2.length).toBe(22);
    const both = new Set<string>([...MITDB_DS1, ...MITDB_DS2]);
    expect(both.size).toBe(44);
    for (const paced of ['102', '104', '107', '217']) expect(both.has(paced)).toBe(false);
  });

  it('folds keep each record in one piece and share out both databases', () => {
    const folds = patientFolds(train, 2);
    expect(folds).toEqual([0, 0, 1, 1]);
  });

  it('features are standardised with every record counting the same', () => {
    const constants = featureConstants(train);
    expect(constants.featureMean.length).toBe(FEATURE_COUNT);
    const sums = new Float64Array(FEATURE_COUNT);
    for (const { features, count } of standardised(train, constants)) {
      features.forEach((value, i) => {
        sums[i % FEATURE_COUNT]! += value / count / train.length;
      });
    }
    // Limits at 4 deviations move a mean a little.
    for (const mean of sums) expect(Math.abs(mean)).toBeLessThan(0.1);
  });

  it('batches hold the classes in the shares of the recipe, fusion beats with their own target', () => {
    const settings = { ...BEAT_ECG_RECIPE, batchSize: 4000 };
    const batch = new BeatSampler(standardised(train, featureConstants(train)), settings, 5).next();
    const counts = { N: 0, S: 0, V: 0, F: 0 };
    for (let item = 0; item < batch.size; item++) {
      const [n, s, v] = batch.targets.subarray(3 * item, 3 * item + 3);
      if (n === 1) counts.N++;
      else if (s === 1) counts.S++;
      else if (v === 1) counts.V++;
      else {
        expect([n, s, v]).toEqual([...Float32Array.of(0.7, 0, 0.3)]);
        counts.F++;
      }
    }
    expect(counts.N / batch.size).toBeCloseTo(0.7, 1);
    expect(counts.S / batch.size).toBeCloseTo(0.15, 1);
    expect((counts.V + counts.F) / batch.size).toBeCloseTo(0.15, 1);
    expect(counts.F).toBeGreaterThan(0);
    expect(() => new BeatSampler([{ ...train[0]!, classes: new Uint8Array(train[0]!.count) }], settings, 0)).toThrow(
      'no beats of class S to train on',
    );
  });

  it('mains hum of 50 or 60 Hz is added where asked for, and nothing else changes', () => {
    const still = { shift: 0, flip: 0, gain: 0, noise: 0, wander: 0, features: 0 };
    const drawn = (mains?: number) => {
      const augmentation = { ...still, ...(mains !== undefined && { mains }) };
      const sampler = new BeatSampler(train, { ...BEAT_ECG_RECIPE, batchSize: 1, augmentation }, 3);
      return Array.from(sampler.next().inputs[0]!);
    };
    const plain = drawn();
    expect(drawn(0)).toEqual(plain);
    const hum = drawn(0.3).flatMap((value, i) => (i % 2 === 0 ? [value - plain[i]!] : []));
    expect(Math.max(...hum.map(Math.abs))).toBeLessThanOrEqual(0.3);
    const power = (hz: number) => {
      const turn = (i: number) => (2 * Math.PI * hz * i) / 128;
      const re = hum.reduce((sum, value, i) => sum + value * Math.cos(turn(i)), 0);
      const im = hum.reduce((sum, value, i) => sum + value * Math.sin(turn(i)), 0);
      return (2 * (re ** 2 + im ** 2)) / hum.length;
    };
    const all = hum.reduce((sum, value) => sum + value ** 2, 0);
    expect(all).toBeGreaterThan(0.001);
    expect(Math.max(power(50), power(60)) / all).toBeCloseTo(1, 2);
  });

  it('recorded muscle noise and wander are added where asked for, at any resume the same, and refused where not given', () => {
    const still = { shift: 0, flip: 0, gain: 0, noise: 0, wander: 0, features: 0 };
    const ones = new Float32Array(5000).fill(1);
    const noise = { rateHz: 128, muscle: [ones], baseline: [ones] };
    const sampler = (levels: { muscle?: number; baseline?: number }, given?: typeof noise) =>
      new BeatSampler(train, { ...BEAT_ECG_RECIPE, batchSize: 64, augmentation: { ...still, ...levels } }, 3, given);
    const plain = sampler({}).next().inputs[0]!.slice();
    expect(sampler({}, noise).next().inputs[0]).toEqual(plain);
    const first = sampler({ muscle: 0.2 }, noise);
    const before = first.save();
    const noisy = first.next().inputs[0]!.slice();
    expect(noisy).not.toEqual(plain);
    first.restore(before);
    expect(first.next().inputs[0]).toEqual(noisy);
    expect(sampler({ baseline: 0.2 }, noise).next().inputs[0]).not.toEqual(plain);
    expect(() => sampler({ muscle: 0.2 })).toThrow(/asks for recorded noise/);
  });

  it('a teacher has its share of the targets', () => {
    const input = tf.input({ shape: [2] });
    const teacher = tf.model({ inputs: input, outputs: input });
    const next = () => ({ inputs: [Float32Array.of(0, Math.log(3))], targets: Float32Array.of(1, 0), size: 1 });
    const [first, second] = taught(next, teacher, 0.4)().targets;
    expect(first).toBeCloseTo(0.6 + 0.4 * 0.25, 5);
    expect(second).toBeCloseTo(0.4 * 0.75, 5);
    expect([...imitated(next, teacher)().targets]).toEqual([...next().inputs[0]!]);
  });

  it('offsets move the decision where validation says so', () => {
    const record = unseen[0]!;
    // A model that knows the truth but is too shy to say S.
    const logits = new Float32Array(3 * record.count);
    record.classes.forEach((truth, beat) => {
      logits[3 * beat] = truth === 1 ? 0.6 : 1.2;
      if (truth === 1) logits[3 * beat + 1] = 0.2;
      if (truth === 2) logits[3 * beat + 2] = 2;
    });
    const scored = [{ record, logits }];
    expect(matrixOf(scored[0]!, NO_OFFSETS)[1]![1]).toBe(0);
    const offsets = chooseOffsets(scored);
    expect(matrixOf(scored[0]!, offsets)[1]![1]).toBe(record.classes.filter((truth) => truth === 1).length);
    // But not where that would call many N beats S.
    const costly = logits.map((value, i) => (i % 3 === 0 && record.classes[(i - (i % 3)) / 3] === 0 ? 0.1 : value));
    expect(chooseOffsets([{ record, logits: costly }])[1]).toBeLessThan(0.1);
  });
});

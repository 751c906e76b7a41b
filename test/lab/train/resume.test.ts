import { spawn } from 'node:child_process';
import { mkdtemp, readdir, readFile, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import * as tf from '@tensorflow/tfjs';
import { beforeAll, describe, expect, it } from 'vitest';
import { openBackend } from '../../../src/lab/backend.js';
import { plannedPruner } from '../../../src/lab/prune/plan.js';
import { readCheckpoint } from '../../../src/lab/train/checkpoint.js';
import { Checkpoints } from '../../../src/lab/train/keeper.js';
import { trainModel, type Validation } from '../../../src/lab/train/loop.js';
import { Random } from '../../../src/lab/train/random.js';
import { seedDropout, seededDropout } from '../../../src/lab/train/seeded-dropout.js';
import { SETTINGS, smallNet, smallTraining } from './small-training.mjs';

const lab = { plannedPruner, trainModel, Random, seededDropout };
const CHILD = fileURLToPath(new URL('./killed-child.mjs', import.meta.url));
const folder = () => mkdtemp(join(tmpdir(), 'slothd-resume-'));

/** Runs the child; kills it when it says `killAt`. @returns its lines */
async function run(file: string, killAt?: string): Promise<string[]> {
  const child = spawn(process.execPath, [CHILD, file], { stdio: ['ignore', 'pipe', 'inherit'] });
  const lines: string[] = [];
  for await (const line of createInterface(child.stdout)) {
    if (line === killAt) child.kill('SIGKILL');
    lines.push(line);
  }
  return lines;
}

describe('a training that is killed', () => {
  it('kill -9 in the middle of an epoch, resumed: the very weights of one that was left alone', async () => {
    const dir = await folder();
    const whole = await run(join(dir, 'whole.ckpt'));
    expect(whole.length).toBe(25);

    const file = join(dir, 'killed.ckpt');
    const before = await run(file, 'step 8');
    expect(before.some((line) => line.startsWith('weights'))).toBe(false);
    const kept = (await readCheckpoint(file))!;
    // In the middle of an epoch of six steps, and between two updates of the masks.
    expect(kept.step).toBeGreaterThanOrEqual(8);
    expect(kept.step).toBeLessThan(24);
    const after = await run(file);
    expect(after[0]).toBe(`step ${kept.step}`);
    expect(after.at(-1)).toBe(whole.at(-1));
    // A finished training taken up again has its result at once.
    expect(await run(file)).toEqual([whole.at(-1)]);
    // Nothing half-written stays.
    expect((await readdir(dir)).sort()).toEqual(['killed.ckpt', 'whole.ckpt']);
  });
});

describe('checkpoints and early stopping', () => {
  beforeAll(async () => {
    await openBackend('wasm');
  });

  it('resume at any step gives what an uninterrupted training gives', async () => {
    const { weights } = await smallTraining(lab);
    for (const stopAt of [0, 5, 6, 13, 23]) {
      const checkpoint = { file: join(await folder(), 'one.ckpt'), resume: true, everyMs: 0 };
      const onStep = (step: number) => {
        if (step === stopAt) throw new Error('stopped');
      };
      await expect(smallTraining(lab, { checkpoint, onStep })).rejects.toThrow('stopped');
      expect((await smallTraining(lab, { checkpoint })).weights, `stopped at ${stopAt}`).toEqual(weights);
    }
  });

  it('refuses what is damaged or belongs to another training, and says what to do', async () => {
    const file = join(await folder(), 'one.ckpt');
    const checkpoint = { file, resume: true, key: 'seed 1' };
    await smallTraining(lab, { checkpoint });
    const other = { ...SETTINGS, peakLearningRate: 0.01 };
    await expect(smallTraining(lab, { checkpoint }, other)).rejects.toThrow(
      /one\.ckpt: belongs to a training with other settings; train without --resume to begin anew/,
    );
    await expect(smallTraining(lab, { checkpoint: { ...checkpoint, key: 'seed 2' } })).rejects.toThrow(
      /other settings/,
    );
    const whole = await readFile(file);
    await writeFile(file, whole.subarray(0, whole.length - 3));
    await expect(smallTraining(lab, { checkpoint })).rejects.toThrow(/checkpoint is damaged; delete it/);
    const head = whole.indexOf('"step":') + 7;
    await writeFile(file, Buffer.concat([whole.subarray(0, head), Buffer.from('1'), whole.subarray(head + 1)]));
    await expect(smallTraining(lab, { checkpoint })).rejects.toThrow(/checkpoint is damaged; delete it/);
    await writeFile(file, 'nonsense');
    await expect(smallTraining(lab, { checkpoint })).rejects.toThrow(/is no checkpoint/);
    // Without resume nothing is read.
    await smallTraining(lab, { checkpoint: { ...checkpoint, resume: false } });
  });

  it('a making that does not resume clears what another left', async () => {
    const dir = await folder();
    const first = new Checkpoints(dir, false, 1);
    await first.begin();
    await smallTraining(lab, { checkpoint: first.of('model') });
    await new Checkpoints(dir, true, 1).begin();
    expect(await readdir(join(dir, 'checkpoints'))).toEqual(['model.ckpt']);
    await new Checkpoints(dir, false, 1).begin();
    expect(await readdir(dir)).toEqual([]);
  });

  it('stops when validation gets no better, and keeps the best epoch, also over a kill', async () => {
    const losses = [0.9, 0.5, 0.7, 0.6, 0.4, 0.3];
    const settings = { ...SETTINGS, epochs: 6 };
    const ofEpochs: number[][][] = [];
    const validate =
      (list: number[]) =>
      (model: tf.LayersModel): Validation => {
        ofEpochs.push(model.weights.map((weight) => [...weight.read().dataSync()]));
        return { loss: list.shift()!, accuracy: 0 };
      };
    const stopped = await smallTraining(lab, { validate: validate([...losses]), patience: 2 }, settings);
    expect(stopped).toMatchObject({ stoppedEarly: true, bestEpoch: 2 });
    expect(stopped.history.map(({ validation }) => validation?.loss)).toEqual([0.9, 0.5, 0.7, 0.6]);
    expect(stopped.weights).toEqual(ofEpochs[1]);

    const checkpoint = { file: join(await folder(), 'one.ckpt'), resume: true };
    const list = [...losses];
    const onEpoch = ({ epoch }: { epoch: number }) => {
      if (epoch === 3) throw new Error('stopped');
    };
    const hooks = { validate: validate(list), patience: 2, checkpoint };
    await expect(smallTraining(lab, { ...hooks, onEpoch }, settings)).rejects.toThrow('stopped');
    expect((await smallTraining(lab, hooks, settings)).weights).toEqual(stopped.weights);
    await expect(smallTraining(lab, { patience: 2 })).rejects.toThrow('early stopping needs people to validate on');
  });
});

describe('what cannot be trained', () => {
  beforeAll(async () => {
    await openBackend('wasm');
  });

  it('weights that are no numbers are named', async () => {
    const model = smallNet(lab);
    const [kernel] = model.getLayer('last').getWeights();
    model.getLayer('last').setWeights([kernel!, tf.tensor1d([0, Number.NaN])]);
    await expect(smallTraining(lab, {}, SETTINGS, model)).rejects.toThrow(/weight 'last\/bias' holds NaN at place 1/);
  });

  it('inputs that are no numbers are named, and a loss that runs away', async () => {
    const model = smallNet(lab);
    const inputs = [Float32Array.of(1, 2, 3, 4, 5, 6, Number.NaN, 8)];
    const targets = Float32Array.of(1, 0, 0, 1);
    await expect(trainModel(model, () => ({ inputs, targets, size: 2 }), SETTINGS)).rejects.toThrow(
      /input 0 of item 1 in the batch of step 1 holds NaN/,
    );
    const huge = { inputs: [new Float32Array(8).fill(3e38)], targets, size: 2 };
    await expect(trainModel(model, () => huge, SETTINGS)).rejects.toThrow(
      /training diverged: the loss is .* and the gradient (NaN|Infinity) at step 1 of 24/,
    );
  });
});

describe('what a training leaves behind', () => {
  it('tensors stay flat over 50 epochs; class weights move the decision', async () => {
    await openBackend('wasm');
    const settings = { ...SETTINGS, epochs: 50, stepsPerEpoch: 2 };
    const counts: number[] = [];
    await smallTraining(lab, { onEpoch: () => void counts.push(tf.memory().numTensors) }, settings);
    expect(new Set(counts).size).toBe(1);

    const leaning = async (classWeights: number[]) => {
      const model = smallNet(lab);
      // Inputs that say nothing, as many of one class as of the other: only the weights of the classes can decide.
      const targets = Float32Array.from({ length: 32 }, (_, i) => (i % 4 === 0 || i % 4 === 3 ? 1 : 0));
      const next = () => ({ inputs: [new Float32Array(64)], targets, size: 16 });
      await trainModel(model, next, { ...SETTINGS, epochs: 20, classWeights });
      const [first, second] = (model.predict(tf.zeros([1, 4])) as tf.Tensor).dataSync();
      model.dispose();
      return second! - first!;
    };
    expect(await leaning([1, 4])).toBeGreaterThan(0.5);
    expect(await leaning([4, 1])).toBeLessThan(-0.5);
  });

  it('plain dropout of a model from a file is made repeatable', async () => {
    const make = async (seed: number) => {
      const model = tf.sequential({
        layers: [tf.layers.dropout({ rate: 0.5, inputShape: [100] }), tf.layers.dense({ units: 2 })],
      });
      seedDropout(model, seed);
      const out = tf.tidy(() => [
        ...(model.layers[0]!.apply(tf.ones([1, 100]), { training: true }) as tf.Tensor).dataSync(),
      ]);
      model.dispose();
      return out;
    };
    expect(await make(1)).toEqual(await make(1));
    expect(await make(1)).not.toEqual(await make(2));
    expect((await make(1)).filter((value) => value === 0).length).toBeGreaterThan(25);
  });
});

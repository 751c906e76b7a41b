import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';
import * as tf from '@tensorflow/tfjs';
import { compactModel } from '../../export/index.js';
import { loadTraining } from '../../models/beat-ecg/bundle.js';
import { standardised } from '../../models/beat-ecg/data.js';
import { fitPruned } from '../../models/beat-ecg/fit.js';
import { INPUT_NAMES, type LABELS, OUTPUT_NAME } from '../../models/beat-ecg/network.js';
import { BEAT_ECG_PRUNING, BEAT_ECG_RECIPE } from '../../models/beat-ecg/recipe.js';
import { BeatSampler } from '../../models/beat-ecg/sampling.js';
import { encodeModel, layersModelToOnnx } from '../../onnx/index.js';
import { kernelSparsity } from '../../prune/kernel-sparsity.js';
import { answers } from '../../quantize/index.js';
import { type Split, validationItems } from './split.js';
import { reportFrom } from './variants.js';

const ROOT = resolve(fileURLToPath(import.meta.url), '../../../../..');
const SCRIPT = join(ROOT, 'bench/peers/prune.py');
/** SLOTHD_TFMOT_PYTHON names another environment that has tensorflow_model_optimization. */
const PYTHON = process.env.SLOTHD_TFMOT_PYTHON ?? join(ROOT, 'bench/peers/env/venv/bin/python');
const SPARSITY = 0.8;

export interface PrunedFigures {
  readonly by: string;
  readonly sparsity: number;
  readonly bytes: number;
  readonly gzipBytes: number;
  readonly accuracy: number;
  readonly f1: Readonly<Record<(typeof LABELS)[number], number>>;
  readonly seconds: number;
}

/**
 * Our pruning and tensorflow_model_optimization's of one float model to 80 %: the same batches in the same order, the same
 * schedule and number of steps, judged in the same runtime on the same items. The optimizers differ: AdamW with a one-cycle
 * rate here, Adam with a cosine rate from the same peak there.
 * @param folder of the float training
 * @param workFolder where the files for Python go: 200 MB
 */
export async function comparePruning(
  folder: string,
  workFolder: string,
  split: Split,
): Promise<{ readonly versions: unknown; readonly rows: PrunedFigures[] } | { readonly skipped: string }> {
  if (!existsSync(PYTHON)) {
    return { skipped: 'no Python environment: node bench/peers/setup.mjs --tensorflow makes it' };
  }
  const { fitted } = await loadTraining(folder);
  const { model, preprocessing } = fitted;
  const weights = model.weights.map((weight) => ({ name: weight.originalName, shape: weight.shape, weight }));
  const items = validationItems(split.validation, preprocessing);
  const figures = async (by: string, seconds: number): Promise<PrunedFigures> => {
    const names = { inputNames: [...INPUT_NAMES], outputNames: [OUTPUT_NAME] };
    const onnx = layersModelToOnnx(model, { name: 'beat-ecg', ...names });
    const bytes = encodeModel(compactModel(onnx));
    const { accuracy, N, S, V } = reportFrom(await answers(onnx, items), split);
    const gzipBytes = gzipSync(bytes, { level: 9 }).length;
    const f1 = { N: N.f1, S: S.f1, V: V.f1 };
    return { by, sparsity: kernelSparsity(model), bytes: bytes.length, gzipBytes, accuracy, f1, seconds };
  };
  const values = () => weights.map(({ weight }) => Float32Array.from(weight.read().dataSync()));
  const before = values();
  const set = (all: readonly Float32Array[]) => {
    for (const [i, { weight, shape }] of weights.entries()) {
      tf.tidy(() => {
        weight.write(tf.tensor(all[i]!, shape as number[]));
      });
    }
  };

  // The batches of seed 0's pruning, drawn as `fitPruned` draws them.
  const { epochs, peakLearningRate, frequency, begin, end, initialSparsity } = BEAT_ECG_PRUNING;
  const recipe = BEAT_ECG_RECIPE;
  const steps = epochs * recipe.stepsPerEpoch;
  const sampler = new BeatSampler(standardised(split.train, preprocessing), recipe, 7919);
  mkdirSync(workFolder, { recursive: true });
  const drawn = Array.from({ length: steps }, () => {
    const { inputs, targets } = sampler.next();
    return [...inputs, targets].map((part) => part.slice());
  });
  ['batches-0', 'batches-1', 'targets'].forEach((name, i) => {
    writeFileSync(join(workFolder, `${name}.f32`), joined(drawn.map((parts) => parts[i]!)));
  });
  writeFileSync(join(workFolder, 'weights.f32'), joined(before));
  const beginStep = Math.round(begin * steps);
  const setting = {
    ...{ steps, batchSize: recipe.batchSize, learningRate: peakLearningRate, frequency, initialSparsity },
    ...{ labelSmoothing: recipe.labelSmoothing, gradientLimit: recipe.gradientLimit, sparsity: SPARSITY, beginStep },
    endStep: beginStep + frequency * Math.floor((end * steps - beginStep) / frequency),
    inputs: model.inputs.map(({ name, shape }) => [name, shape.slice(1)]),
    weights: weights.map(({ name, shape }) => [name, shape]),
  };
  writeFileSync(join(workFolder, 'setting.json'), JSON.stringify(setting));

  const rows = [await figures('float32', 0)];
  let start = performance.now();
  await fitPruned(fitted, split.train, recipe, 0, { sparsity: SPARSITY });
  rows.push(await figures('slothd', (performance.now() - start) / 1000));
  set(before);
  start = performance.now();
  const { status, stdout, stderr } = spawnSync(PYTHON, [SCRIPT, workFolder], { encoding: 'utf8' });
  if (status !== 0) return { skipped: `${SCRIPT} failed: ${stderr.trim().split('\n').at(-1)}` };
  const pruned = new Float32Array(new Uint8Array(readFileSync(join(workFolder, 'pruned.f32'))).buffer);
  let at = 0;
  const after = before.map(({ length }) => {
    at += length;
    return pruned.slice(at - length, at);
  });
  set(after);
  rows.push(await figures('tensorflow_model_optimization', (performance.now() - start) / 1000));
  model.dispose();
  return { versions: JSON.parse(stdout.trim().split('\n').at(-1)!) as unknown, rows };
}

function joined(parts: readonly Float32Array[]): Uint8Array {
  return Buffer.concat(
    parts.map(({ buffer, byteOffset, byteLength }) => new Uint8Array(buffer, byteOffset, byteLength)),
  );
}

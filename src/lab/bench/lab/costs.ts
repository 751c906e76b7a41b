import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import * as tf from '@tensorflow/tfjs';
import { type BackendName, openBackend } from '../../backend.js';
import { exportBundle, spread } from '../../export/index.js';
import { type Fitted, fitNetwork, fitPruned } from '../../models/beat-ecg/fit.js';
import { INPUT_NAMES, LABELS, OUTPUT_NAME } from '../../models/beat-ecg/network.js';
import { BEAT_ECG_RECIPE } from '../../models/beat-ecg/recipe.js';
import { layersModelToOnnx } from '../../onnx/index.js';
import { kernelSparsity } from '../../prune/kernel-sparsity.js';
import { calibrate, quantizeDynamic, quantizeFloat16, quantizeStatic } from '../../quantize/index.js';
import { calibrationItems, loadSplit, validationItems } from './split.js';
import { reportFrom } from './variants.js';

/** Epochs whose time is told: the first warms up and is left out. */
const TIMED_EPOCHS = 3;
/** Epochs over which memory is watched, and the steps of each: short ones, since it is their number that leaks grow with. */
const WATCHED_EPOCHS = 50;
const WATCHED_STEPS = 8;
/** Epochs in which the runtime's own pools still fill. */
const SETTLING_EPOCHS = 10;

/** What the lab's work on beat-ecg takes on one backend. */
export interface Costs {
  readonly backend: string;
  /** Median of an epoch of the training: 32 steps of 512 beats. */
  readonly epochSeconds: number;
  /** Pruning by 80 % with its fine-tuning, 8 epochs. */
  readonly pruneSeconds: number;
  /** float16, dynamic int8 and static int8 with its calibration. */
  readonly quantizeSeconds: number;
  /** Every variant over the people left out in the shipped runtime, timed, the bundle written. */
  readonly exportSeconds: number;
  readonly memory: {
    readonly epochs: number;
    /** Tensors alive after the first settled epoch and after the last. */
    readonly tensors: readonly [number, number];
    /** Resident megabytes at the same moments, and the slope between, by least squares. */
    readonly rssMb: readonly [number, number];
    readonly rssKbPerEpoch: number;
  };
}

/** Measures in a process of its own, so that memory is that of one backend and of nothing before it. */
export function costsOf(backend: BackendName, dataFolder: string, cacheFolder: string): Costs | null {
  const file = fileURLToPath(import.meta.url);
  const { status, stdout } = spawnSync(process.execPath, ['--expose-gc', file, backend, dataFolder, cacheFolder], {
    ...{ encoding: 'utf8', stdio: ['ignore', 'pipe', 'inherit'], maxBuffer: 1 << 24 },
  });
  return status === 0 ? (JSON.parse(stdout.trim().split('\n').at(-1)!) as Costs) : null;
}

async function measure(backend: BackendName, dataFolder: string, cacheFolder: string): Promise<Costs> {
  const { description } = await openBackend(backend);
  const split = await loadSplit(dataFolder, cacheFolder);

  const seconds: number[] = [];
  const recipe = { ...BEAT_ECG_RECIPE, epochs: TIMED_EPOCHS + 1 };
  const fitted = await fitNetwork(split.train, recipe, 0, (epoch) => void seconds.push(epoch.seconds));
  const [, ...timed] = seconds;
  timed.sort((a, b) => a - b);

  const pruneSeconds = await time(() => fitPruned(fitted, split.train, BEAT_ECG_RECIPE, 0, { sparsity: 0.8 }));
  const { quantizeSeconds, exportSeconds } = await shipping(fitted, split);
  fitted.model.dispose();
  const memory = await watchMemory(split.train);
  return {
    ...{ backend: description, epochSeconds: timed[timed.length >> 1]! },
    ...{ pruneSeconds, quantizeSeconds, exportSeconds, memory },
  };
}

async function shipping({ model, preprocessing }: Fitted, split: Awaited<ReturnType<typeof loadSplit>>) {
  const names = { inputNames: [...INPUT_NAMES], outputNames: [OUTPUT_NAME] };
  const float = layersModelToOnnx(model, { name: 'beat-ecg', ...names });
  let static8 = float;
  let [fp16, dynamic8] = [float, float];
  const quantizeSeconds = await time(async () => {
    const calibration = await calibrate(float, calibrationItems(split.train, preprocessing));
    static8 = quantizeStatic(float, calibration.ranges({ method: 'Percentile', percentile: 99.999 }));
    fp16 = quantizeFloat16(float);
    dynamic8 = quantizeDynamic(float);
  });
  const items = validationItems(split.validation, preprocessing);
  const folder = mkdtempSync(join(tmpdir(), 'slothd-costs-'));
  const sparsity = kernelSparsity(model);
  try {
    const exportSeconds = await time(() =>
      exportBundle({
        outDir: join(folder, 'bundle'),
        ...{ name: 'beat-ecg', task: 'beat-ecg', version: '0.0.0', labels: LABELS },
        ...{ preprocessing: { ...preprocessing }, training: { sparsity }, calibration: {} },
        variants: [
          { id: 'fp32', precision: 'float32', model: float },
          { id: 'fp16', precision: 'float16', model: fp16 },
          { id: 'int8-weights', precision: 'int8-weights', model: dynamic8 },
          { id: 'int8', precision: 'int8', model: static8 },
        ],
        defaultVariant: 'int8',
        golden: spread(items, 4),
        evaluationItems: () => items,
        evaluate: (outputs) => ({ accuracy: reportFrom(outputs, split).accuracy }),
        // The net of a few epochs is not one to be refused for its figures: its time is asked for.
        gate: { minAgreement: 0, maxMetricLoss: 1, maxSlowdown: 10 },
      }),
    );
    return { quantizeSeconds, exportSeconds };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

async function watchMemory(records: Parameters<typeof fitNetwork>[0]): Promise<Costs['memory']> {
  const seen: { tensors: number; rssMb: number }[] = [];
  const recipe = { ...BEAT_ECG_RECIPE, epochs: WATCHED_EPOCHS, stepsPerEpoch: WATCHED_STEPS };
  const { model } = await fitNetwork(records, recipe, 1, () => {
    globalThis.gc?.();
    seen.push({ tensors: tf.memory().numTensors, rssMb: process.memoryUsage.rss() / 1e6 });
  });
  model.dispose();
  const settled = seen.slice(SETTLING_EPOCHS);
  const [first, last] = [settled[0]!, settled.at(-1)!];
  const middle = (settled.length - 1) / 2;
  const mean = settled.reduce((sum, { rssMb }) => sum + rssMb, 0) / settled.length;
  let [over, under] = [0, 0];
  settled.forEach(({ rssMb }, epoch) => {
    over += (epoch - middle) * (rssMb - mean);
    under += (epoch - middle) ** 2;
  });
  return {
    epochs: WATCHED_EPOCHS,
    tensors: [first.tensors, last.tensors],
    rssMb: [first.rssMb, last.rssMb],
    rssKbPerEpoch: (1000 * over) / under,
  };
}

async function time(work: () => Promise<unknown>): Promise<number> {
  const start = performance.now();
  await work();
  return (performance.now() - start) / 1000;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const [backend, dataFolder, cacheFolder] = process.argv.slice(2);
  process.stdout.write(`${JSON.stringify(await measure(backend as BackendName, dataFolder!, cacheFolder!))}\n`);
}

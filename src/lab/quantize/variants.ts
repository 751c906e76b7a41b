import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { encodeModel, type OnnxModel } from '../onnx/index.js';
import { calibrate } from './calibrate.js';
import { quantizeDynamic } from './dynamic.js';
import { quantizeFloat16 } from './float16.js';
import type { CalibrationMethod } from './histogram.js';
import type { Items } from './runtime.js';
import { type Evaluate, quantizeWithinLoss } from './sensitivity.js';
import { quantizeStatic } from './static.js';

const FILE = 'quantization.json';

export interface WriteVariantsOptions {
  /** Where `fp32.onnx`, `fp16.onnx`, `int8.onnx`, `int8-weights.onnx` and `quantization.json` go. */
  readonly outFolder: string;
  /** The representative dataset, from training patients. */
  readonly items: Items;
  /** Where the items come from, for the manifest. */
  readonly from: string;
  /** Share of zeros among the model's weights. */
  readonly sparsity: number;
  readonly awareEpochs?: number;
  readonly method?: CalibrationMethod;
  readonly percentile?: number;
  /** Significant bits of the int8 file's scales, where it is to compress well. */
  readonly scaleBits?: number;
  /** Layers that cost too much stay float: chosen on validation patients. */
  readonly within?: WithinLoss;
  onStage?(stage: 'calibrating' | 'quantizing' | 'writing' | 'done', done: number, of: number): void;
}

/** How much int8 may lose, and on whom it is measured. */
export interface WithinLoss {
  /** Largest loss of the metric: 0.005 is half a point. */
  readonly maxLoss: number;
  readonly evaluate: Evaluate;
  /** Which metric, over whom: for the manifest. */
  readonly on: string;
}

/** What `quantization.json` says of a folder of ONNX files. */
export interface Quantization {
  readonly sparsity: number;
  readonly calibration: {
    readonly method: CalibrationMethod;
    readonly percentile: number | null;
    readonly items: number;
    readonly sha256: string;
    readonly from: string;
  };
  /** Where layers were kept float for accuracy's sake. */
  readonly accuracyAware?: {
    readonly maxLoss: number;
    readonly on: string;
    readonly floatNodes: readonly string[];
    readonly floatMetric: number;
    readonly int8Metric: number;
  };
  /** Epochs of quantization-aware fine-tuning before. */
  readonly awareEpochs?: number;
}

/** Writes a float model as ONNX in float32, float16, int8 (static QDQ) and int8 weights, with a word on how. */
export async function writeVariants(fp32: OnnxModel, options: WriteVariantsOptions): Promise<Quantization> {
  const { outFolder, method = 'Percentile', percentile = 99.999, scaleBits, onStage } = options;
  onStage?.('calibrating', 1, 4);
  const calibration = await calibrate(fp32, options.items);
  onStage?.('quantizing', 2, 4);
  const ranges = calibration.ranges({ method, percentile });
  const { within } = options;
  const aware = within && (await quantizeWithinLoss(fp32, ranges, within.evaluate, within.maxLoss));
  const models: Record<string, OnnxModel> = {
    fp32,
    fp16: quantizeFloat16(fp32),
    int8: aware?.model ?? quantizeStatic(fp32, ranges, scaleBits === undefined ? {} : { scaleBits }),
    'int8-weights': quantizeDynamic(fp32),
  };
  onStage?.('writing', 3, 4);
  await mkdir(outFolder, { recursive: true });
  for (const [id, model] of Object.entries(models)) {
    await writeFile(join(outFolder, `${id}.onnx`), encodeModel(model));
  }
  const quantization: Quantization = {
    sparsity: options.sparsity,
    calibration: {
      method,
      percentile: method === 'Percentile' ? percentile : null,
      items: calibration.items,
      sha256: calibration.sha256,
      from: options.from,
    },
    ...(within &&
      aware && {
        accuracyAware: {
          ...{ maxLoss: within.maxLoss, on: within.on, floatNodes: aware.excluded },
          ...{ floatMetric: aware.floatMetric, int8Metric: aware.metric },
        },
      }),
    ...(options.awareEpochs && { awareEpochs: options.awareEpochs }),
  };
  await writeFile(join(outFolder, FILE), `${JSON.stringify(quantization, null, 1)}\n`);
  onStage?.('done', 4, 4);
  return quantization;
}

/** @throws Error naming the folder where `writeVariants` did not write it */
export async function loadQuantization(folder: string): Promise<Quantization> {
  return JSON.parse(await readFile(join(folder, FILE), 'utf8')) as Quantization;
}

import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import * as tf from '@tensorflow/tfjs';
import { openBackend } from '../../backend.js';
import type { BeatRecord } from '../../data/beat-records.js';
import { FEATURE_COUNT, WINDOW_VALUES } from '../../data/beat-records.js';
import { encodeModel, layersModelToOnnx, type OnnxModel } from '../../onnx/index.js';
import {
  type CalibrationMethod,
  calibrate,
  type ModelItem,
  quantizeDynamic,
  quantizeFloat16,
  quantizeStatic,
} from '../../quantize/index.js';
import { loadTraining } from './bundle.js';
import { type BeatEcgDataOptions, loadTrainingRecords, standardised } from './data.js';
import type { LogitOffsets } from './decide.js';
import { INPUT_NAMES, OUTPUT_NAME } from './network.js';
import type { LabProgress } from './train.js';

/** Beats of each training record in the representative dataset, spread evenly over it: rare classes come as they come. */
const CALIBRATION_BEATS_PER_RECORD = 40;

export interface QuantizeBeatEcgOptions extends Omit<BeatEcgDataOptions, 'onProgress'> {
  /** Folder of a training, plain or pruned. */
  readonly modelFolder: string;
  /** Where `fp32.onnx`, `fp16.onnx`, `int8.onnx`, `int8-weights.onnx` and `quantization.json` go. */
  readonly outFolder: string;
  readonly method?: CalibrationMethod;
  readonly percentile?: number;
  onProgress?(progress: LabProgress): void;
}

/** What `quantization.json` says of a folder of ONNX files. */
export interface BeatEcgQuantization {
  readonly sparsity: number;
  readonly calibration: {
    readonly method: CalibrationMethod;
    readonly percentile: number | null;
    readonly items: number;
    readonly sha256: string;
    readonly from: string;
  };
}

/**
 * Writes a trained beat-ecg as ONNX in float32, float16, int8 (static QDQ, calibrated on training patients) and int8
 * weights. The model's own logit offsets are added to the last layer's bias, so that every file decides by itself.
 */
export async function quantizeBeatEcg(options: QuantizeBeatEcgOptions): Promise<BeatEcgQuantization> {
  const { method = 'Percentile', percentile = 99.999, onProgress } = options;
  const say = (stage: string, done: number) => onProgress?.({ stage, done, of: 4 });
  await openBackend('auto');
  const { fitted, training } = await loadTraining(options.modelFolder);
  addToLastBias(fitted.model, training.logitOffsets);
  const fp32 = layersModelToOnnx(fitted.model, {
    name: 'beat-ecg',
    inputNames: [...INPUT_NAMES],
    outputNames: [OUTPUT_NAME],
  });
  fitted.model.dispose();
  say('calibrating', 1);
  const records = standardised(
    await loadTrainingRecords({ dataFolder: options.dataFolder, cacheFolder: options.cacheFolder }),
    training.preprocessing,
  );
  const calibration = await calibrate(fp32, representative(records));
  say('quantizing', 2);
  const models: Record<string, OnnxModel> = {
    fp32,
    fp16: quantizeFloat16(fp32),
    int8: quantizeStatic(fp32, calibration.ranges({ method, percentile })),
    'int8-weights': quantizeDynamic(fp32),
  };
  say('writing', 3);
  await mkdir(options.outFolder, { recursive: true });
  for (const [id, model] of Object.entries(models)) {
    await writeFile(join(options.outFolder, `${id}.onnx`), encodeModel(model));
  }
  const quantization: BeatEcgQuantization = {
    sparsity: training.sparsity,
    calibration: {
      method,
      percentile: method === 'Percentile' ? percentile : null,
      items: calibration.items,
      sha256: calibration.sha256,
      from: `${CALIBRATION_BEATS_PER_RECORD} beats, evenly spread, of each of ${records.length} training records (DS1 and svdb)`,
    },
  };
  await writeFile(join(options.outFolder, 'quantization.json'), `${JSON.stringify(quantization, null, 1)}\n`);
  say('done', 4);
  return quantization;
}

/** @throws Error naming the folder where `quantizeBeatEcg` did not write it */
export async function loadQuantization(folder: string): Promise<BeatEcgQuantization> {
  const file = join(folder, 'quantization.json');
  return JSON.parse(await readFile(file, 'utf8')) as BeatEcgQuantization;
}

/** Items of some records (features standardised), as the model takes them. */
export function* itemsOf(
  records: readonly BeatRecord[],
  every: (record: BeatRecord) => number = () => 1,
): Iterable<ModelItem> {
  for (const record of records) {
    const step = Math.max(1, every(record));
    for (let beat = 0; beat < record.count; beat += step) {
      yield [
        record.windows.subarray(beat * WINDOW_VALUES, (beat + 1) * WINDOW_VALUES),
        record.features.subarray(beat * FEATURE_COUNT, (beat + 1) * FEATURE_COUNT),
      ];
    }
  }
}

function representative(records: readonly BeatRecord[]): Iterable<ModelItem> {
  return itemsOf(records, ({ count }) => Math.floor(count / CALIBRATION_BEATS_PER_RECORD));
}

function addToLastBias(model: tf.LayersModel, offsets: LogitOffsets): void {
  const layer = model.layers.find(({ name }) => name === OUTPUT_NAME) ?? model.layers[model.layers.length - 1]!;
  const [kernel, bias] = layer.getWeights();
  layer.setWeights([kernel!, tf.add(bias!, tf.tensor1d([...offsets]))]);
}

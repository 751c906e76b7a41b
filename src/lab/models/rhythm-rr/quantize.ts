import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { openBackend } from '../../backend.js';
import type { RhythmRecord } from '../../data/rhythm-records.js';
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
import { loadTrainingRecords, type RhythmRrDataOptions } from './data.js';
import { INPUT_NAMES, OUTPUT_NAME } from './network.js';
import { FEATURE_VALUES, SEQUENCE_VALUES } from './sampling.js';
import { type RhythmWindowSet, windowsOf } from './score.js';
import type { LabProgress } from './train.js';

/** Windows of each training record in the representative dataset, spread evenly over it. */
const CALIBRATION_WINDOWS_PER_RECORD = 20;

export interface QuantizeRhythmRrOptions extends Omit<RhythmRrDataOptions, 'onProgress'> {
  /** Folder of a training, plain or pruned. */
  readonly modelFolder: string;
  /** Where `fp32.onnx`, `fp16.onnx`, `int8.onnx`, `int8-weights.onnx` and `quantization.json` go. */
  readonly outFolder: string;
  readonly method?: CalibrationMethod;
  readonly percentile?: number;
  onProgress?(progress: LabProgress): void;
}

/** What `quantization.json` says of a folder of ONNX files. */
export interface RhythmRrQuantization {
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
 * Writes a trained rhythm-rr as ONNX in float32, float16, int8 (static QDQ, calibrated on training patients) and int8
 * weights.
 */
export async function quantizeRhythmRr(options: QuantizeRhythmRrOptions): Promise<RhythmRrQuantization> {
  const { method = 'Percentile', percentile = 99.999, onProgress } = options;
  const say = (stage: string, done: number) => onProgress?.({ stage, done, of: 4 });
  await openBackend('auto');
  const { fitted, training } = await loadTraining(options.modelFolder);
  const fp32 = layersModelToOnnx(fitted.model, {
    name: 'rhythm-rr',
    inputNames: [...INPUT_NAMES],
    outputNames: [OUTPUT_NAME],
  });
  fitted.model.dispose();
  say('calibrating', 1);
  const records = await loadTrainingRecords({ dataFolder: options.dataFolder, cacheFolder: options.cacheFolder });
  const calibration = await calibrate(fp32, representative(records, training.preprocessing));
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
  const quantization: RhythmRrQuantization = {
    sparsity: training.sparsity,
    calibration: {
      method,
      percentile: method === 'Percentile' ? percentile : null,
      items: calibration.items,
      sha256: calibration.sha256,
      from: `${CALIBRATION_WINDOWS_PER_RECORD} windows, evenly spread, of each of ${records.length} training records (ltafdb and nsr2db)`,
    },
  };
  await writeFile(join(options.outFolder, 'quantization.json'), `${JSON.stringify(quantization, null, 1)}\n`);
  say('done', 4);
  return quantization;
}

/** @throws Error naming the folder where `quantizeRhythmRr` did not write it */
export async function loadQuantization(folder: string): Promise<RhythmRrQuantization> {
  const file = join(folder, 'quantization.json');
  return JSON.parse(await readFile(file, 'utf8')) as RhythmRrQuantization;
}

/** Items of a set of windows, as the model takes them. */
export function* itemsOf({ count, sequences, features }: RhythmWindowSet): Iterable<ModelItem> {
  for (let w = 0; w < count; w++) {
    yield [
      sequences.subarray(w * SEQUENCE_VALUES, (w + 1) * SEQUENCE_VALUES),
      features.subarray(w * FEATURE_VALUES, (w + 1) * FEATURE_VALUES),
    ];
  }
}

function* representative(records: readonly RhythmRecord[], preprocessing: object): Iterable<ModelItem> {
  for (const record of records) {
    const everyBeats = Math.max(1, Math.floor(record.count / CALIBRATION_WINDOWS_PER_RECORD));
    yield* itemsOf(windowsOf(record, everyBeats, preprocessing));
  }
}

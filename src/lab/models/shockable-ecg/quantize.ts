import {
  SHOCKABLE_FEATURES,
  SHOCKABLE_SAMPLES,
  type ShockablePreprocessing,
} from '../../../inference/windows/shockable-ecg.js';
import { openBackend } from '../../backend.js';
import type { ShockableRecord } from '../../data/shockable-records.js';
import { layersModelToOnnx } from '../../onnx/index.js';
import type { LabProgress } from '../../progress.js';
import { type CalibrationMethod, type ModelItem, type Quantization, writeVariants } from '../../quantize/index.js';
import { loadTraining } from './bundle.js';
import { loadTrainingData, type ShockableDataOptions } from './data.js';
import { INPUT_NAMES, OUTPUT_NAME } from './network.js';
import { inputsOf } from './score.js';

/** Every so many windows of each training record are in the representative dataset. */
const CALIBRATION_EVERY = 40;

export interface QuantizeShockableOptions extends Omit<ShockableDataOptions, 'onProgress'> {
  /** Folder of a training, plain or pruned. */
  readonly modelFolder: string;
  /** Where `fp32.onnx`, `fp16.onnx`, `int8.onnx`, `int8-weights.onnx` and `quantization.json` go. */
  readonly outFolder: string;
  readonly method?: CalibrationMethod;
  readonly percentile?: number;
  onProgress?(progress: LabProgress): void;
}

/**
 * Writes a trained shockable-ecg as ONNX in float32, float16, int8 (static QDQ, calibrated on training records) and int8
 * weights.
 */
export async function quantizeShockable(options: QuantizeShockableOptions): Promise<Quantization> {
  await openBackend('auto');
  const { fitted, training } = await loadTraining(options.modelFolder);
  const fp32 = layersModelToOnnx(fitted.model, {
    name: 'shockable-ecg',
    inputNames: [...INPUT_NAMES],
    outputNames: [OUTPUT_NAME],
  });
  fitted.model.dispose();
  const { records } = await loadTrainingData({ dataFolder: options.dataFolder, cacheFolder: options.cacheFolder });
  const { outFolder, method, percentile, onProgress } = options;
  return writeVariants(fp32, {
    ...{ outFolder, method, percentile },
    items: representative(records, training.preprocessing),
    from: `every ${CALIBRATION_EVERY}th window of each of ${records.length} training records (vfdb and svdb)`,
    sparsity: training.sparsity,
    onStage: (stage, done, of) => onProgress?.({ stage, done, of }),
  });
}

/** A record's windows as the model takes them, every so many of them. */
export function* itemsOf(
  record: ShockableRecord,
  preprocessing: ShockablePreprocessing,
  every = 1,
): Iterable<ModelItem> {
  const { count, signals, features } = inputsOf(record, preprocessing);
  const n = SHOCKABLE_FEATURES.length;
  for (let w = 0; w < count; w += every) {
    yield [signals.subarray(w * SHOCKABLE_SAMPLES, (w + 1) * SHOCKABLE_SAMPLES), features.subarray(w * n, (w + 1) * n)];
  }
}

function* representative(
  records: readonly ShockableRecord[],
  preprocessing: ShockablePreprocessing,
): Iterable<ModelItem> {
  for (const record of records) yield* itemsOf(record, preprocessing, CALIBRATION_EVERY);
}

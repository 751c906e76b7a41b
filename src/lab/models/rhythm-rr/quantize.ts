import { openBackend } from '../../backend.js';
import type { RhythmRecord } from '../../data/rhythm-records.js';
import { layersModelToOnnx } from '../../onnx/index.js';
import type { LabProgress } from '../../progress.js';
import { type CalibrationMethod, type ModelItem, type Quantization, writeVariants } from '../../quantize/index.js';
import { loadTraining } from './bundle.js';
import { loadTrainingRecords, type RhythmRrDataOptions } from './data.js';
import { INPUT_NAMES, OUTPUT_NAME } from './network.js';
import { FEATURE_VALUES, SEQUENCE_VALUES } from './sampling.js';
import { type RhythmWindowSet, windowsOf } from './score.js';

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

/**
 * Writes a trained rhythm-rr as ONNX in float32, float16, int8 (static QDQ, calibrated on training patients) and int8
 * weights.
 */
export async function quantizeRhythmRr(options: QuantizeRhythmRrOptions): Promise<Quantization> {
  await openBackend('auto');
  const { fitted, training } = await loadTraining(options.modelFolder);
  const fp32 = layersModelToOnnx(fitted.model, {
    name: 'rhythm-rr',
    inputNames: [...INPUT_NAMES],
    outputNames: [OUTPUT_NAME],
  });
  fitted.model.dispose();
  const records = await loadTrainingRecords({ dataFolder: options.dataFolder, cacheFolder: options.cacheFolder });
  const { outFolder, method, percentile, onProgress } = options;
  return writeVariants(fp32, {
    ...{ outFolder, method, percentile },
    items: representative(records, training.preprocessing),
    from: `${CALIBRATION_WINDOWS_PER_RECORD} windows, evenly spread, of each of ${records.length} training records (ltafdb and nsr2db)`,
    sparsity: training.sparsity,
    onStage: (stage, done, of) => onProgress?.({ stage, done, of }),
  });
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

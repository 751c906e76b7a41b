import * as tf from '@tensorflow/tfjs';
import { openBackend } from '../../backend.js';
import type { BeatRecord } from '../../data/beat-records.js';
import { FEATURE_COUNT, WINDOW_VALUES } from '../../data/beat-records.js';
import { layersModelToOnnx } from '../../onnx/index.js';
import type { LabProgress } from '../../progress.js';
import { type CalibrationMethod, type ModelItem, type Quantization, writeVariants } from '../../quantize/index.js';
import { loadTraining } from './bundle.js';
import { type BeatEcgDataOptions, loadTrainingRecords, standardised } from './data.js';
import type { LogitOffsets } from './decide.js';
import { INPUT_NAMES, OUTPUT_NAME } from './network.js';

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

/**
 * Writes a trained beat-ecg as ONNX in float32, float16, int8 (static QDQ, calibrated on training patients) and int8
 * weights. The model's own logit offsets are added to the last layer's bias, so that every file decides by itself.
 */
export async function quantizeBeatEcg(options: QuantizeBeatEcgOptions): Promise<Quantization> {
  await openBackend('auto');
  const { fitted, training } = await loadTraining(options.modelFolder);
  addToLastBias(fitted.model, training.logitOffsets);
  const fp32 = layersModelToOnnx(fitted.model, {
    name: 'beat-ecg',
    inputNames: [...INPUT_NAMES],
    outputNames: [OUTPUT_NAME],
  });
  fitted.model.dispose();
  const records = standardised(
    await loadTrainingRecords({ dataFolder: options.dataFolder, cacheFolder: options.cacheFolder }),
    training.preprocessing,
  );
  const { outFolder, method, percentile, onProgress } = options;
  return writeVariants(fp32, {
    ...{ outFolder, method, percentile },
    items: representative(records),
    from: `${CALIBRATION_BEATS_PER_RECORD} beats, evenly spread, of each of ${records.length} training records (DS1 and svdb)`,
    sparsity: training.sparsity,
    onStage: (stage, done, of) => onProgress?.({ stage, done, of }),
  });
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

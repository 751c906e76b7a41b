import { ANOMALY_FEATURES, type AnomalyPreprocessing } from '../../../inference/windows/anomaly-rr.js';
import { openBackend } from '../../backend.js';
import type { AnomalyRecord } from '../../data/anomaly-records.js';
import { layersModelToOnnx } from '../../onnx/index.js';
import type { LabProgress } from '../../progress.js';
import { type CalibrationMethod, type ModelItem, type Quantization, writeVariants } from '../../quantize/index.js';
import { loadTraining } from './bundle.js';
import { type AnomalyDataOptions, loadNormal } from './data.js';
import { departuresOf } from './fit.js';
import { INPUT_NAMES, OUTPUT_NAME } from './network.js';

const COUNT = ANOMALY_FEATURES.length;
/** Every so many windows of each person are in the representative dataset. */
const CALIBRATION_EVERY = 100;

export interface QuantizeAnomalyOptions extends Omit<AnomalyDataOptions, 'onProgress'> {
  /** Folder of a training, plain or pruned. */
  readonly modelFolder: string;
  readonly outFolder: string;
  readonly method?: CalibrationMethod;
  readonly percentile?: number;
  onProgress?(progress: LabProgress): void;
}

/** Writes a trained anomaly-rr as ONNX in float32, float16, int8 (static QDQ, calibrated on the training people) and int8 weights. */
export async function quantizeAnomaly(options: QuantizeAnomalyOptions): Promise<Quantization> {
  await openBackend('auto');
  const { fitted, training } = await loadTraining(options.modelFolder);
  const fp32 = layersModelToOnnx(fitted.model, {
    name: 'anomaly-rr',
    inputNames: [...INPUT_NAMES],
    outputNames: [OUTPUT_NAME],
  });
  fitted.model.dispose();
  const records = await loadNormal({ dataFolder: options.dataFolder, cacheFolder: options.cacheFolder });
  const { outFolder, method, percentile, onProgress } = options;
  return writeVariants(fp32, {
    ...{ outFolder, method, percentile },
    items: representative(records, training.preprocessing),
    from: `every ${CALIBRATION_EVERY}th window of each of ${records.length} people (nsr2db), and the ends of the inputs' range`,
    sparsity: training.sparsity,
    onStage: (stage, done, of) => onProgress?.({ stage, done, of }),
  });
}

/** A person's departures one by one. */
export function* itemsOf(departures: Float32Array, every = 1): Iterable<ModelItem> {
  for (let w = 0; w < departures.length / COUNT; w += every) yield [departures.slice(w * COUNT, (w + 1) * COUNT)];
}

function* representative(records: readonly AnomalyRecord[], preprocessing: AnomalyPreprocessing): Iterable<ModelItem> {
  for (const record of records) yield* itemsOf(departuresOf(record, preprocessing), CALIBRATION_EVERY);
}

import { join } from 'node:path';
import * as tf from '@tensorflow/tfjs';
import { openBackend } from '../../backend.js';
import type { BeatRecord } from '../../data/beat-records.js';
import { FEATURE_COUNT, WINDOW_VALUES } from '../../data/beat-records.js';
import { layersModelToOnnx, type OnnxModel } from '../../onnx/index.js';
import type { LabProgress } from '../../progress.js';
import {
  answers,
  type CalibrationMethod,
  type ModelItem,
  type Quantization,
  type WithinLoss,
  writeVariants,
} from '../../quantize/index.js';
import { saveHistory } from '../../train/history.js';
import type { EpochReport } from '../../train/loop.js';
import { loadTraining, saveTraining } from './bundle.js';
import { type BeatEcgDataOptions, loadTrainingRecords, noiseOf, standardised } from './data.js';
import type { LogitOffsets } from './decide.js';
import { fitAware } from './fit.js';
import { INPUT_NAMES, LABELS, OUTPUT_NAME } from './network.js';
import { BEAT_ECG_RECIPE, type BeatEcgRecipe } from './recipe.js';
import { type BeatSplit, beatSplit, foldsOf } from './split.js';

/** Beats of each training record in the representative dataset, spread evenly over it: rare classes come as they come. */
const CALIBRATION_BEATS_PER_RECORD = 40;
/** Significant bits of the scales in a pruned model's int8 file: no class of a beat of the training patients hangs on more. */
const PRUNED_SCALE_BITS = 8;

export interface QuantizeBeatEcgOptions extends Omit<BeatEcgDataOptions, 'onProgress' | 'split'> {
  /** Folder of a training, plain or pruned. */
  readonly modelFolder: string;
  /** Where `fp32.onnx`, `fp16.onnx`, `int8.onnx`, `int8-weights.onnx` and `quantization.json` go. */
  readonly outFolder: string;
  readonly method?: CalibrationMethod;
  readonly percentile?: number;
  /** Largest loss of accuracy of int8 on validation patients (0.005 is half a point): layers that cost more stay float. */
  readonly maxLoss?: number;
  /** Epochs of quantization-aware fine-tuning before; the model that results is kept in `aware/` beside the ONNX files. */
  readonly awareEpochs?: number;
  onProgress?(progress: LabProgress): void;
}

/**
 * Writes a trained beat-ecg as ONNX in float32, float16, int8 (static QDQ, calibrated on training patients) and int8
 * weights. The model's own logit offsets are added to the last layer's bias, so that every file decides by itself.
 */
export async function quantizeBeatEcg(options: QuantizeBeatEcgOptions): Promise<Quantization> {
  await openBackend('auto');
  const { fitted, training } = await loadTraining(options.modelFolder);
  const { dataFolder, cacheFolder } = options;
  const split = beatSplit(training.split);
  const records = await loadTrainingRecords({ dataFolder, cacheFolder, split });
  const { outFolder, method, percentile, maxLoss, awareEpochs = 0, onProgress } = options;
  const leavesOut = maxLoss !== undefined || awareEpochs > 0;
  const { left, used, trainedOnThem } = leavesOut
    ? validationOf(records, training.trainedOn, split)
    : { left: [], used: records, trainedOnThem: true };
  if (awareEpochs > 0) {
    const recipe = { ...BEAT_ECG_RECIPE, ...(training.recipe as Partial<BeatEcgRecipe>) };
    const noise = await noiseOf(recipe, dataFolder);
    const report = (epoch: EpochReport) =>
      onProgress?.({ stage: 'fine-tuning for 8 bits', done: epoch.epoch, of: awareEpochs, epoch });
    const history = await fitAware(fitted, used, recipe, training.seed, awareEpochs, report, noise);
    const folder = join(outFolder, 'aware');
    await saveTraining(folder, fitted, { ...training, recipe: { ...recipe, aware: { epochs: awareEpochs } } });
    await saveHistory(folder, [{ phase: 'fine-tuning for 8 bits', epochs: history }]);
  }
  addToLastBias(fitted.model, training.logitOffsets);
  const fp32 = layersModelToOnnx(fitted.model, {
    name: 'beat-ecg',
    inputNames: [...INPUT_NAMES],
    outputNames: [OUTPUT_NAME],
  });
  fitted.model.dispose();
  const calibrated = standardised(maxLoss === undefined ? records : used, training.preprocessing);
  const within = maxLoss === undefined ? undefined : withinLoss(maxLoss, standardised(left, training.preprocessing));
  return writeVariants(fp32, {
    ...{ outFolder, method, percentile },
    items: representative(calibrated),
    from: `${CALIBRATION_BEATS_PER_RECORD} beats, evenly spread, of each of ${calibrated.length} training records (${split.trainTitle})`,
    sparsity: training.sparsity,
    ...(training.sparsity > 0 && { scaleBits: PRUNED_SCALE_BITS }),
    awareEpochs,
    within: within && {
      ...within,
      on: `accuracy over ${left.length} patients of ${split.trainTitle}${trainedOnThem ? ', whom the float model was trained on but int8 was not calibrated with' : ' who were never trained on'}`,
    },
    onStage: (stage, done, of) => onProgress?.({ stage, done, of }),
  });
}

/** Patients to choose layers on: those the training left out; else a fold of those it had. */
function validationOf(records: readonly BeatRecord[], trainedOn: readonly string[], split: BeatSplit) {
  const names = new Set(trainedOn);
  const unseen = records.filter(({ database, record }) => !names.has(`${database}/${record}`));
  const trainedOnThem = unseen.length === 0;
  const foldOf = trainedOnThem ? foldsOf(split, records) : [];
  const left = trainedOnThem ? records.filter((_, i) => foldOf[i] === 0) : unseen;
  return { left, used: records.filter((record) => !left.includes(record)), trainedOnThem };
}

/** Accuracy over the beats of class N, S and V of some records (features standardised). */
function withinLoss(maxLoss: number, records: readonly BeatRecord[]): Omit<WithinLoss, 'on'> {
  const items = [...itemsOf(records)];
  const truth = records.flatMap(({ classes }) => [...classes]);
  const evaluate = async (model: OnnxModel) => {
    const got = await answers(model, items);
    let right = 0;
    let judged = 0;
    got.forEach((logits, i) => {
      if (truth[i]! >= LABELS.length) return;
      judged++;
      if (logits.indexOf(Math.max(...logits)) === truth[i]) right++;
    });
    return right / Math.max(1, judged);
  };
  return { maxLoss, evaluate };
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

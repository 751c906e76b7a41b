import { gzipSync } from 'node:zlib';
import * as tf from '@tensorflow/tfjs';
import * as ort from 'onnxruntime-node';
import { addMatrices, type BeatClassReport, reportOf } from '../../evaluation/beat-classes.js';
import { compactModel, measureLatency, sizeOf, sparsityOf } from '../../export/index.js';
import { loadTraining } from '../../models/beat-ecg/bundle.js';
import { matrixOf, NO_OFFSETS } from '../../models/beat-ecg/decide.js';
import { INPUT_NAMES, LABELS, OUTPUT_NAME } from '../../models/beat-ecg/network.js';
import { encodeModel, layersModelToOnnx, type OnnxModel } from '../../onnx/index.js';
import { maskOf } from '../../prune/pruner.js';
import { answers, calibrate, quantizeDynamic, quantizeFloat16, quantizeStatic } from '../../quantize/index.js';
import { calibrationItems, type Split, validationItems } from './split.js';
import { SPARSITIES, type TrainingId } from './trainings.js';

export interface Variant {
  readonly id: string;
  readonly model: OnnxModel;
  /** The float model it was made from, whose parameters and MACs it has. */
  readonly float: OnnxModel;
}

export interface VariantFigures {
  readonly id: string;
  readonly bytes: number;
  readonly gzipBytes: number;
  readonly sparsity: number;
  readonly parameters: number;
  readonly macs: number;
  readonly accuracy: number;
  readonly f1: Readonly<Record<(typeof LABELS)[number], number>>;
}

/** Every variant of one seed, from its trainings' folders. */
export async function variantsOf(folders: ReadonlyMap<TrainingId, string>, split: Split): Promise<Variant[]> {
  const made: Variant[] = [];
  const add = (id: string, float: OnnxModel, model = float) => made.push({ id, float, model });
  const int8 = async (id: TrainingId, float: OnnxModel) => {
    const { training } = await loadTraining(folders.get(id)!);
    const calibration = await calibrate(float, calibrationItems(split.train, training.preprocessing));
    return quantizeStatic(float, calibration.ranges({ method: 'Percentile', percentile: 99.999 }));
  };
  const float = await onnxOf(folders.get('float')!);
  add('float32', float);
  add('float16', float, quantizeFloat16(float));
  add('dynamic int8', float, quantizeDynamic(float));
  add('static int8', float, await int8('float', float));
  add('pruned 80 % at one stroke', await onnxOf(folders.get('float')!, 0.8));
  for (const sparsity of SPARSITIES) {
    const percent = sparsity * 100;
    const pruned = await onnxOf(folders.get(`pruned-${percent}`)!);
    add(`pruned ${percent} %`, pruned);
    if (sparsity > 0.5) add(`pruned ${percent} % + int8`, pruned, await int8(`pruned-${percent}`, pruned));
  }
  const channels = await onnxOf(folders.get('channels')!);
  add('channel-pruned', channels);
  add('channel-pruned + int8', channels, await int8('channels', channels));
  return made;
}

/** A training as ONNX; `cut` sets that share of each kernel to zero first. */
export async function onnxOf(folder: string, cut = 0): Promise<OnnxModel> {
  const { fitted } = await loadTraining(folder);
  if (cut > 0) {
    for (const weight of fitted.model.trainableWeights) {
      if (!weight.originalName.includes('kernel')) continue;
      const tensor = weight.read();
      const values = Float32Array.from(tensor.dataSync());
      const mask = maskOf(values, cut);
      weight.write(
        tf.tensor(
          values.map((value, i) => value * mask[i]!),
          tensor.shape,
        ),
      );
    }
  }
  const names = { inputNames: [...INPUT_NAMES], outputNames: [OUTPUT_NAME] };
  const model = layersModelToOnnx(fitted.model, { name: 'beat-ecg', ...names });
  fitted.model.dispose();
  return model;
}

/** Bytes, size and quality of one variant, on the validation patients. */
export async function figuresOf({ id, model, float }: Variant, folder: string, split: Split): Promise<VariantFigures> {
  const { training } = await loadTraining(folder);
  const items = validationItems(split.validation, training.preprocessing);
  const got = await answers(model, items);
  const { accuracy, N, S, V } = reportFrom(got, split);
  const bytes = encodeModel(compactModel(model));
  return {
    ...{ id, bytes: bytes.length, gzipBytes: gzipSync(bytes, { level: 9 }).length, sparsity: sparsityOf(model) },
    ...(await sizeOf(float, items[0]!)),
    ...{ accuracy, f1: { N: N.f1, S: S.f1, V: V.f1 } },
  };
}

export function reportFrom(got: readonly Float32Array[], { validation }: Split): BeatClassReport {
  let at = 0;
  const scored = validation.map((record) => {
    const logits = new Float32Array(record.count * LABELS.length);
    for (let beat = 0; beat < record.count; beat++) logits.set(got[at++]!, beat * LABELS.length);
    return { record, logits };
  });
  return reportOf(addMatrices(scored.map((one) => matrixOf(one, NO_OFFSETS))));
}

/** p50 and p99 of each variant, one item at a time on one thread, taking turns. */
export async function latenciesOf(variants: readonly Variant[], folder: string, split: Split) {
  const { training } = await loadTraining(folder);
  const [item] = validationItems(split.validation.slice(0, 1), training.preprocessing);
  const { inputs } = variants[0]!.model.graph;
  const feeds = Object.fromEntries(
    inputs.map(({ name, shape }, i) => [
      name,
      new ort.Tensor('float32', item![i]!, [1, ...shape!.slice(1).map(Number)]),
    ]),
  );
  const files = new Map(variants.map(({ id, model }) => [id, encodeModel(compactModel(model))]));
  return measureLatency(files, feeds, { rounds: 40 });
}

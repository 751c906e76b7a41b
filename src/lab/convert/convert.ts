import type { ExportResult } from '../export/bundle.js';
import { type ExportVariant, exportBundle } from '../export/index.js';
import { spread } from '../export/read-variants.js';
import { encodeModel } from '../onnx/encode.js';
import type { OnnxModel } from '../onnx/ir.js';
import { calibrate } from '../quantize/calibrate.js';
import { quantizeDynamic } from '../quantize/dynamic.js';
import { quantizeFloat16 } from '../quantize/float16.js';
import type { CalibrationMethod } from '../quantize/histogram.js';
import { answers, type ModelItem, Runner } from '../quantize/runtime.js';
import { rankSensitiveNodes } from '../quantize/sensitivity.js';
import { quantizeStatic } from '../quantize/static.js';
import { normal, seededRandom } from '../random.js';
import type { Dataset, InputShape } from './dataset/load.js';
import { ConvertError } from './error.js';
import { chooseOutput, decider, labelsFor } from './outputs.js';
import { unlikeTraining } from './seen-in-training.js';
import type { Reference, SourceModel } from './source.js';

/** What to make of the float model. */
export const STRATEGIES = ['none', 'float16', 'dynamic', 'static'] as const;
export type Strategy = (typeof STRATEGIES)[number];

/** What each strategy stores and computes in; the first of each is the default. */
export const DATA_TYPES: Readonly<Record<Strategy, readonly string[]>> = {
  none: ['float32'],
  float16: ['float16'],
  dynamic: ['int8-weights', 'int8'],
  static: ['int8', 'int8-full'],
};

export interface ConvertOptions {
  readonly outDir: string;
  readonly name: string;
  readonly version: string;
  readonly strategy: Strategy;
  readonly dataType: string;
  /** The representative dataset; must be given for `static`. */
  readonly dataset: Dataset | null;
  readonly labels?: readonly string[];
  /** Which output becomes the bundle's; the first unless told, and then the others stay in the file. */
  readonly output?: string;
  readonly method?: CalibrationMethod;
  readonly percentile?: number;
  /** Least share of items that must keep their class; 0.99 unless told. */
  readonly minAgreement?: number;
  onStage?(stage: string, done: number, of: number): void;
}

/** How far two models' answers lie apart on the same items. */
export interface Agreement {
  readonly items: number;
  readonly maxDifference: number;
  /** Share of items with the same class, or of those that `measure` tells. */
  readonly classes: number;
  /** What makes two answers the same: `same class`, or nearness where the answer is no vector of classes. */
  readonly measure: string;
}

export interface ConvertResult {
  readonly exported: ExportResult;
  /** The float ONNX file against the source model in its own program; null with the reason where none could run it. */
  readonly source: (Agreement & { readonly by: string }) | null;
  readonly noReference: string | null;
  /** The quantized variant against float. */
  readonly quantized: Agreement | null;
  /** Nodes that stayed float because the classes asked for it. */
  readonly keptFloat: readonly string[];
  /** What a person should know of the dataset. */
  readonly warnings: readonly string[];
}

const STEPS = 5;
/** Largest difference of the float file from its source, as a share of the largest answer: float32 rounds near 1e-6. */
const MAX_FLOAT_DIFFERENCE = 1e-3;
const REFERENCE_ITEMS = 64;
const RANDOM_ITEMS = 200;

/** The inputs that a dataset for this model must fill. */
export function inputsOf(model: OnnxModel): InputShape[] {
  return model.graph.inputs.map(({ name, shape }) => ({ name, shape: shape!.slice(1).map(Number) }));
}

/**
 * Converts a model: checks the float ONNX graph against the source, quantizes it, checks that against float, and writes a
 * bundle with both. Every fourth item of the dataset is held out from calibration and used to compare.
 * @throws ConvertError, ExportRefusedError when the result must not be shipped; the message has the figures
 */
export async function convertModel(source: SourceModel, options: ConvertOptions): Promise<ConvertResult> {
  const stage = (what: string, done: number) => options.onStage?.(what, done, STEPS);
  const model = chooseOutput(source.onnx, options.output);
  if (options.strategy === 'static' && !options.dataset) {
    throw new ConvertError('static int8 needs a representative dataset: --data FOLDER, CSV, JSON, .npy or WFDB record');
  }
  const all = options.dataset?.items ?? randomItems(model);
  const calibrationItems = all.filter((_, i) => i % 4 !== 3);
  const heldOut = all.filter((_, i) => i % 4 === 3);
  const sameness = samenessOf(model);

  stage('comparing the float file with the source model', 0);
  const float = await run(model, heldOut);
  const broken = float.findIndex((values) => !values.every(Number.isFinite));
  if (broken >= 0) {
    throw new ConvertError(
      `the model answers ${options.dataset ? `item ${4 * broken + 4} of the dataset` : 'noise'} with ${float[broken]!.find((v) => !Number.isFinite(v))}: are its weights sound, and the data in the unit it was trained on?`,
    );
  }
  const unlike = options.dataset ? await unlikeTraining(source.onnx, source.seenInTraining ?? [], heldOut) : null;
  const warnings = unlike ? [unlike] : [];
  const outputNames = source.onnx.graph.outputs.map(({ name }) => name);
  const { agreement, reason } = await compareWithSource(source, model, outputNames, heldOut, float, sameness);

  const labels = labelsFor(float[0]!.length, options.labels, model.graph.outputs[0]!.name);
  const variants: ExportVariant[] = [{ id: 'fp32', precision: 'float32', model }];
  // One item may always differ: of 25 held out, one is no sign of less than 99 %.
  const minAgreement = Math.min(options.minAgreement ?? 0.99, 1 - 1 / heldOut.length);
  let calibration: Record<string, unknown> = { used: 'none' };
  let quantized: Agreement | null = null;
  let keptFloat: readonly string[] = [];
  if (options.strategy !== 'none') {
    stage(options.strategy === 'static' ? 'calibrating' : 'quantizing', 1);
    const made = await quantize(model, options, calibrationItems, heldOut, float, sameness, minAgreement);
    ({ calibration, keptFloat } = made);
    quantized = compare(await run(made.variant.model, heldOut), float, sameness);
    if (!sameness.decide && quantized.classes < minAgreement) {
      throw new ConvertError(
        `${percent(quantized.classes)} of ${heldOut.length} held-out items are ${NEAR} in ${made.variant.id}, ${percent(minAgreement)} are needed: try --strategy float16, more data, or a lower --min-agreement`,
      );
    }
    variants.push(made.variant);
  }
  stage('checking and timing each variant', 3);
  const exported = await exportBundle({
    outDir: options.outDir,
    name: options.name,
    task: 'custom',
    version: options.version,
    labels,
    preprocessing: {},
    training: { convertedFrom: source.description, sourceAgreement: agreement ?? `not compared: ${reason}` },
    calibration,
    variants,
    defaultVariant: variants.at(-1)!.id,
    golden: spread(heldOut, Math.min(4, heldOut.length)),
    evaluationItems: () => heldOut,
    decide: sameness.decide ?? (() => 0),
    gate: { minAgreement },
    about: about(source, options, agreement, reason, keptFloat, warnings),
  });
  stage('done', STEPS);
  return { exported, source: agreement, noReference: reason, quantized, keptFloat, warnings };
}

/**
 * Seeded noise, for a model that nobody gave data for: enough to see that two programs compute the same. An input that
 * picks rows of a table gets row numbers.
 */
export function randomItems(model: OnnxModel, count = RANDOM_ITEMS, seed = 1): ModelItem[] {
  const random = seededRandom(seed);
  const { graph } = model;
  const rows = inputsOf(model).map(({ name }) => {
    // Row numbers go through one cast or several.
    const casts = [name];
    for (const value of casts) {
      for (const { op, inputs, outputs } of graph.nodes)
        if (op === 'Cast' && inputs[0] === value) casts.push(outputs[0]!);
    }
    const gather = graph.nodes.find(({ op, inputs }) => op === 'Gather' && casts.includes(inputs[1] ?? ''));
    return graph.initializers.get(gather?.inputs[0] ?? '')?.dims[0];
  });
  return Array.from({ length: count }, () =>
    inputsOf(model).map(({ shape }, i) => {
      const table = rows[i];
      const draw = table === undefined ? () => normal(random) : () => Math.floor(random() * table);
      return Float32Array.from({ length: shape.reduce((a, b) => a * b, 1) }, draw);
    }),
  );
}

async function run(model: OnnxModel, items: readonly ModelItem[]): Promise<Float32Array[]> {
  try {
    return await answers(model, items);
  } catch (error) {
    throw new ConvertError(`the model does not run in onnxruntime: ${(error as Error).message.split('\n')[0]}`);
  }
}

/** How two answers are told to be the same. */
interface Sameness {
  /** The class of an answer; null where it is none, as a signal or a class for each step. */
  readonly decide: ((values: ArrayLike<number>) => number) | null;
}

/** Share of the answers' range by which two may differ and still count as the same, where there are no classes. */
const NEAR_SHARE = 0.05;
const NEAR = 'within 5 % of the range';
const percent = (share: number) => `${(share * 100).toFixed(2)} %`;

/** The largest of many values is a class where the answer is a vector; of a sequence or a picture it means nothing. */
function samenessOf(model: OnnxModel): Sameness {
  const isVector = (model.graph.outputs[0]!.shape ?? []).slice(1, -1).every((size) => size === 1);
  return { decide: isVector ? decider(model) : null };
}

function compare(got: readonly Float32Array[], wanted: readonly Float32Array[], { decide }: Sameness): Agreement {
  let maxDifference = 0;
  let same = 0;
  const span = wanted.reduce((most, values) => values.reduce((a, value) => Math.max(a, Math.abs(value)), most), 0);
  wanted.forEach((values, i) => {
    let worst = 0;
    values.forEach((value, at) => {
      const difference = Math.abs(got[i]![at]! - value);
      worst = Number.isNaN(difference) ? Number.POSITIVE_INFINITY : Math.max(worst, difference);
    });
    maxDifference = Math.max(maxDifference, worst);
    if (decide ? decide(values) === decide(got[i]!) : worst <= NEAR_SHARE * span) same++;
  });
  const measure = decide ? 'same class' : NEAR;
  return { items: wanted.length, maxDifference, classes: same / wanted.length, measure };
}

async function compareWithSource(
  source: SourceModel,
  model: OnnxModel,
  outputNames: readonly string[],
  heldOut: readonly ModelItem[],
  float: readonly Float32Array[],
  sameness: Sameness,
): Promise<{ agreement: (Agreement & { by: string }) | null; reason: string | null }> {
  if (model.graph.inputs.length !== source.onnx.graph.inputs.length) {
    return { agreement: null, reason: 'the chosen output does not need all inputs' };
  }
  let reference: Reference;
  try {
    reference = await source.reference();
  } catch (error) {
    return { agreement: null, reason: (error as Error).message.split(/\n|\. /)[0]! };
  }
  try {
    const items = heldOut.slice(0, REFERENCE_ITEMS);
    let all: Float32Array[];
    try {
      all = await reference.run(items);
    } catch (error) {
      return { agreement: null, reason: `${reference.by}: ${(error as Error).message.split(/\n|\. /)[0]}` };
    }
    // Every output is compared; the class is told by the one that the bundle carries.
    const ours = await runAllOutputs(model, items);
    let maxDifference = 0;
    for (const { name } of model.graph.outputs) {
      const theirs = all[outputNames.indexOf(name)]!;
      const flat = ours.get(name)!;
      const span = Math.max(
        1,
        theirs.reduce((most, value) => Math.max(most, Math.abs(value)), 0),
      );
      const worst = theirs.reduce((most, value, i) => Math.max(most, Math.abs(value - flat[i]!)), 0);
      if (theirs.length !== flat.length || !(worst <= MAX_FLOAT_DIFFERENCE * span)) {
        throw new ConvertError(
          `output '${name}' of the converted model differs from the source model in ${reference.by} by ${worst.toPrecision(3)}: this is a fault of the converter; please report it with the model's architecture`,
        );
      }
      maxDifference = Math.max(maxDifference, worst);
    }
    const size = float[0]!.length;
    const chosen = all[outputNames.indexOf(model.graph.outputs[0]!.name)]!;
    const theirs = items.map((_, i) => chosen.slice(i * size, (i + 1) * size));
    const { classes, measure } = compare(float.slice(0, items.length), theirs, sameness);
    return { agreement: { items: items.length, maxDifference, classes, measure, by: reference.by }, reason: null };
  } finally {
    reference.close();
  }
}

async function runAllOutputs(model: OnnxModel, items: readonly ModelItem[]): Promise<Map<string, Float32Array>> {
  const runner = await Runner.load(model);
  const parts = new Map<string, Float32Array[]>(model.graph.outputs.map(({ name }) => [name, []]));
  try {
    await runner.runAll(items, (outputs) => {
      for (const [i, { name }] of model.graph.outputs.entries()) parts.get(name)!.push(outputs[i]!);
    });
  } finally {
    await runner.release();
  }
  return new Map([...parts].map(([name, list]) => [name, Float32Array.from(list.flatMap((part) => [...part]))]));
}

interface Quantized {
  readonly variant: ExportVariant;
  readonly calibration: Record<string, unknown>;
  readonly keptFloat: readonly string[];
}

async function quantize(
  model: OnnxModel,
  options: ConvertOptions,
  items: readonly ModelItem[],
  heldOut: readonly ModelItem[],
  float: readonly Float32Array[],
  sameness: Sameness,
  minAgreement: number,
): Promise<Quantized> {
  const { dataType, strategy } = options;
  if (strategy === 'float16') {
    const variant = { id: 'fp16', precision: 'float16', model: quantizeFloat16(model), float: model };
    return { variant, calibration: { used: 'none' }, keptFloat: [] };
  }
  if (strategy === 'dynamic') {
    const activations = dataType === 'int8' ? 'dynamic' : 'float';
    const made = quantizeDynamic(model, { activations });
    const id = dataType === 'int8' ? 'int8-dynamic' : 'int8-weights';
    if (encodeModel(made).length >= encodeModel(model).length && made.graph.nodes.length === model.graph.nodes.length) {
      throw new ConvertError(
        'the model has no convolution or matrix product with constant weights: nothing to quantize',
      );
    }
    return { variant: { id, precision: id, model: made, float: model }, calibration: { used: 'none' }, keptFloat: [] };
  }
  const { method = 'Percentile', percentile = 99.999 } = options;
  const seen = await calibrate(model, items);
  const ranges = seen.ranges({ method, percentile });
  options.onStage?.('quantizing', 2, STEPS);
  const statics = { reduceRange: dataType !== 'int8-full' };
  const quality = async (candidate: OnnxModel) => compare(await run(candidate, heldOut), float, sameness).classes;
  let made = quantizeStatic(model, ranges, statics);
  const keptFloat: string[] = [];
  if ((await quality(made)) < minAgreement) {
    // Layers that hurt stay float, the worst first, while that helps.
    options.onStage?.('finding the layers that hurt', 2, STEPS);
    for (const { node } of await rankSensitiveNodes(model, ranges, quality, statics)) {
      keptFloat.push(node);
      made = quantizeStatic(model, ranges, { ...statics, nodesToExclude: keptFloat });
      if ((await quality(made)) >= minAgreement) break;
    }
    if (!made.graph.nodes.some(({ op }) => op === 'QuantizeLinear')) {
      throw new ConvertError(
        `no layer can be quantized to int8 with ${(minAgreement * 100).toFixed(1)} % of the classes kept on ${heldOut.length} held-out items: try --strategy dynamic or float16, more data, or a lower --min-agreement`,
      );
    }
  }
  const calibration = {
    ...{ method, ...(method === 'Percentile' ? { percentile } : {}), items: seen.items, sha256: seen.sha256 },
    ...{ from: options.dataset!.description, heldOut: heldOut.length, keptFloat },
  };
  return { variant: { id: 'int8', precision: 'int8', model: made, float: model }, calibration, keptFloat };
}

function about(
  source: SourceModel,
  options: ConvertOptions,
  agreement: (Agreement & { by: string }) | null,
  reason: string | null,
  keptFloat: readonly string[],
  warnings: readonly string[],
): string {
  const lines = [
    `Converted by \`slothd lab convert\` from a ${source.description}. Strategy: ${options.strategy}, data type ${options.dataType}.`,
    agreement
      ? `The float file against the source model in ${agreement.by}, ${agreement.items} items: largest difference ${agreement.maxDifference.toPrecision(2)}, ${agreement.measure} on ${(100 * agreement.classes).toFixed(1)} %.`
      : `The float file was not compared with the source model's own program: ${reason}.`,
    options.dataset
      ? `Representative dataset: ${options.dataset.description}. Every fourth item was held out of the calibration; agreement below is on those.`
      : 'No dataset was given: agreement below is on seeded noise (200 items, every fourth compared).',
    ...warnings.map((warning) => `Note: ${warning}`),
    ...(keptFloat.length > 0
      ? [`These nodes stay float, because the classes asked for it: ${keptFloat.join(', ')}.`]
      : []),
  ];
  return lines.join('\n\n');
}

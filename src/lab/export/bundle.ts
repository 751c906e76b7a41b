import { createHash } from 'node:crypto';
import { chmod, mkdir, mkdtemp, readdir, rename, rm, stat, writeFile } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';
import { gzipSync } from 'node:zlib';
import * as ort from 'onnxruntime-node';
import { loadBundle } from '../../inference/bundle/load.js';
import { MANIFEST_SCHEMA, type Manifest, parseManifest } from '../../inference/bundle/manifest.js';
import { encodeModel } from '../onnx/encode.js';
import type { OnnxModel } from '../onnx/ir.js';
import { answers, type Items, type ModelItem } from '../quantize/runtime.js';
import { renderCard } from './card.js';
import { compactModel } from './compact.js';
import { type Latency, type LatencyOptions, measureLatency, sizeOf, sparsityOf } from './measure.js';

export interface ExportVariant {
  /** `fp32`, `fp16`, `int8`, `pruned-int8` ... */
  readonly id: string;
  /** What its products are computed or stored in: `float32`, `float16`, `int8`. */
  readonly precision: string;
  readonly model: OnnxModel;
  /** The float model it was made from; the `fp32` variant's unless told. Counts its parameters and MACs. */
  readonly float?: OnnxModel;
}

export interface ExportGate {
  /** Least share of evaluation items with the class that the variant's own float model gives. */
  readonly minAgreement: number;
  /** Largest loss of the primary metric against the `fp32` variant: 0.005 is half a point. */
  readonly maxMetricLoss: number;
  /** How much slower than `fp32` the default variant may be on this machine: 1.1 is ten percent. */
  readonly maxSlowdown: number;
}

/** The gate of slothd's own models. */
export const GATE: ExportGate = { minAgreement: 0.99, maxMetricLoss: 0.005, maxSlowdown: 1.1 };

export interface ExportOptions {
  /** The bundle's folder; replaced as a whole when everything is well. */
  readonly outDir: string;
  readonly name: string;
  readonly task: string;
  readonly version: string;
  readonly labels: readonly string[];
  readonly logitOffsets?: readonly number[];
  readonly thresholds?: Readonly<Record<string, number>>;
  readonly preprocessing: Readonly<Record<string, unknown>>;
  readonly training: Readonly<Record<string, unknown>>;
  readonly calibration: Readonly<Record<string, unknown>>;
  /** One must be `fp32`. */
  readonly variants: readonly ExportVariant[];
  /** Which variant should be the default, if the gate lets it. */
  readonly defaultVariant: string;
  /** Items for the golden vectors. */
  readonly golden: readonly ModelItem[];
  /** Items to compare the variants on; called once per variant. Never those the model was calibrated on. */
  readonly evaluationItems: () => Items;
  /** Figures of a variant from its answers (logits, one array per evaluation item), larger is better. */
  readonly evaluate?: (answers: readonly Float32Array[]) => Readonly<Record<string, number>>;
  /** The class that an answer stands for; the largest value's place (offsets added) unless told. */
  readonly decide?: (answer: Float32Array) => number;
  /** Which of those figures the gate looks at; the first unless told. */
  readonly primaryMetric?: string;
  readonly gate?: Partial<ExportGate>;
  /**
   * What the gate looks at instead of the items and figures above: where those are of test patients, whose figures are
   * told but decide nothing.
   */
  readonly judgedOn?: {
    readonly items: () => Items;
    readonly metric: (answers: readonly Float32Array[]) => number;
    /**
     * Each file is held against its own float model instead of `fp32`. For items that the models were trained on: there a
     * larger network remembers more, so pruning must be judged elsewhere, on people it was not trained on.
     */
    readonly againstOwnFloat?: boolean;
  };
  readonly latency?: LatencyOptions;
  /** What the author says about the model: the first part of CARD.md. */
  readonly about?: string;
}

/** A bundle that must not be written; the message names the variant and the figures. */
export class ExportRefusedError extends Error {
  override name = 'ExportRefusedError';
}

export interface ExportResult {
  readonly manifest: Manifest;
  /** Why the default is not the one that was asked for; null when it is. */
  readonly fellBack: string | null;
}

interface Judged {
  readonly variant: ExportVariant;
  readonly bytes: Uint8Array;
  readonly agreement: number;
  readonly accuracy: Readonly<Record<string, number>>;
  /** What the gate compares: the primary metric, or that of `judgedOn`. */
  readonly metric: number | undefined;
  readonly golden: number[][];
}

/**
 * Writes a model bundle: every variant's file, `manifest.json` and `CARD.md`. Each variant is loaded and run in the
 * very runtime the daemon uses, and compared with float. A default variant that is right but slower than float on this
 * machine makes way for `fp32`, and the card says so. The folder appears whole or not at all.
 *
 * @throws ExportRefusedError when a variant does not load, disagrees with float, or loses too much of the metric
 */
export async function exportBundle(options: ExportOptions): Promise<ExportResult> {
  const gate = { ...GATE, ...options.gate };
  const float = options.variants.find((variant) => variant.id === 'fp32');
  if (!float) throw new ExportRefusedError('a bundle needs its float model: there is no variant fp32');
  if (!options.variants.some((variant) => variant.id === options.defaultVariant)) {
    throw new ExportRefusedError(`the default '${options.defaultVariant}' is none of the variants`);
  }
  if (options.golden.length === 0) throw new ExportRefusedError('there are no golden items to check the bundle with');
  await refuseToReplaceOther(options.outDir);

  // fp32 first: the others are compared with it.
  const variants = [float, ...options.variants.filter((variant) => variant !== float)];
  const judged: Judged[] = [];
  for (const variant of variants) judged.push(await judge(variant, judged[0], float, options, gate));

  const files = new Map(judged.map(({ variant, bytes }) => [variant.id, bytes]));
  const latencies = await measureLatency(files, feedsOf(float.model, options.golden[0]!), options.latency);
  const wished = latencies.get(options.defaultVariant)!;
  const fellBack =
    wished.byFirst > gate.maxSlowdown
      ? `on the machine that made this bundle it takes ${wished.byFirst.toFixed(2)} times as long as fp32 (${wished.p50Us.toFixed(1)} us)`
      : null;
  const defaultVariant = fellBack ? 'fp32' : options.defaultVariant;
  const manifest = await describe(options, judged, latencies, defaultVariant, fellBack);
  await writeWhole(options, manifest, files);
  return { manifest, fellBack };
}

/** Runs one variant over golden and evaluation items and holds it against the gate. */
async function judge(
  variant: ExportVariant,
  fp32: Judged | undefined,
  float: ExportVariant,
  options: ExportOptions,
  gate: ExportGate,
): Promise<Judged> {
  const refuse = (why: string): never => {
    throw new ExportRefusedError(`variant ${variant.id} of ${options.name}: ${why}`);
  };
  // The float file keeps its names: it is the one people open, convert and quantize again.
  const model = variant.id === 'fp32' ? variant.model : compactModel(variant.model);
  const bytes = encodeModel(model);
  let golden: Float32Array[];
  let got: Float32Array[];
  try {
    golden = await answers(model, options.golden);
    got = await answers(model, options.evaluationItems());
  } catch (error) {
    return refuse(`does not run in onnxruntime: ${(error as Error).message}`);
  }
  const bad = [...golden, ...got].find(
    (values) => values.length !== options.labels.length || !values.every(Number.isFinite),
  );
  if (bad) refuse(`gives [${[...bad].join(', ')}] where ${options.labels.length} finite numbers are expected`);
  if (got.length === 0) refuse('there is nothing to evaluate it on');

  const { judgedOn } = options;
  const judged = judgedOn ? await answers(model, judgedOn.items()) : got;
  const reference = await answers(variant.float ?? float.model, (judgedOn?.items ?? options.evaluationItems)());
  const same = judged.filter((values, i) => choice(values, options) === choice(reference[i]!, options)).length;
  const agreement = same / judged.length;
  if (agreement < gate.minAgreement) {
    const share = (n: number) => `${(n * 100).toFixed(2)} %`;
    refuse(
      `agrees with its float model on ${share(agreement)} of ${judged.length} items, ${share(gate.minAgreement)} is needed`,
    );
  }
  const accuracy = options.evaluate?.(got) ?? {};
  const name = options.primaryMetric ?? Object.keys(accuracy)[0] ?? 'metric';
  const metric = judgedOn ? judgedOn.metric(judged) : accuracy[name];
  const isJudged = judgedOn !== undefined || options.primaryMetric !== undefined || metric !== undefined;
  if (isJudged && fp32) {
    const own = judgedOn?.againstOwnFloat === true;
    const loss = (own ? judgedOn.metric(reference) : (fp32.metric ?? Number.NaN)) - (metric ?? Number.NaN);
    if (!(loss <= gate.maxMetricLoss)) {
      const than = own ? 'its float model' : 'fp32';
      refuse(`its ${name} is ${metric}, ${loss.toFixed(4)} below ${than}; ${gate.maxMetricLoss} is allowed`);
    }
  }
  return { variant, bytes, agreement, accuracy, metric, golden: golden.map((values) => [...values]) };
}

/** The class a rule would take. */
function choice(logits: Float32Array, { logitOffsets, decide }: ExportOptions): number {
  if (decide) return decide(logits);
  let best = 0;
  const score = (i: number) => logits[i]! + (logitOffsets?.[i] ?? 0);
  for (let i = 1; i < logits.length; i++) if (score(i) > score(best)) best = i;
  return best;
}

function feedsOf(model: OnnxModel, item: ModelItem): Record<string, ort.Tensor> {
  return Object.fromEntries(
    model.graph.inputs.map(({ name, shape }, i) => [
      name,
      new ort.Tensor('float32', item[i]!, [1, ...shape!.slice(1).map(Number)]),
    ]),
  );
}

async function describe(
  options: ExportOptions,
  judged: readonly Judged[],
  latencies: ReadonlyMap<string, Latency>,
  defaultVariant: string,
  fellBack: string | null,
): Promise<Manifest> {
  const float = judged[0]!;
  const { graph, opsets } = float.variant.model;
  const span = Math.max(1, ...float.golden.flat().map(Math.abs));
  const variants: Manifest['variants'] = [];
  const tolerance: Record<string, number> = {};
  for (const { variant, bytes, agreement, accuracy, golden } of judged) {
    const { id, precision } = variant;
    const latency = latencies.get(id)!;
    variants.push({
      id,
      file: id === defaultVariant ? 'model.onnx' : `model.${id}.onnx`,
      precision,
      sha256: createHash('sha256').update(bytes).digest('hex'),
      bytes: bytes.length,
      gzipBytes: gzipSync(bytes, { level: 9 }).length,
      sparsity: sparsityOf(variant.model),
      ...(await sizeOf(variant.float ?? float.variant.model, options.golden[0]!)),
      metrics: {
        agreement,
        accuracy,
        latency: { p50Us: latency.p50Us, p99Us: latency.p99Us, byFp32: latency.byFirst },
        ...(fellBack && id === options.defaultVariant ? { notDefault: fellBack } : {}),
      },
    });
    // Float kernels differ between processors in the last bits. Integer kernels may round one step the other way, and
    // such steps add up to no more than quantization itself does: what it costs against float is the measure.
    const worst = Math.max(
      0,
      ...golden.flatMap((values, at) => values.map((value, i) => Math.abs(value - float.golden[at]![i]!))),
    );
    const floatLike = precision.startsWith('float') || precision.startsWith('fp');
    tolerance[id] = floatLike ? 1e-3 * span : Math.max(0.02 * span, worst);
  }
  return parseManifest({
    schema: MANIFEST_SCHEMA,
    name: options.name,
    task: options.task,
    version: options.version,
    inputs: graph.inputs.map(({ name, shape }) => ({ name, shape: shape!.slice(1) })),
    output: {
      name: graph.outputs[0]!.name,
      labels: options.labels,
      ...(options.logitOffsets ? { logitOffsets: options.logitOffsets } : {}),
      ...(options.thresholds ? { thresholds: options.thresholds } : {}),
    },
    preprocessing: options.preprocessing,
    opset: opsets.get('') ?? 0,
    defaultVariant,
    variants,
    training: options.training,
    calibration: options.calibration,
    golden: {
      inputs: options.golden.map((item) => item.map((values) => [...values])),
      outputs: Object.fromEntries(judged.map(({ variant, golden }) => [variant.id, golden])),
      tolerance,
    },
  });
}

/** A bundle replaces a bundle: a folder of anything else would be lost. @throws ExportRefusedError */
async function refuseToReplaceOther(outDir: string): Promise<void> {
  const info = await stat(outDir).catch(() => null);
  if (!info) return;
  const entries = info.isDirectory() ? await readdir(outDir) : null;
  if (entries && (entries.length === 0 || entries.includes('manifest.json'))) return;
  throw new ExportRefusedError(
    `${outDir} is there already and is no bundle, and a bundle takes the place of what is there: choose another folder`,
  );
}

/** Writes beside the target, reads it back as the daemon would, then puts it in place. */
async function writeWhole(
  options: ExportOptions,
  manifest: Manifest,
  files: ReadonlyMap<string, Uint8Array>,
): Promise<void> {
  const target = resolve(options.outDir);
  await mkdir(dirname(target), { recursive: true });
  const fresh = await mkdtemp(join(dirname(target), `.${basename(target)}-new-`));
  try {
    // mkdtemp shuts everyone else out; a bundle is read by the daemon's own user.
    await chmod(fresh, 0o755);
    for (const { id, file } of manifest.variants) await writeFile(join(fresh, file), files.get(id)!);
    await writeFile(join(fresh, 'manifest.json'), `${JSON.stringify(manifest)}\n`);
    await writeFile(join(fresh, 'CARD.md'), renderCard(manifest, options.about ?? ''));
    await loadBundle(fresh);
    const old = `${fresh}-old`;
    // A folder cannot be renamed onto a full one: the former bundle steps aside first, and back if the rename fails.
    const hadOld = await rename(target, old).then(
      () => true,
      (error: NodeJS.ErrnoException) => {
        if (error.code === 'ENOENT') return false;
        throw error;
      },
    );
    try {
      await rename(fresh, target);
    } catch (error) {
      if (hadOld) await rename(old, target);
      throw error;
    }
    await rm(old, { recursive: true, force: true });
  } finally {
    await rm(fresh, { recursive: true, force: true });
  }
}

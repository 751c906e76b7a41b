import { setFlagsFromString } from 'node:v8';
import type { InferenceSession, Tensor } from 'onnxruntime-node';
import { checkGolden } from '../bundle/golden.js';
import { type Bundle, loadBundle, pickVariant } from '../bundle/load.js';
import { BundleError, type Manifest } from '../bundle/manifest.js';
import type { LoadedModel, LoadRequest, Runtime, RuntimeChoice, VariantTrial } from './messages.js';

/** The part of onnxruntime-common that every build of the runtime offers. */
export interface OrtModule {
  readonly InferenceSession: {
    create(model: Uint8Array, options: InferenceSession.SessionOptions): Promise<InferenceSession>;
  };
  readonly Tensor: new (type: 'float32', data: Float32Array, dims: readonly number[]) => Tensor;
}

/**
 * Imports a runtime.
 * @throws Error when it is not installed or not made for this machine
 */
export async function importRuntime({ runtime, module }: RuntimeChoice): Promise<OrtModule> {
  // The fast code of V8's optimizing compiler costs 120 MiB and a burst of CPU for the whole of the runtime; the code of
  // its baseline compiler answers in about the same time (the kernels are SIMD instructions either way).
  if (runtime === 'wasm') setFlagsFromString('--liftoff-only');
  const imported = (await import(module)) as { default?: WasmModule } & WasmModule;
  const ort = imported.InferenceSession ? imported : (imported.default as WasmModule);
  // Threads would be workers of their own, each with its copy of the compiled code.
  if (runtime === 'wasm' && ort.env?.wasm) ort.env.wasm.numThreads = 1;
  return ort;
}

type WasmModule = OrtModule & { readonly env?: { readonly wasm?: { numThreads?: number } } };

/**
 * One model is far too small to gain from threads, and a Pi's other cores belong to the rest of the daemon. Spinning is
 * off because it burns a core between beats.
 */
const SESSION_OPTIONS: InferenceSession.SessionOptions = {
  intraOpNumThreads: 1,
  interOpNumThreads: 1,
  executionMode: 'sequential',
  graphOptimizationLevel: 'all',
  logSeverityLevel: 3,
  extra: { session: { intra_op: { allow_spinning: '0' }, inter_op: { allow_spinning: '0' } } },
};

/** How each build calls its plain CPU kernels. */
const PROVIDERS: Readonly<Record<Runtime, string>> = { native: 'cpu', wasm: 'wasm' };

/** A variant that is not faster than this share of fp32's time is not worth leaving the default for, and back. */
const CLEARLY_FASTER = 0.95;
const MIN_TIMED_RUNS = 5;

/** A model ready to run, in this process. */
export interface RunnableModel {
  readonly loaded: LoadedModel;
  /** Values of one item over all inputs. */
  readonly itemValues: number;
  /** Inputs flat, items one after the other; outputs likewise. */
  run(inputs: readonly Float32Array[], items: number): Promise<Float32Array>;
}

/** A model that answers, and what is still to be found out about its variants. */
export interface OpenedModel {
  readonly runnable: RunnableModel;
  /** Tries the other variant, a few milliseconds in each step, and ends with the model to run from then on; null: nothing to try. */
  readonly trial: AsyncGenerator<undefined, RunnableModel> | null;
}

/**
 * Loads one bundle and checks it. Where the variant is to be chosen for this machine, the default one runs until the
 * trial has ended.
 * @throws BundleError with the reason when no variant can be used.
 */
export async function openModel(
  ort: OrtModule,
  choice: RuntimeChoice,
  request: LoadRequest['models'][number],
  timingMs: number,
): Promise<OpenedModel> {
  const bundle = await loadBundle(request.dir);
  const { manifest } = bundle;
  const auto = request.variant === 'auto';
  const wanted =
    auto || request.variant === 'default' ? manifest.defaultVariant : pickVariant(manifest, request.variant).id;
  const model = (variant: OpenVariant, trials: readonly VariantTrial[]) =>
    runnableModel(bundle, request, choice.runtime, variant, trials);
  // The default first: with equal times it is the one that stays.
  const other = auto && wanted !== 'fp32' && bundle.files.has('fp32') ? 'fp32' : null;
  const trials: VariantTrial[] = [];
  try {
    const first = await openVariant(ort, choice.runtime, bundle, wanted);
    const runnable = model(first, [accepted(wanted, null)]);
    const trial = other
      ? (async function* () {
          yield;
          let second: OpenVariant;
          try {
            second = await openVariant(ort, choice.runtime, bundle, other);
          } catch (error) {
            return model(first, [refused(other, error), accepted(wanted, null)]);
          }
          yield;
          const [firstMs, secondMs] = yield* timeVariants(manifest, [first, second], timingMs);
          const better = secondMs !== null && firstMs !== null && secondMs < firstMs * CLEARLY_FASTER;
          await (better ? first : second).session.release();
          return model(better ? second : first, [accepted(wanted, firstMs), accepted(other, secondMs)]);
        })()
      : null;
    return { runnable, trial };
  } catch (error) {
    trials.push(refused(wanted, error));
  }
  if (other) {
    try {
      const second = await openVariant(ort, choice.runtime, bundle, other);
      return { runnable: model(second, [...trials, accepted(other, null)]), trial: null };
    } catch (error) {
      trials.push(refused(other, error));
    }
  }
  throw new BundleError(trials.map((trial) => trial.refused).join('; '));
}

function accepted(variant: string, medianMs: number | null): VariantTrial {
  return { variant, medianMs, refused: null };
}

function refused(variant: string, error: unknown): VariantTrial {
  return { variant, medianMs: null, refused: messageOf(error) };
}

function runnableModel(
  { manifest }: Bundle,
  { slot, dir }: LoadRequest['models'][number],
  runtime: Runtime,
  { id, run, takesBatches }: OpenVariant,
  trials: readonly VariantTrial[],
): RunnableModel {
  const { golden: _, ...rest } = manifest;
  const { precision, sha256 } = pickVariant(manifest, id);
  return {
    itemValues: manifest.inputs.reduce((sum, input) => sum + sizeOf(input.shape), 0),
    run,
    loaded: { slot, dir, variant: id, precision, sha256, runtime, takesBatches, trials, manifest: rest },
  };
}

interface OpenVariant {
  readonly id: string;
  readonly session: InferenceSession;
  readonly takesBatches: boolean;
  run(inputs: readonly Float32Array[], items: number): Promise<Float32Array>;
}

async function openVariant(ort: OrtModule, runtime: Runtime, bundle: Bundle, id: string): Promise<OpenVariant> {
  const { manifest } = bundle;
  const bytes = bundle.files.get(id) as Uint8Array;
  const session = await ort.InferenceSession.create(bytes, {
    ...SESSION_OPTIONS,
    executionProviders: [PROVIDERS[runtime]],
  });
  try {
    const takesBatches = checkGraph(manifest, session);
    const run = runnerOf(ort, manifest, session, takesBatches);
    const fault = await checkGolden(manifest, id, run, takesBatches);
    if (fault) throw new BundleError(fault);
    return { id, session, takesBatches, run };
  } catch (error) {
    await session.release();
    throw error;
  }
}

/** Compares the graph's inputs and output with the manifest; tells whether the first dimension is free. */
function checkGraph(manifest: Manifest, session: InferenceSession): boolean {
  let takesBatches = true;
  for (const input of manifest.inputs) {
    const meta = session.inputMetadata.find((candidate) => candidate.name === input.name);
    if (!meta?.isTensor) throw new BundleError(`the model has no input "${input.name}"`);
    if (meta.type !== 'float32') throw new BundleError(`input "${input.name}" is ${meta.type}, must be float32`);
    const [batch, ...shape] = meta.shape;
    const differs =
      shape.length !== input.shape.length ||
      shape.some((size, at) => typeof size === 'number' && size !== input.shape[at]);
    if (batch === undefined || differs)
      throw new BundleError(`input "${input.name}" has shape [${meta.shape}], the manifest says [N,${input.shape}]`);
    if (typeof batch === 'number' && batch !== 1)
      throw new BundleError(`input "${input.name}" has a fixed batch of ${batch}; must be free or 1`);
    if (typeof batch === 'number') takesBatches = false;
  }
  if (session.inputNames.length !== manifest.inputs.length)
    throw new BundleError(`the model has inputs ${session.inputNames}, the manifest ${manifest.inputs.length} of them`);
  if (!session.outputNames.includes(manifest.output.name))
    throw new BundleError(`the model has no output "${manifest.output.name}"`);
  return takesBatches;
}

function runnerOf(ort: OrtModule, manifest: Manifest, session: InferenceSession, takesBatches: boolean) {
  const sizes = manifest.inputs.map((input) => sizeOf(input.shape));
  const labels = manifest.output.labels.length;
  const fetches = [manifest.output.name];

  const runOnce = async (inputs: readonly Float32Array[], items: number): Promise<Float32Array> => {
    const feeds: Record<string, Tensor> = {};
    for (const [at, input] of manifest.inputs.entries())
      feeds[input.name] = new ort.Tensor('float32', inputs[at] as Float32Array, [items, ...input.shape]);
    const output = (await session.run(feeds, fetches))[manifest.output.name];
    if (!(output?.data instanceof Float32Array))
      throw new BundleError(`output "${manifest.output.name}" is not float32`);
    if (output.data.length !== items * labels)
      throw new BundleError(`output holds ${output.data.length} values for ${items} items of ${labels} labels`);
    return output.data;
  };

  if (takesBatches) return runOnce;
  return async (inputs: readonly Float32Array[], items: number): Promise<Float32Array> => {
    const all = new Float32Array(items * labels);
    for (let item = 0; item < items; item++) {
      const one = inputs.map((values, at) =>
        values.subarray(item * (sizes[at] as number), (item + 1) * (sizes[at] as number)),
      );
      all.set(await runOnce(one, 1), item * labels);
    }
    return all;
  };
}

/** Median time of one item for each variant, the variants taking turns so that a busy moment hits all alike. */
async function* timeVariants(
  manifest: Manifest,
  variants: readonly [OpenVariant, OpenVariant],
  timingMs: number,
): AsyncGenerator<undefined, readonly [number | null, number | null]> {
  const inputs = (manifest.golden.inputs[0] as number[][]).map((values) => Float32Array.from(values));
  const times: number[][] = variants.map(() => []);
  let leftMs = timingMs * variants.length;
  for (let round = 0; round < MIN_TIMED_RUNS || leftMs > 0; round++) {
    const began = performance.now();
    for (const [at, variant] of variants.entries()) {
      const from = performance.now();
      await variant.run(inputs, 1);
      times[at]?.push(performance.now() - from);
    }
    leftMs -= performance.now() - began;
    yield;
  }
  return [median(times[0] ?? []), median(times[1] ?? [])];
}

function median(values: readonly number[]): number | null {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? null;
}

function sizeOf(shape: readonly number[]): number {
  return shape.reduce((product, n) => product * n, 1);
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

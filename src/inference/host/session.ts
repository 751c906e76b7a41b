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

/**
 * Loads one bundle, checks it and chooses its variant for this machine.
 * @throws BundleError with the reason when no variant can be used.
 */
export async function openModel(
  ort: OrtModule,
  choice: RuntimeChoice,
  request: LoadRequest['models'][number],
  timingMs: number,
): Promise<RunnableModel> {
  const bundle = await loadBundle(request.dir);
  const { manifest } = bundle;
  const auto = request.variant === 'auto';
  const wanted =
    auto || request.variant === 'default' ? manifest.defaultVariant : pickVariant(manifest, request.variant).id;
  // The default first: with equal times it is the one that stays.
  const candidates = auto && wanted !== 'fp32' && bundle.files.has('fp32') ? [wanted, 'fp32'] : [wanted];

  const open: OpenVariant[] = [];
  const trials: VariantTrial[] = [];
  for (const id of candidates) {
    try {
      open.push(await openVariant(ort, choice.runtime, bundle, id));
    } catch (error) {
      trials.push({ variant: id, medianMs: null, refused: messageOf(error) });
    }
  }
  if (open.length === 0) throw new BundleError(trials.map((trial) => trial.refused).join('; '));

  const times = open.length > 1 ? await timeVariants(manifest, open, timingMs) : open.map(() => null);
  for (const [at, variant] of open.entries())
    trials.push({ variant: variant.id, medianMs: times[at] ?? null, refused: null });
  const [defaultMs, otherMs] = times;
  const best = open[1] && otherMs != null && defaultMs != null && otherMs < defaultMs * CLEARLY_FASTER ? 1 : 0;
  const chosen = open[best] as OpenVariant;
  for (const variant of open) if (variant !== chosen) await variant.session.release();

  const { golden: _, ...rest } = manifest;
  const facts = pickVariant(manifest, chosen.id);
  return {
    itemValues: manifest.inputs.reduce((sum, input) => sum + sizeOf(input.shape), 0),
    run: chosen.run,
    loaded: {
      slot: request.slot,
      dir: request.dir,
      variant: chosen.id,
      precision: facts.precision,
      sha256: facts.sha256,
      runtime: choice.runtime,
      takesBatches: chosen.takesBatches,
      trials,
      manifest: rest,
    },
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
async function timeVariants(manifest: Manifest, variants: readonly OpenVariant[], timingMs: number) {
  const inputs = (manifest.golden.inputs[0] as number[][]).map((values) => Float32Array.from(values));
  const times: number[][] = variants.map(() => []);
  const end = performance.now() + timingMs * variants.length;
  for (let round = 0; round < MIN_TIMED_RUNS || performance.now() < end; round++) {
    for (const [at, variant] of variants.entries()) {
      const from = performance.now();
      await variant.run(inputs, 1);
      times[at]?.push(performance.now() - from);
    }
  }
  return times.map((list) => {
    const sorted = list.toSorted((a, b) => a - b);
    return sorted[Math.floor(sorted.length / 2)] ?? null;
  });
}

function sizeOf(shape: readonly number[]): number {
  return shape.reduce((product, n) => product * n, 1);
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

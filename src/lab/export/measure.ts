import { performance } from 'node:perf_hooks';
import * as ort from 'onnxruntime-node';
import { elementCount, type OnnxGraph, type OnnxModel, type OnnxTensor, producersOf } from '../onnx/ir.js';
import { watchAll } from '../quantize/calibrate.js';
import { type ModelItem, Runner, SESSION_OPTIONS } from '../quantize/runtime.js';

/** What a model holds and costs, counted on its float form. */
export interface Size {
  /** Weights and biases. */
  readonly parameters: number;
  /** Multiply-accumulates for one item, of convolutions and matrix products. */
  readonly macs: number;
}

const PRODUCTS = new Set(['Conv', 'ConvTranspose', 'Gemm', 'MatMul', 'MatMulInteger']);

/** Counts parameters, and multiply-accumulates by running one item and looking at how much each node gives. */
export async function sizeOf(model: OnnxModel, item: ModelItem): Promise<Size> {
  const { graph } = model;
  let parameters = 0;
  for (const { type, data } of graph.initializers.values()) if (type === 'float32') parameters += data.length;
  const watched = watchAll(model);
  const runner = await Runner.load(watched, { graphOptimizationLevel: 'disabled' });
  const outputs = await runner.run([item]);
  await runner.release();
  const lengths = new Map(watched.graph.outputs.map(({ name }, i) => [name, outputs[i]!.length]));
  const shapes = new Map(
    graph.inputs.map(({ name, shape }) => [name, shape!.slice(1).reduce<number>((a, b) => a * Number(b), 1)]),
  );
  let macs = 0;
  for (const node of graph.nodes) {
    const weight = graph.initializers.get(node.inputs[1] ?? '');
    if (!PRODUCTS.has(node.op) || !weight) continue;
    if (node.op === 'ConvTranspose') {
      const places = (lengths.get(node.inputs[0]!) ?? shapes.get(node.inputs[0]!)!) / weight.dims[0]!;
      macs += places * weight.data.length;
    } else {
      const outputsOfWeight =
        node.op === 'Conv' || node.attributes.transB?.value === 1 ? weight.dims[0]! : weight.dims.at(-1)!;
      macs += (lengths.get(node.outputs[0]!)! / outputsOfWeight) * weight.data.length;
    }
  }
  return { parameters, macs };
}

/** The weights of convolutions and matrix products in whatever type the file stores them, biases left out. */
export function weightTensors(graph: OnnxGraph): OnnxTensor[] {
  const producers = producersOf(graph);
  const found = new Map<string, OnnxTensor>();
  for (const node of graph.nodes) {
    if (!PRODUCTS.has(node.op)) continue;
    let name = node.inputs[1]!;
    // Through Cast, Mul and DequantizeLinear back to the stored values, always their first input.
    for (let source = producers.get(name); source; source = producers.get(name)) name = source.inputs[0]!;
    const tensor = graph.initializers.get(name);
    if (tensor) found.set(name, tensor);
  }
  return [...found.values()];
}

/** Share of weights that are exactly zero. */
export function sparsityOf(model: OnnxModel): number {
  let zeros = 0;
  let all = 0;
  for (const tensor of weightTensors(model.graph)) {
    all += elementCount(tensor.dims);
    // Half-precision zero is 0x0000 or 0x8000 (minus zero).
    const negativeZero = tensor.type === 'float16' ? 0x8000 : 0;
    for (const value of tensor.data) if (Number(value) === 0 || Number(value) === negativeZero) zeros++;
  }
  return all === 0 ? 0 : zeros / all;
}

export interface Latency {
  readonly p50Us: number;
  readonly p99Us: number;
  /** Median over rounds of this model's median time by the first model's, so that a busy machine slows both. */
  readonly byFirst: number;
}

export interface LatencyOptions {
  readonly rounds?: number;
  readonly runsPerRound?: number;
}

/**
 * Times one item at a time in onnxruntime, on one thread as the daemon runs it. The models take turns in short rounds.
 *
 * @param files by variant id; the first is what the others are compared with
 */
export async function measureLatency(
  files: ReadonlyMap<string, Uint8Array>,
  feeds: Record<string, ort.Tensor>,
  { rounds = 15, runsPerRound = 60 }: LatencyOptions = {},
): Promise<Map<string, Latency>> {
  const sessions: { id: string; session: ort.InferenceSession; times: number[]; medians: number[] }[] = [];
  try {
    for (const [id, bytes] of files) {
      sessions.push({ id, session: await ort.InferenceSession.create(bytes, SESSION_OPTIONS), times: [], medians: [] });
    }
    for (let round = -1; round < rounds; round++) {
      for (const { session, times, medians } of sessions) {
        const own: number[] = [];
        for (let run = 0; run < runsPerRound; run++) {
          const start = performance.now();
          await session.run(feeds);
          own.push((performance.now() - start) * 1000);
        }
        // Round -1 warms up caches and the compiler.
        if (round < 0) continue;
        times.push(...own);
        medians.push(quantile(own, 0.5));
      }
    }
    const first = sessions[0]!;
    return new Map(
      sessions.map(({ id, times, medians }) => {
        const ratios = medians.map((median, round) => median / first.medians[round]!);
        return [id, { p50Us: quantile(times, 0.5), p99Us: quantile(times, 0.99), byFirst: quantile(ratios, 0.5) }];
      }),
    );
  } finally {
    for (const { session } of sessions) await session.release();
  }
}

function quantile(values: readonly number[], share: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))]!;
}

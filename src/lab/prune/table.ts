import { gzipSync } from 'node:zlib';
import type * as TensorFlow from '@tensorflow/tfjs';
import * as ort from 'onnxruntime-node';
import { LabError } from '../error.js';
import { compactModel } from '../export/compact.js';
import { measureLatency, sizeOf } from '../export/measure.js';
import { encodeModel, layersModelToOnnx, type OnnxModel } from '../onnx/index.js';
import { answers, type ModelItem } from '../quantize/runtime.js';
import { CHANNEL_GROUP, pruneChannels, type TensorFlowModels } from './channel.js';
import { kernelSparsity } from './kernel-sparsity.js';

/** `none` is the model as it came. */
export type PruningKind = 'none' | 'magnitude' | 'channels';

/** What is left of a model when so much of it is pruned, and what that costs and brings. */
export interface PruningRow {
  readonly kind: PruningKind;
  /** Share of each kernel's weights, or of the channels of each layer, that was to go. */
  readonly share: number;
  /** Share of zeros among the kernels' weights that came out. */
  readonly sparsity: number;
  readonly parameters: number;
  /** Multiply-accumulates an item. */
  readonly macs: number;
  /** The float32 ONNX file, as it is and gzipped. */
  readonly bytes: number;
  readonly gzipBytes: number;
  /** Figures on items that it was not trained on, as `evaluate` tells them: accuracy ... */
  readonly figures: Readonly<Record<string, number>>;
  /** One item at a time on one thread, as the daemon runs it. */
  readonly p50Us: number;
  readonly p99Us: number;
  /** Time by that of the model as it came. */
  readonly byFloat: number;
}

export interface PruningTableOptions {
  /** Shares of each kernel's weights to prune, each with a model of its own. */
  readonly magnitude?: readonly number[];
  /** Shares of the channels of each layer to take out, each with a model of its own. */
  readonly channels?: readonly number[];
  /** Channel counts stay multiples of this (4). */
  readonly multipleOf?: number;
  /** Prunes a copy of the model to a sparsity while training it on; in place. */
  prune(model: TensorFlow.LayersModel, sparsity: number): Promise<unknown>;
  /** Trains a copy on that lost channels; in place. */
  tune(model: TensorFlow.LayersModel, share: number): Promise<unknown>;
  /** Names of the ONNX graph's ends, where they are not the layers'. */
  readonly names?: { readonly inputNames?: readonly string[]; readonly outputNames?: readonly string[] };
  /** Items that the model was not trained on. */
  readonly items: readonly ModelItem[];
  /** Figures of a model's answers, one array per item; larger is better. */
  evaluate(answers: readonly Float32Array[]): Readonly<Record<string, number>>;
  /** Before each row: how many are done. */
  onRow?(done: number, of: number, kind: PruningKind, share: number): void;
}

/**
 * Sparsity against accuracy, size and speed: prunes a trained model to each share, by single weights and by whole channels,
 * always from the model as it came, which stays as it is. The times of all rows are taken in turns, so that a busy machine
 * slows them all.
 */
export async function pruningTable(
  tf: TensorFlowModels,
  model: TensorFlow.LayersModel,
  options: PruningTableOptions,
): Promise<PruningRow[]> {
  const { magnitude = [], channels = [], multipleOf = CHANNEL_GROUP, items, names } = options;
  if (items.length === 0) throw new LabError('a pruning table needs items to evaluate on');
  const wanted = [
    { kind: 'none', share: 0 } as const,
    ...magnitude.map((share) => ({ kind: 'magnitude', share }) as const),
    ...channels.map((share) => ({ kind: 'channels', share }) as const),
  ];
  const rows: Omit<PruningRow, 'p50Us' | 'p99Us' | 'byFloat'>[] = [];
  const files = new Map<string, Uint8Array>();
  let graph: OnnxModel['graph'] | undefined;
  for (const [i, { kind, share }] of wanted.entries()) {
    options.onRow?.(i, wanted.length, kind, share);
    // With a share of 0 it is a copy of the whole model.
    const sparsity = kind === 'channels' ? share : 0;
    const { model: copy } = await pruneChannels(tf, model, { sparsity, multipleOf });
    if (kind === 'magnitude') await options.prune(copy, share);
    else if (kind === 'channels') await options.tune(copy, share);
    const onnx = layersModelToOnnx(copy, {
      name: model.name,
      ...(names?.inputNames && { inputNames: [...names.inputNames] }),
      ...(names?.outputNames && { outputNames: [...names.outputNames] }),
    });
    const zeros = kernelSparsity(copy);
    copy.dispose();
    graph ??= onnx.graph;
    const bytes = encodeModel(compactModel(onnx));
    files.set(String(i), bytes);
    rows.push({
      ...{ kind, share, sparsity: zeros, ...(await sizeOf(onnx, items[0]!)) },
      ...{ bytes: bytes.length, gzipBytes: gzipSync(bytes, { level: 9 }).length },
      figures: options.evaluate(await answers(onnx, items)),
    });
  }
  const feeds = Object.fromEntries(
    graph!.inputs.map(({ name, shape }, i) => [
      name,
      new ort.Tensor('float32', items[0]![i]!, [1, ...shape!.slice(1).map(Number)]),
    ]),
  );
  const times = await measureLatency(files, feeds);
  return rows.map((row, i) => {
    const { p50Us, p99Us, byFirst } = times.get(String(i))!;
    return { ...row, p50Us, p99Us, byFloat: byFirst };
  });
}

/** The table as text, columns aligned. */
export function renderPruningTable(rows: readonly PruningRow[]): string {
  const names = Object.keys(rows[0]?.figures ?? {});
  const head = ['pruned', 'zeros', 'MACs', 'bytes', 'gzip', ...names, 'p50 us', 'p99 us', 'time by float'];
  const lines = rows.map(({ kind, share, sparsity, macs, bytes, gzipBytes, figures, p50Us, p99Us, byFloat }) => [
    kind === 'none' ? 'nothing' : `${kind} ${(share * 100).toFixed(0)} %`,
    `${(sparsity * 100).toFixed(1)} %`,
    ...[macs, bytes, gzipBytes].map(String),
    ...names.map((name) => figures[name]!.toFixed(4)),
    ...[p50Us.toFixed(1), p99Us.toFixed(1), byFloat.toFixed(2)],
  ]);
  const widths = head.map((_, column) => Math.max(...[head, ...lines].map((line) => line[column]!.length)));
  return [head, ...lines]
    .map((line) => line.map((cell, i) => (i === 0 ? cell.padEnd(widths[i]!) : cell.padStart(widths[i]!))).join('  '))
    .join('\n');
}

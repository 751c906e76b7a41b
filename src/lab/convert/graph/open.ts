import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Size } from '../../onnx/builder.js';
import { makeValue } from '../../onnx/builder.js';
import { foldBatchNorms } from '../../onnx/fold.js';
import { finishModel, nameOutputs } from '../../onnx/from-layers.js';
import { UnsupportedLayerError } from '../../onnx/layer.js';
import { ProtobufError } from '../../onnx/protobuf.js';
import type { ModelItem } from '../../quantize/runtime.js';
import { ConvertError } from '../error.js';
import type { Reference, SourceModel, SourceOptions } from '../source.js';
import { readTfjsWeights, type TfjsJson } from '../tfjs/read.js';
import { readCheckpoint } from './checkpoint.js';
import { parseSavedModel, type TfAttr, type TfGraph, type TfNode, type TfTensor } from './proto.js';
import { type Edge, TfWalk } from './walk.js';

/** A TensorFlow SavedModel folder, by its signature `serving_default`. @throws ConvertError, UnsupportedLayerError */
export async function openSavedModelFolder(folder: string, name: string, options: SourceOptions): Promise<SourceModel> {
  const file = join(folder, 'saved_model.pb');
  const bytes = await readFile(file).catch((error: NodeJS.ErrnoException) => {
    throw new ConvertError(`${file}: cannot be read (${error.code})`);
  });
  try {
    const graph = parseSavedModel(bytes);
    if (!graph) throw new ConvertError(`${file}: is not a TensorFlow SavedModel`);
    const checkpoint = await readCheckpoint(join(folder, 'variables', 'variables'));
    return await fromSignature(folder, graph, checkpoint, name, options);
  } catch (error) {
    if (error instanceof ProtobufError)
      throw new ConvertError(`${folder}: is not a readable SavedModel (${error.message})`);
    throw error;
  }
}

async function fromSignature(
  folder: string,
  graph: TfGraph,
  checkpoint: ReadonlyMap<string, TfTensor>,
  name: string,
  options: SourceOptions,
): Promise<SourceModel> {
  const signature =
    graph.signatures.get('serving_default') ?? [...graph.signatures].find(([key]) => !key.startsWith('__'))?.[1];
  if (!signature || signature.outputs.size === 0) {
    throw new ConvertError(
      `${folder}: has no signature to serve (it has ${[...graph.signatures.keys()].join(', ') || 'none'}); export it with model.export`,
    );
  }
  const keys = restoredKeys(graph);
  const walk = new TfWalk(name, graph, (node) => checkpoint.get(keys.get(node) ?? ''));
  const { builder } = walk;
  const inputs = new Map<string, Edge>();
  const argumentNames = [...signature.inputs.keys()].sort();
  for (const argument of argumentNames) {
    const { tensor, shape, type } = signature.inputs.get(argument)!;
    if (type === DATA_TYPES.DT_STRING)
      throw new UnsupportedLayerError(`input '${argument}' takes text; only numbers are supported`);
    const told =
      options.inputShapes?.get(argument) ?? (signature.inputs.size === 1 ? options.inputShapes?.get('') : undefined);
    const sizes: Size[] = [null, ...(shape?.slice(1) ?? told ?? []).map((size, i) => size ?? told?.[i] ?? null)];
    if ((!shape && !told) || sizes.slice(1).includes(null)) {
      throw new ConvertError(
        `input '${argument}' leaves a size open: a bundle has fixed shapes; give it, for example --input-shape 128,1`,
      );
    }
    const own = builder.unique(argument);
    builder.graph.inputs.push({ name: own, type: 'float32', shape: builder.dims(own, sizes) });
    inputs.set(tensor.split(':')[0]!, { kind: 'value', value: makeValue(sizes, own) });
  }
  const outputNames = [...signature.outputs.keys()].sort();
  const values = walk.run(
    outputNames.map((output) => signature.outputs.get(output)!),
    inputs,
  );
  nameOutputs(
    builder,
    values,
    outputNames.map((output) => builder.unique(output)),
  );
  foldBatchNorms(builder.graph);
  return {
    description: 'TensorFlow SavedModel',
    name,
    onnx: finishModel(builder.graph),
    reference: () =>
      savedModelReference(
        folder,
        argumentNames,
        outputNames,
        builder.graph.inputs.map(({ shape }) => shape!.slice(1).map(Number)),
        argumentNames.map((argument) => [3, 9].includes(signature.inputs.get(argument)!.type)),
      ),
  };
}

/**
 * Which checkpoint key each variable is restored from, read out of the restore function: it assigns to the variables
 * what RestoreV2 gives, in the order of a list of keys.
 */
function restoredKeys(graph: TfGraph): Map<string, string> {
  const keys = new Map<string, string>();
  const call = graph.nodes.find(({ name }) => name === graph.restoreOp);
  const f = call?.attrs.f;
  const restore = typeof f === 'object' && 'func' in f ? graph.functions.get(f.func) : undefined;
  // In graphs without functions the restoring nodes stand among the others.
  const nodes = new Map((restore?.nodes ?? graph.nodes).map((node) => [node.name, node]));
  for (const node of nodes.values()) {
    if (node.op !== 'AssignVariableOp') continue;
    const variable = restore ? call!.inputs[restore.args.indexOf(node.inputs[0]!)] : node.inputs[0];
    let source = node.inputs[1] ?? '';
    let from = nodes.get(source.split(':')[0]!);
    while (from?.op === 'Identity') {
      source = from.inputs[0]!;
      from = nodes.get(source.split(':')[0]!);
    }
    if (from?.op !== 'RestoreV2' || !variable) continue;
    const names = nodes.get(from.inputs[1]!.split(':')[0]!)?.attrs.value as TfTensor | undefined;
    const key = names?.texts?.[Number(source.split(':').at(-1))] ?? names?.texts?.[0];
    if (key) keys.set(variable.split(':')[0]!, key);
  }
  return keys;
}

/** The SavedModel in TensorFlow itself, through tfjs-node. @throws Error where that is not installed or refuses it */
async function savedModelReference(
  folder: string,
  inputNames: readonly string[],
  outputNames: readonly string[],
  shapes: readonly (readonly number[])[],
  areWhole: readonly boolean[],
): Promise<Reference> {
  const { openBackend } = await import('../../backend.js');
  await openBackend('native').catch(() => {
    throw new Error('TensorFlow (tfjs-node) is not installed here: slothd lab setup');
  });
  const { createRequire } = await import('node:module');
  const tf = createRequire(import.meta.url)('@tensorflow/tfjs-node') as typeof import('@tensorflow/tfjs-node');
  const model = await tf.node.loadSavedModel(folder);
  return {
    by: `TensorFlow ${tf.version['tfjs-node']} (tfjs-node)`,
    async run(items: readonly ModelItem[]) {
      const feeds = Object.fromEntries(
        inputNames.map((name, i) => {
          const size = shapes[i]!.reduce((a, b) => a * b, 1);
          const all = new Float32Array(size * items.length);
          items.forEach((item, at) => {
            all.set(item[i]!, at * size);
          });
          return [name, tf.tensor(all, [items.length, ...shapes[i]!], areWhole[i] ? 'int32' : 'float32')];
        }),
      );
      const result = model.predict(feeds) as Record<string, import('@tensorflow/tfjs-node').Tensor>;
      return outputNames.map((name) => Float32Array.from(result[name]!.dataSync()));
    },
    close() {
      model.dispose();
    },
  };
}

interface GraphJsonNode {
  readonly name: string;
  readonly op: string;
  readonly input?: readonly string[];
  readonly attr?: Readonly<Record<string, Readonly<Record<string, unknown>>>>;
}

/** A TensorFlow.js graph model: the same operations, as JSON. @throws ConvertError, UnsupportedLayerError */
export async function openTfjsGraph(
  file: string,
  json: TfjsJson,
  name: string,
  options: SourceOptions,
): Promise<SourceModel> {
  const topology = json.modelTopology as { node?: readonly GraphJsonNode[] };
  if (!Array.isArray(topology.node)) throw new ConvertError(`${file}: its modelTopology lists no nodes`);
  const weights = await readTfjsWeights(file, json);
  const nodes = (topology.node as GraphJsonNode[]).map((node): TfNode => {
    const stored = node.op === 'Const' ? weights.get(node.name) : undefined;
    const inputs = (node.input ?? []).filter((input) => !input.startsWith('^'));
    if (stored)
      return { name: node.name, op: 'Const', inputs, attrs: { value: { shape: stored.shape, data: stored.data } } };
    const attrs = Object.entries(node.attr ?? {}).map(([key, value]) => [key, jsonAttr(value)] as const);
    return {
      name: node.name,
      op: node.op,
      inputs,
      attrs: Object.fromEntries(attrs.filter(([, value]) => value !== null)) as TfNode['attrs'],
    };
  });
  const walk = new TfWalk(name, { nodes, functions: new Map() }, () => undefined);
  const inputs = new Map<string, Edge>();
  for (const node of nodes.filter(({ op }) => op === 'Placeholder')) {
    const own = (node.attrs.shape as readonly number[] | undefined) ?? [];
    const told = options.inputShapes?.get(node.name) ?? options.inputShapes?.get('');
    const sizes: Size[] = [
      null,
      ...(own.length > 0 ? own.slice(1) : (told ?? [])).map((size, i) => (size < 0 ? (told?.[i] ?? null) : size)),
    ];
    if (sizes.length === 1 || sizes.slice(1).includes(null))
      throw new ConvertError(`input '${node.name}' leaves a size open: give it, for example --input-shape 128,1`);
    const unique = walk.builder.unique(node.name);
    walk.builder.graph.inputs.push({ name: unique, type: 'float32', shape: walk.builder.dims(unique, sizes) });
    inputs.set(node.name, { kind: 'value', value: makeValue(sizes, unique) });
  }
  const read = new Set(nodes.flatMap((node) => node.inputs.map((input) => input.split(':')[0]!)));
  const outputNames = nodes
    .filter((node) => !read.has(node.name) && node.op !== 'Const' && node.op !== 'Placeholder')
    .map((node) => node.name);
  if (outputNames.length === 0) throw new UnsupportedLayerError(`${file}: the graph has no output`);
  const values = walk.run(outputNames, inputs);
  nameOutputs(
    walk.builder,
    values,
    outputNames.map((output) => walk.builder.unique(output)),
  );
  foldBatchNorms(walk.builder.graph);
  return {
    description: `TensorFlow.js graph model (${json.convertedBy ?? json.generatedBy ?? 'unknown'})`,
    name,
    onnx: finishModel(walk.builder.graph),
    reference: async () => {
      throw new Error('graph models are not run in TensorFlow.js here');
    },
  };
}

/** By their numbers (tensorflow/core/framework/types.proto), as far as they matter. */
const DATA_TYPES: Readonly<Record<string, number>> = {
  ...{ DT_FLOAT: 1, DT_DOUBLE: 2, DT_INT32: 3, DT_UINT8: 4, DT_INT16: 5, DT_INT8: 6, DT_STRING: 7, DT_INT64: 9 },
  ...{ DT_BOOL: 10, DT_HALF: 19 },
};

function jsonAttr(value: Readonly<Record<string, unknown>>): TfAttr | null {
  if (typeof value.s === 'string') return Buffer.from(value.s, 'base64').toString('utf8');
  if (value.i !== undefined) return Number(value.i);
  if (value.f !== undefined) return Number(value.f);
  if (typeof value.b === 'boolean') return value.b;
  if (value.type !== undefined)
    return typeof value.type === 'string' ? (DATA_TYPES[value.type] ?? 0) : Number(value.type);
  const list = value.list as { i?: readonly unknown[] } | undefined;
  if (list) return (list.i ?? []).map(Number);
  const shape = value.shape as { dim?: readonly { size?: unknown }[] } | undefined;
  return shape ? (shape.dim ?? []).map(({ size }) => Number(size ?? -1)) : null;
}

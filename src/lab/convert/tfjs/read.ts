import { readFile } from 'node:fs/promises';
import { dirname, isAbsolute, join, normalize } from 'node:path';
import type { Weight } from '../../onnx/layer.js';
import { fromHalf } from '../../quantize/float16.js';
import { ConvertError } from '../error.js';
import type { KerasModel } from '../keras/read.js';
import { type GraphLayer, parseTopology } from '../keras/topology.js';
import { weightSlots } from '../keras/weights.js';

/** `model.json` of TensorFlow.js, as far as it is read here. */
export interface TfjsJson {
  readonly format?: string;
  readonly generatedBy?: string;
  readonly convertedBy?: string | null;
  readonly modelTopology?: Record<string, unknown>;
  readonly weightsManifest?: readonly {
    readonly paths: readonly string[];
    readonly weights: readonly {
      readonly name: string;
      readonly shape: readonly number[];
      readonly dtype: string;
      readonly quantization?: { readonly dtype: string; readonly scale?: number; readonly min?: number };
    }[];
  }[];
}

/** @throws ConvertError when it is no `model.json` of TensorFlow.js */
export async function readTfjsJson(file: string): Promise<TfjsJson> {
  let json: TfjsJson;
  try {
    json = JSON.parse(await readFile(file, 'utf8')) as TfjsJson;
  } catch (error) {
    throw new ConvertError(`${file}: cannot be read (${(error as Error).message})`);
  }
  if (typeof json?.modelTopology !== 'object' || !Array.isArray(json.weightsManifest)) {
    throw new ConvertError(`${file}: is not a TensorFlow.js model (no modelTopology and weightsManifest)`);
  }
  return json;
}

/** A TensorFlow.js layers model: `model.json` and its shards. @throws ConvertError */
export async function readTfjsLayers(file: string, json: TfjsJson): Promise<KerasModel> {
  const topology = json.modelTopology!;
  const config = (topology.model_config ?? topology) as unknown;
  // TensorFlow.js computes as Keras 2 did, whatever wrote the file.
  const graph = parseTopology(typeof config === 'string' ? JSON.parse(config) : config, 2);
  const named = await readTfjsWeights(file, json);
  const madeBy = json.convertedBy ?? json.generatedBy ?? 'TensorFlow.js';
  return { graph, weights: (path, layer) => weightsByName(named, path, layer), madeBy };
}

/** All weights of the manifest by name, dequantized. @throws ConvertError naming a shard that is missing or too short */
export async function readTfjsWeights(file: string, json: TfjsJson): Promise<Map<string, Weight>> {
  const named = new Map<string, Weight>();
  for (const { paths, weights } of json.weightsManifest!) {
    const parts: Buffer[] = [];
    for (const path of paths) {
      if (isAbsolute(path) || normalize(path).startsWith('..'))
        throw new ConvertError(`${file}: shard "${path}" lies outside its folder`);
      parts.push(
        await readFile(join(dirname(file), path)).catch((error: NodeJS.ErrnoException) => {
          throw new ConvertError(`${file}: its shard ${path} cannot be read (${error.code})`);
        }),
      );
    }
    const bytes = Buffer.concat(parts);
    let at = 0;
    for (const { name, shape, dtype, quantization } of weights) {
      const stored = quantization?.dtype ?? dtype;
      const width = WIDTHS[stored];
      if (!width) throw new ConvertError(`${file}: weight '${name}' is ${stored}, which is not supported`);
      const count = shape.reduce((a, b) => a * b, 1);
      if (bytes.length < at + count * width)
        throw new ConvertError(`${file}: its shards end before weight '${name}'; is a file missing or cut off?`);
      const view = new DataView(bytes.buffer, bytes.byteOffset + at, count * width);
      const { scale = 1, min = 0 } = quantization ?? {};
      const affine = quantization !== undefined && stored.startsWith('uint');
      const data = Float32Array.from({ length: count }, (_, i) => {
        const value = readValue(view, i, stored);
        return affine ? value * scale + min : value;
      });
      if (named.has(name)) {
        throw new ConvertError(
          `${file}: holds two weights '${name}': give each layer a name of its own, and save again`,
        );
      }
      named.set(name, { name, shape, data });
      at += count * width;
    }
  }
  return named;
}

const WIDTHS: Readonly<Record<string, number>> = { float32: 4, int32: 4, float16: 2, uint8: 1, uint16: 2, bool: 1 };

function readValue(view: DataView, i: number, type: string): number {
  switch (type) {
    case 'float32':
      return view.getFloat32(4 * i, true);
    case 'int32':
      return view.getInt32(4 * i, true);
    case 'float16':
      return fromHalf(view.getUint16(2 * i, true));
    case 'uint16':
      return view.getUint16(2 * i, true);
    default:
      return view.getUint8(i);
  }
}

/** A layer's weights, found by its name at the front and the weight's own name at the end. */
function weightsByName(named: ReadonlyMap<string, Weight>, path: string, layer: GraphLayer): Weight[] {
  const slots = weightSlots(layer);
  const own = path.split('/').at(-1)!;
  const names = [...named.keys()];
  const below = (part: string) =>
    [(name: string) => name.startsWith(`${part}/`), (name: string) => name.includes(`/${part}/`)]
      .map((test) => names.filter(test))
      .find((found) => found.length > 0) ?? [];
  const inner = layer.wrapped?.name;
  const found = below(own);
  const candidates = found.length > 0 || !inner ? found : below(inner);
  const half = layer.className === 'Bidirectional' ? slots.length / 2 : slots.length;
  const picked = slots.flatMap(({ name: slot }, i) => {
    const side = i < half ? 'forward_' : 'backward_';
    const pool =
      layer.className === 'Bidirectional'
        ? names.filter(
            (name) =>
              name.split('/').some((part) => part === `${side}${inner}` || part.startsWith(side)) &&
              (candidates.length === 0 ||
                candidates.includes(name) ||
                !names.some((other) => other.startsWith(`${own}/`))),
          )
        : candidates;
    const name = theOne(
      pool.filter((candidate) => lastPart(candidate) === slot),
      path,
      layer.name,
    );
    return name === undefined ? [] : [named.get(name)!];
  });
  return picked;
}

/** The weight that is meant among several of the same last name: that of this very layer, within the models it lies in. */
function theOne(names: readonly string[], path: string, layer: string): string | undefined {
  let left = names;
  for (const part of path.split('/').filter(Boolean).reverse()) {
    if (left.length < 2) break;
    const below = left.filter((name) => `/${name}`.includes(`/${part}/`));
    if (below.length > 0) left = below;
  }
  const direct = left.filter((name) => name.split('/').at(-2) === layer);
  if (left.length > 1 && direct.length === 1) return direct[0];
  if (left.length > 1) {
    throw new ConvertError(
      `layer '${layer}': the file holds several weights that may be its own (${left.slice(0, 3).join(', ')}): give each layer a name of its own`,
    );
  }
  return left[0];
}

const lastPart = (name: string) => name.split('/').at(-1)!.replace(/:\d+$/, '');

/**
 * TensorFlow graphs out of `saved_model.pb`. Field numbers are those of tensorflow/core/framework/*.proto and
 * tensorflow/core/protobuf/{saved_model,meta_graph}.proto.
 */
import {
  asBytes,
  asFloat,
  asFloats,
  asInt,
  asInts,
  asString,
  type ProtobufField,
  readFields,
} from '../../onnx/protobuf.js';
import { fromHalf } from '../../quantize/float16.js';

/** A constant: numbers (NaN where a size is only known at run time) or texts. */
export interface TfTensor {
  readonly shape: readonly number[];
  readonly data: ArrayLike<number>;
  readonly texts?: readonly string[];
}

export type TfAttr = number | boolean | string | TfTensor | readonly number[] | { readonly func: string };

export interface TfNode {
  readonly name: string;
  readonly op: string;
  /** As in the file: `node`, `node:1`, `node:output:0`; control inputs (`^node`) are left out. */
  readonly inputs: readonly string[];
  readonly attrs: Readonly<Record<string, TfAttr>>;
}

export interface TfFunction {
  readonly name: string;
  readonly args: readonly string[];
  readonly outputs: readonly string[];
  /** Where each output comes from. */
  readonly returns: ReadonlyMap<string, string>;
  readonly nodes: readonly TfNode[];
}

export interface TfSignature {
  /** Tensor names (`node:0`) by argument. */
  readonly inputs: ReadonlyMap<
    string,
    {
      readonly tensor: string;
      /** DataType, by its number. */
      readonly type: number;
      readonly shape: readonly (number | null)[] | null;
    }
  >;
  readonly outputs: ReadonlyMap<string, string>;
}

export interface TfGraph {
  readonly nodes: readonly TfNode[];
  readonly functions: ReadonlyMap<string, TfFunction>;
  readonly signatures: ReadonlyMap<string, TfSignature>;
  /** The operation that restores the variables. */
  readonly restoreOp: string;
}

const all = (bytes: Uint8Array, number: number): ProtobufField[] =>
  [...readFields(bytes)].filter(({ field }) => field === number);
const bytesOf = (bytes: Uint8Array, number: number): Uint8Array[] => all(bytes, number).map(asBytes);
const textOf = (bytes: Uint8Array, number: number): string => all(bytes, number).map(asString).at(-1) ?? '';

function mapOf<T>(entries: readonly Uint8Array[], read: (value: Uint8Array) => T): Map<string, T> {
  return new Map(entries.map((entry) => [textOf(entry, 1), read(bytesOf(entry, 2).at(-1) ?? new Uint8Array())]));
}

/** The first meta graph of a SavedModel; null where the bytes hold none. */
export function parseSavedModel(bytes: Uint8Array): TfGraph | null {
  const [meta] = bytesOf(new Uint8Array(bytes), 2);
  if (!meta) return null;
  const graph = bytesOf(meta, 2).at(-1) ?? new Uint8Array();
  const library = bytesOf(graph, 2).at(-1) ?? new Uint8Array();
  const saver = bytesOf(meta, 3).at(-1) ?? new Uint8Array();
  return {
    nodes: bytesOf(graph, 1).map(readNode),
    functions: new Map(
      bytesOf(library, 1)
        .map(readFunction)
        .map((f) => [f.name, f]),
    ),
    signatures: mapOf(bytesOf(meta, 5), readSignature),
    restoreOp: textOf(saver, 3),
  };
}

function readSignature(bytes: Uint8Array): TfSignature {
  return {
    inputs: mapOf(bytesOf(bytes, 1), (info) => {
      const shape = bytesOf(info, 3).at(-1);
      const type = all(info, 2).map(asInt).at(-1) ?? 0;
      return { tensor: textOf(info, 1), type, shape: shape ? readShape(shape) : null };
    }),
    outputs: mapOf(bytesOf(bytes, 2), (info) => textOf(info, 1)),
  };
}

function readShape(bytes: Uint8Array): (number | null)[] | null {
  if (all(bytes, 3).some((field) => asInt(field) === 1)) return null;
  return bytesOf(bytes, 2).map((dim) => {
    const size = all(dim, 1).map(asInt).at(-1) ?? 0;
    return size < 0 ? null : size;
  });
}

function readFunction(bytes: Uint8Array): TfFunction {
  const signature = bytesOf(bytes, 1).at(-1) ?? new Uint8Array();
  return {
    name: textOf(signature, 1),
    args: bytesOf(signature, 2).map((arg) => textOf(arg, 1)),
    outputs: bytesOf(signature, 3).map((arg) => textOf(arg, 1)),
    returns: new Map(bytesOf(bytes, 4).map((entry) => [textOf(entry, 1), textOf(entry, 2)])),
    nodes: bytesOf(bytes, 3).map(readNode),
  };
}

function readNode(bytes: Uint8Array): TfNode {
  const attrs: [string, TfAttr][] = [];
  for (const entry of bytesOf(bytes, 5)) {
    const value = readAttr(bytesOf(entry, 2).at(-1) ?? new Uint8Array());
    if (value !== null) attrs.push([textOf(entry, 1), value]);
  }
  return {
    name: textOf(bytes, 1),
    op: textOf(bytes, 2),
    inputs: all(bytes, 3)
      .map(asString)
      .filter((input) => !input.startsWith('^')),
    attrs: Object.fromEntries(attrs),
  };
}

function readAttr(bytes: Uint8Array): TfAttr | null {
  for (const field of readFields(bytes)) {
    switch (field.field) {
      case 1:
        return all(asBytes(field), 3).flatMap(asInts).map(Number); // list, of which only integers are used
      case 2:
        return asString(field);
      case 3:
      case 6:
        return asInt(field);
      case 4:
        return asFloat(field);
      case 5:
        return asInt(field) === 1;
      case 7:
        return (readShape(asBytes(field)) ?? []).map((size) => size ?? -1);
      case 8:
        return readTensor(asBytes(field));
      case 10:
        return { func: textOf(asBytes(field), 1) };
    }
  }
  return null;
}

const BFLOAT16 = 14;
const HALF = 19;

/** The upper half of a float32. */
function fromBfloat16(bits: number): number {
  return new Float32Array(Uint32Array.of(bits << 16).buffer)[0]!;
}

/** DataType of tensorflow/core/framework/types.proto, as far as it is read. */
const READERS: Readonly<Record<number, [width: number, read: (view: DataView, at: number) => number]>> = {
  1: [4, (view, at) => view.getFloat32(at, true)],
  2: [8, (view, at) => view.getFloat64(at, true)],
  3: [4, (view, at) => view.getInt32(at, true)],
  4: [1, (view, at) => view.getUint8(at)],
  5: [2, (view, at) => view.getInt16(at, true)],
  6: [1, (view, at) => view.getInt8(at)],
  9: [8, (view, at) => Number(view.getBigInt64(at, true))],
  10: [1, (view, at) => view.getUint8(at)],
  [BFLOAT16]: [2, (view, at) => fromBfloat16(view.getUint16(at, true))],
  17: [2, (view, at) => view.getUint16(at, true)],
  [HALF]: [2, (view, at) => fromHalf(view.getUint16(at, true))],
  22: [4, (view, at) => view.getUint32(at, true)],
  23: [8, (view, at) => Number(view.getBigUint64(at, true))],
};

/** The numbers of a tensor's raw bytes; null for types that are no plain numbers. */
export function readRaw(type: number, bytes: Uint8Array): Float64Array | null {
  const reader = READERS[type];
  if (!reader) return null;
  const [width, read] = reader;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return Float64Array.from({ length: Math.floor(bytes.length / width) }, (_, i) => read(view, i * width));
}

function readTensor(bytes: Uint8Array): TfTensor {
  const type = all(bytes, 1).map(asInt).at(-1) ?? 0;
  const shape = (readShape(bytesOf(bytes, 2).at(-1) ?? new Uint8Array()) ?? []).map((size) => size ?? -1);
  const count = shape.reduce((a, b) => a * b, 1);
  const texts = all(bytes, 8).map(asString);
  if (texts.length > 0) return { shape, data: [], texts };
  const raw = bytesOf(bytes, 4).at(-1);
  let values: ArrayLike<number> = (raw && raw.length > 0 ? readRaw(type, raw) : null) ?? [
    ...all(bytes, 5).flatMap(asFloats),
    ...all(bytes, 7).flatMap(asInts).map(Number),
    ...all(bytes, 10).flatMap(asInts).map(Number),
    ...all(bytes, 11).flatMap(asInts).map(Number),
    ...all(bytes, 13)
      .flatMap(asInts)
      .map((bits) => (type === HALF ? fromHalf(Number(bits)) : fromBfloat16(Number(bits)))),
  ];
  // What is not read must not pass for zeros.
  if (!READERS[type] && values.length === 0) return { shape, data: new Float64Array(count).fill(Number.NaN) };
  // One value, or the last, stands for all that follow.
  if (values.length < count) {
    const given = values;
    values = Float64Array.from({ length: count }, (_, i) => given[Math.min(i, given.length - 1)] ?? 0);
  }
  return { shape, data: values };
}

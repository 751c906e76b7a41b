/** ONNX files into memory. Field numbers are those of onnx.proto
 * (https://github.com/onnx/onnx/blob/main/onnx/onnx.proto), named beside each use. */
import { readFile } from 'node:fs/promises';
import { ATTRIBUTE_CODES, OnnxFormatError, TYPE_NAMES } from './codes.js';
import type { Attribute, Dim, OnnxGraph, OnnxModel, OnnxNode, OnnxTensor, TensorValues, ValueInfo } from './ir.js';
import { elementCount } from './ir.js';
import {
  asBytes,
  asFloat,
  asFloats,
  asInt,
  asInts,
  asString,
  ProtobufError,
  type ProtobufField,
  readFields,
} from './protobuf.js';

const ARRAYS = {
  float32: Float32Array,
  float16: Uint16Array,
  float64: Float64Array,
  int8: Int8Array,
  uint8: Uint8Array,
  int16: Int16Array,
  uint16: Uint16Array,
  int32: Int32Array,
  int64: BigInt64Array,
  bool: Uint8Array,
} as const;

/**
 * Reads an ONNX file held in memory.
 *
 * @throws OnnxFormatError when the bytes are no ONNX model, or use what slothd does not read (data kept outside the
 * file, string tensors, sparse initializers).
 */
export function decodeModel(bytes: Uint8Array): OnnxModel {
  const model: OnnxModel = {
    irVersion: 0,
    opsets: new Map(),
    producerName: '',
    producerVersion: '',
    docString: '',
    metadata: new Map(),
    graph: emptyGraph(),
  };
  let graphSeen = false;
  try {
    // A Node Buffer's slice() shares memory where a plain array's copies; the tensors below must own theirs.
    const plain = new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    for (const field of readFields(plain)) {
      if (field.field === 1) model.irVersion = asInt(field);
      else if (field.field === 2) model.producerName = asString(field);
      else if (field.field === 3) model.producerVersion = asString(field);
      else if (field.field === 6) model.docString = asString(field);
      else if (field.field === 7) {
        model.graph = readGraph(asBytes(field));
        graphSeen = true;
      } else if (field.field === 8) {
        const [domain, version] = readPair(asBytes(field));
        model.opsets.set(domain, Number(version));
      } else if (field.field === 14) {
        const [key, value] = readPair(asBytes(field));
        model.metadata.set(key, value);
      }
    }
  } catch (error) {
    if (error instanceof ProtobufError) throw new OnnxFormatError(`not a readable ONNX file: ${error.message}`);
    throw error;
  }
  if (!graphSeen) throw new OnnxFormatError('not an ONNX model: it holds no graph');
  return model;
}

/** Reads the ONNX file at `path`; errors name it. */
export async function readModelFile(path: string): Promise<OnnxModel> {
  const bytes = await readFile(path);
  try {
    return decodeModel(bytes);
  } catch (error) {
    if (error instanceof OnnxFormatError) throw new OnnxFormatError(`${path}: ${error.message}`);
    throw error;
  }
}

function emptyGraph(): OnnxGraph {
  return { name: '', nodes: [], initializers: new Map(), inputs: [], outputs: [], valueInfo: new Map() };
}

/** A message of two fields 1 and 2: an operator set (string, int) or a metadata entry (string, string). */
function readPair(bytes: Uint8Array): [string, string] {
  let first = '';
  let second = '';
  for (const field of readFields(bytes)) {
    if (field.field === 1) first = asString(field);
    else if (field.field === 2) second = typeof field.value === 'bigint' ? String(asInt(field)) : asString(field);
  }
  return [first, second];
}

function readGraph(bytes: Uint8Array): OnnxGraph {
  const graph = emptyGraph();
  for (const field of readFields(bytes)) {
    if (field.field === 1) graph.nodes.push(readNode(asBytes(field)));
    else if (field.field === 2) graph.name = asString(field);
    else if (field.field === 5) {
      const { name, tensor } = readTensor(asBytes(field));
      graph.initializers.set(name, tensor);
    } else if (field.field === 11) graph.inputs.push(readValueInfo(asBytes(field)));
    else if (field.field === 12) graph.outputs.push(readValueInfo(asBytes(field)));
    else if (field.field === 13) {
      const info = readValueInfo(asBytes(field));
      graph.valueInfo.set(info.name, info);
    } else if (field.field === 15) throw new OnnxFormatError('sparse initializers are not supported');
  }
  // Old exporters list the weights among the inputs as well (IR version 3); they are no inputs for a caller.
  graph.inputs = graph.inputs.filter((input) => !graph.initializers.has(input.name));
  return graph;
}

function readNode(bytes: Uint8Array): OnnxNode {
  const node: OnnxNode = { name: '', op: '', domain: '', inputs: [], outputs: [], attributes: {} };
  const attributes: [string, Attribute][] = [];
  for (const field of readFields(bytes)) {
    if (field.field === 1) node.inputs.push(asString(field));
    else if (field.field === 2) node.outputs.push(asString(field));
    else if (field.field === 3) node.name = asString(field);
    else if (field.field === 4) node.op = asString(field);
    else if (field.field === 5) attributes.push(readAttribute(asBytes(field)));
    else if (field.field === 7) node.domain = asString(field);
  }
  // Not by assignment: a file may call an attribute '__proto__'.
  node.attributes = Object.fromEntries(attributes);
  return node;
}

function readAttribute(bytes: Uint8Array): [string, Attribute] {
  let name = '';
  let type = 0;
  let single: ProtobufField | undefined;
  const repeated: ProtobufField[] = [];
  for (const field of readFields(bytes)) {
    if (field.field === 1) name = asString(field);
    else if (field.field === 20) type = asInt(field);
    else if (field.field >= 2 && field.field <= 6) single = field;
    else if (field.field >= 7 && field.field <= 9) repeated.push(field);
  }
  const kind = (Object.keys(ATTRIBUTE_CODES) as Attribute['kind'][]).find((key) => ATTRIBUTE_CODES[key] === type);
  // A writer may leave out a value that equals the default (0, 0.0, '').
  switch (kind) {
    case 'float':
      return [name, { kind, value: single ? asFloat(single) : 0 }];
    case 'int':
      return [name, { kind, value: single ? asInt(single) : 0 }];
    case 'string':
      return [name, { kind, value: single ? asString(single) : '' }];
    case 'floats':
      return [name, { kind, value: repeated.flatMap(asFloats) }];
    case 'ints':
      return [name, { kind, value: repeated.flatMap((field) => asInts(field).map(Number)) }];
    case 'strings':
      return [name, { kind, value: repeated.map(asString) }];
    case 'tensor':
      if (single) return [name, { kind, value: readTensor(asBytes(single)).tensor }];
      break;
    case 'graph':
      if (single) return [name, { kind, value: readGraph(asBytes(single)) }];
      break;
  }
  throw new OnnxFormatError(`attribute '${name}' has type ${type}, which is not supported`);
}

function readTensor(bytes: Uint8Array): { name: string; tensor: OnnxTensor } {
  const dims: number[] = [];
  let code = 0;
  let name = '';
  let raw: Uint8Array | undefined;
  const values: (number | bigint)[] = [];
  for (const field of readFields(bytes)) {
    switch (field.field) {
      case 1:
        dims.push(...asInts(field).map(Number)); // dims
        break;
      case 2:
        code = asInt(field); // data_type
        break;
      case 4:
        for (const value of asFloats(field)) values.push(value); // float_data
        break;
      case 5: // int32_data: also int8, uint8, int16, uint16, bool and float16 bit patterns
      case 7: // int64_data
        for (const value of asInts(field)) values.push(value);
        break;
      case 8:
        name = asString(field); // name
        break;
      case 9:
        raw = asBytes(field); // raw_data
        break;
      case 10: {
        const part = asBytes(field); // double_data
        if (part.length % 8 !== 0) throw new OnnxFormatError(`tensor '${name}' has a broken list of doubles`);
        for (const value of new Float64Array(part.slice().buffer)) values.push(value);
        break;
      }
      case 13:
        throw new OnnxFormatError(`tensor '${name}' keeps its values outside the file, which is not supported`);
    }
  }
  const type = TYPE_NAMES.get(code);
  if (!type) throw new OnnxFormatError(`tensor '${name}' has data type ${code}, which is not supported`);
  const count = elementCount(dims);
  let data: TensorValues;
  if (raw) {
    const width = ARRAYS[type].BYTES_PER_ELEMENT;
    if (raw.length !== count * width) {
      throw new OnnxFormatError(
        `tensor '${name}' [${dims.join(', ')}] should have ${count * width} bytes, not ${raw.length}`,
      );
    }
    // slice(): values lie unaligned in the file, and must not keep the whole file alive.
    data = new ARRAYS[type](raw.slice().buffer);
  } else {
    if (values.length !== count) {
      throw new OnnxFormatError(
        `tensor '${name}' [${dims.join(', ')}] should have ${count} values, not ${values.length}`,
      );
    }
    data = type === 'int64' ? BigInt64Array.from(values, BigInt) : new ARRAYS[type](values.map(Number));
  }
  return { name, tensor: { type, dims, data } };
}

function readValueInfo(bytes: Uint8Array): ValueInfo {
  let name = '';
  let code = 0;
  let shape: Dim[] | null = null;
  for (const field of readFields(bytes)) {
    if (field.field === 1) name = asString(field);
    else if (field.field === 2) {
      for (const type of readFields(asBytes(field))) {
        if (type.field !== 1) throw new OnnxFormatError(`'${name}' is not a tensor; only tensors are supported`);
        for (const part of readFields(asBytes(type))) {
          if (part.field === 1) code = asInt(part);
          else if (part.field === 2) shape = readShape(asBytes(part));
        }
      }
    }
  }
  const type = TYPE_NAMES.get(code);
  if (!type) throw new OnnxFormatError(`'${name}' has data type ${code}, which is not supported`);
  return { name, type, shape };
}

function readShape(bytes: Uint8Array): Dim[] {
  const dims: Dim[] = [];
  for (const field of readFields(bytes)) {
    if (field.field !== 1) continue;
    // A dimension without value or name is unknown: '?' is how onnx's own printer shows it.
    let dim: Dim = '?';
    for (const part of readFields(asBytes(field))) {
      if (part.field === 1) dim = asInt(part);
      else if (part.field === 2) dim = asString(part);
    }
    dims.push(dim);
  }
  return dims;
}

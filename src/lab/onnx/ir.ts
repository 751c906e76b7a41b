/** An ONNX model in memory: what the writer writes, the reader reads, and the quantizer and pruner rewrite. */

export type TensorType =
  | 'float32'
  | 'float16'
  | 'float64'
  | 'int8'
  | 'uint8'
  | 'int16'
  | 'uint16'
  | 'int32'
  | 'int64'
  | 'bool';

/** Row-major values. float16 is kept as its bit patterns, bool as 0 and 1. */
export type TensorValues =
  | Float32Array
  | Float64Array
  | Int8Array
  | Uint8Array
  | Int16Array
  | Uint16Array
  | Int32Array
  | BigInt64Array;

export interface OnnxTensor {
  readonly type: TensorType;
  readonly dims: readonly number[];
  readonly data: TensorValues;
}

export type Attribute =
  | { readonly kind: 'int'; readonly value: number }
  | { readonly kind: 'float'; readonly value: number }
  | { readonly kind: 'string'; readonly value: string }
  | { readonly kind: 'ints'; readonly value: readonly number[] }
  | { readonly kind: 'floats'; readonly value: readonly number[] }
  | { readonly kind: 'strings'; readonly value: readonly string[] }
  | { readonly kind: 'tensor'; readonly value: OnnxTensor }
  | { readonly kind: 'graph'; readonly value: OnnxGraph };

export interface OnnxNode {
  name: string;
  op: string;
  /** Empty for the standard operators. */
  domain: string;
  /** Value names; an empty string stands for an optional input that is not given. */
  inputs: string[];
  outputs: string[];
  attributes: Record<string, Attribute>;
}

/** A dimension: a size, or the name of one that is only known at run time. */
export type Dim = number | string;

export interface ValueInfo {
  readonly name: string;
  /** 'unknown' in graphs that are only run, where the runtime works it out. */
  readonly type: TensorType | 'unknown';
  /** null where the file says nothing about the shape. */
  readonly shape: readonly Dim[] | null;
}

export interface OnnxGraph {
  name: string;
  /** In topological order: a node comes after those whose outputs it reads. */
  nodes: OnnxNode[];
  initializers: Map<string, OnnxTensor>;
  inputs: ValueInfo[];
  outputs: ValueInfo[];
  /** What is known of the values between the nodes, by name. */
  valueInfo: Map<string, ValueInfo>;
}

export interface OnnxModel {
  irVersion: number;
  /** Operator set version by domain; '' is the standard domain. */
  opsets: Map<string, number>;
  producerName: string;
  producerVersion: string;
  docString: string;
  metadata: Map<string, string>;
  graph: OnnxGraph;
}

export const int = (value: number): Attribute => ({ kind: 'int', value });
export const float = (value: number): Attribute => ({ kind: 'float', value });
export const str = (value: string): Attribute => ({ kind: 'string', value });
export const ints = (value: readonly number[]): Attribute => ({ kind: 'ints', value });
export const floats = (value: readonly number[]): Attribute => ({ kind: 'floats', value });
export const strings = (value: readonly string[]): Attribute => ({ kind: 'strings', value });

export const elementCount = (dims: readonly number[]): number => dims.reduce((a, b) => a * b, 1);

export function floatTensor(dims: readonly number[], data: Float32Array): OnnxTensor {
  return { type: 'float32', dims, data };
}

export function int64Tensor(values: readonly number[]): OnnxTensor {
  return { type: 'int64', dims: [values.length], data: BigInt64Array.from(values, BigInt) };
}

/** A rank-0 tensor. */
export function scalar(type: 'float32' | 'uint8' | 'int8' | 'int32', value: number): OnnxTensor {
  const data =
    type === 'float32'
      ? Float32Array.of(value)
      : type === 'uint8'
        ? Uint8Array.of(value)
        : type === 'int8'
          ? Int8Array.of(value)
          : Int32Array.of(value);
  return { type, dims: [], data };
}

/** The integer attribute `name`, or `fallback` where the node does not have it. */
export function intAttribute(node: OnnxNode, name: string, fallback: number): number {
  const attribute = node.attributes[name];
  return attribute?.kind === 'int' ? attribute.value : fallback;
}

export function floatAttribute(node: OnnxNode, name: string, fallback: number): number {
  const attribute = node.attributes[name];
  return attribute?.kind === 'float' ? attribute.value : fallback;
}

/** A copy whose nodes, maps and lists may be changed freely; tensors are shared, being read-only. */
export function cloneModel(model: OnnxModel): OnnxModel {
  const { graph } = model;
  return {
    ...model,
    opsets: new Map(model.opsets),
    metadata: new Map(model.metadata),
    graph: {
      ...graph,
      nodes: graph.nodes.map((node) => ({
        ...node,
        inputs: [...node.inputs],
        outputs: [...node.outputs],
        attributes: { ...node.attributes },
      })),
      initializers: new Map(graph.initializers),
      inputs: [...graph.inputs],
      outputs: [...graph.outputs],
      valueInfo: new Map(graph.valueInfo),
    },
  };
}

/** Which nodes read each value. A graph output counts as no node: ask `graph.outputs` for that. */
export function consumersOf(graph: OnnxGraph): Map<string, OnnxNode[]> {
  const consumers = new Map<string, OnnxNode[]>();
  for (const node of graph.nodes) {
    for (const input of new Set(node.inputs)) {
      if (!input) continue;
      const list = consumers.get(input);
      if (list) list.push(node);
      else consumers.set(input, [node]);
    }
  }
  return consumers;
}

/** Which node makes each value. */
export function producersOf(graph: OnnxGraph): Map<string, OnnxNode> {
  const producers = new Map<string, OnnxNode>();
  for (const node of graph.nodes) for (const output of node.outputs) if (output) producers.set(output, node);
  return producers;
}

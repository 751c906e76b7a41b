/** What the conversions of single operations share. */
import { firstShape, makeValue, type Size, type Value } from '../../../onnx/builder.js';
import type { Attribute } from '../../../onnx/ir.js';
import { UnsupportedLayerError } from '../../../onnx/layer.js';
import type { TfNode, TfTensor } from '../proto.js';
import type { Edge, TfWalk } from '../walk.js';

export interface OpCall {
  readonly walk: TfWalk;
  readonly node: TfNode;
  readonly inputs: readonly Edge[];
  /** Unique enough for a node's name. */
  readonly name: string;
}

export type Op = (call: OpCall) => readonly Edge[];

export const fail = (why: string): never => {
  throw new UnsupportedLayerError(why);
};

export const value = (v: Value): readonly Edge[] => [{ kind: 'value', value: v }];

export const numbers = (tensor: TfTensor): number[] => Array.from(tensor.data);

export function constant(call: OpCall, index: number): TfTensor {
  const edge = call.inputs[index];
  return edge?.kind === 'constant' ? edge.tensor : fail(`input ${index + 1} must be a constant`);
}

export function attr<T>(call: OpCall, name: string, fallback: T): T {
  return (call.node.attrs[name] as T | undefined) ?? fallback;
}

export const short = (name: string) => name.split('/').slice(-3).join('/');

export function emit(
  call: OpCall,
  op: string,
  inputs: string[],
  attributes: Record<string, Attribute>,
  shape: readonly Size[] | null,
): string {
  return call.walk.builder.node(op, short(call.name), inputs, attributes, shape);
}

export function elementwise(
  call: OpCall,
  input: Value,
  apply: (name: string, shape: readonly Size[]) => string,
): readonly Edge[] {
  const { name, first } = call.walk.builder.either(input);
  return value(makeValue(input.shape, apply(name, first ? firstShape(input.shape) : input.shape), first));
}

export function broadcastShape(a: readonly Size[], b: readonly Size[]): Size[] {
  const rank = Math.max(a.length, b.length);
  const at = (shape: readonly Size[], axis: number): Size =>
    shape[axis - (rank - shape.length)] === undefined ? 1 : shape[axis - (rank - shape.length)]!;
  return Array.from({ length: rank }, (_, i) => {
    const [x, y] = [at(a, i), at(b, i)];
    return x === 1 ? y : y === 1 ? x : (x ?? y);
  });
}

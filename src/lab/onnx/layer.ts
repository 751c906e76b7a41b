import type { GraphBuilder, Size, Value } from './builder.js';

/** A layer's weight as the source model holds it: row-major, in Keras order. */
export interface Weight {
  readonly name: string;
  readonly shape: readonly number[];
  readonly data: Float32Array;
}

/** One call of one layer, with everything a converter needs and nothing of TensorFlow.js itself. */
export interface LayerCall {
  /** The layer's name, unique in the model; nodes are named after it. */
  readonly name: string;
  readonly className: string;
  readonly config: Readonly<Record<string, unknown>>;
  /** In the order of `layer.getWeights()`. */
  readonly weights: readonly Weight[];
  readonly inputs: readonly Value[];
  /** Shapes that the layer itself computed. */
  readonly outputShapes: readonly (readonly Size[])[];
  readonly builder: GraphBuilder;
}

/** Adds a layer's nodes to the graph and returns its outputs. */
export type LayerConverter = (call: LayerCall) => Value[];

/** A model holds something that cannot be written as ONNX; the message names the layer. */
export class UnsupportedLayerError extends Error {
  override name = 'UnsupportedLayerError';
}

export function unsupported(call: Pick<LayerCall, 'name' | 'className'>, why: string): never {
  throw new UnsupportedLayerError(`layer '${call.name}' (${call.className}): ${why}`);
}

/** The only input of a layer. */
export function only(call: LayerCall): Value {
  const [value, second] = call.inputs;
  if (!value || second) unsupported(call, `expects one input, got ${call.inputs.length}`);
  return value;
}

export function output(call: LayerCall): readonly Size[] {
  return call.outputShapes[0]!;
}

export function numberOption(call: LayerCall, name: string, fallback: number): number {
  const value = call.config[name];
  return typeof value === 'number' ? value : fallback;
}

export function flag(call: LayerCall, name: string, fallback: boolean): boolean {
  const value = call.config[name];
  return typeof value === 'boolean' ? value : fallback;
}

/** A numeric option given as one number or as one per axis. */
export function perAxis(call: LayerCall, name: string, axes: number, fallback: number): number[] {
  const value = call.config[name] ?? fallback;
  const list = Array.isArray(value) ? value.map(Number) : new Array<number>(axes).fill(Number(value));
  if (list.length === 1 && axes > 1) return new Array<number>(axes).fill(list[0]!);
  if (list.length !== axes || list.some((n) => !Number.isInteger(n))) {
    unsupported(call, `option ${name} should be ${axes} whole number(s), got ${JSON.stringify(value)}`);
  }
  return list;
}

/** A weight by its place in the layer's list. */
export function weight(call: LayerCall, index: number): Weight {
  const found = call.weights[index];
  if (!found) unsupported(call, `has ${call.weights.length} weights, number ${index + 1} is missing`);
  return found;
}

/** A size that must be known when the file is written. */
export function known(call: LayerCall, size: Size | undefined, what: string): number {
  if (size === null || size === undefined) unsupported(call, `needs to know ${what} before it runs`);
  return size;
}

export function channelsFirst(call: LayerCall): boolean {
  return call.config.dataFormat === 'channelsFirst';
}

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

/** A list of numbers as Keras writes it: one number, a list, or an array of NumPy; undefined where there is none. */
export function numbersOption(call: LayerCall, name: string): number[] | undefined {
  const numbers = (value: unknown): number[] => {
    if (typeof value === 'number') return [value];
    if (Array.isArray(value)) return value.flatMap(numbers);
    const config =
      typeof value === 'object' && value !== null ? (value as { config?: { value?: unknown } }).config : null;
    return config?.value === undefined
      ? unsupported(
          call,
          `option ${name} is ${JSON.stringify(value)?.slice(0, 60)}, which is not a number or a list of them`,
        )
      : numbers(config.value);
  };
  const value = call.config[name];
  return value === undefined || value === null ? undefined : numbers(value);
}

/** The axes an option names, one or a list, counted from the front, in order. */
export function axesOption(call: LayerCall, fallback: number): number[] {
  const rank = call.outputShapes[0]!.length;
  const axes = (numbersOption(call, 'axis') ?? [fallback]).map((axis) => (axis < 0 ? axis + rank : axis));
  if (axes.some((axis) => !(Number.isInteger(axis) && axis > 0 && axis < rank))) {
    unsupported(call, `works along axis ${JSON.stringify(call.config.axis)} of ${rank}, which is not supported`);
  }
  return axes.sort((a, b) => a - b);
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

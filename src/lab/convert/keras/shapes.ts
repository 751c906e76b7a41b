/** What each layer class makes of its inputs' shapes: the rules of Keras' compute_output_shape. Batch included, null = open. */
import type { Size } from '../../onnx/builder.js';
import { ConvertError } from '../error.js';
import { operationShapes } from './operation-shapes.js';
import { OPERATION } from './topology.js';

type Config = Readonly<Record<string, unknown>>;
type Shape = readonly Size[];
type Rule = (inputs: readonly Shape[], config: Config) => readonly Shape[];

const number = (config: Config, name: string, fallback: number) =>
  typeof config[name] === 'number' ? (config[name] as number) : fallback;

function list(value: unknown, axes: number, fallback: number): number[] {
  const values = Array.isArray(value) ? value.map(Number) : [Number(value ?? fallback)];
  return values.length === axes ? values : new Array<number>(axes).fill(values[0] ?? fallback);
}

/** The shape with its window axes mapped by `size` and its channels by `channels`. */
function spatially(
  shape: Shape,
  config: Config,
  size: (size: Size, axis: number) => Size,
  channels: (channels: Size) => Size = (c) => c,
): Shape {
  const first = config.dataFormat === 'channelsFirst';
  const at = first ? 1 : shape.length - 1;
  let axis = 0;
  return shape.map((old, i) => (i === 0 ? old : i === at ? channels(old) : size(old, axis++)));
}

function windows(size: Size, reach: number, stride: number, padding: unknown): Size {
  if (size === null) return null;
  if (padding === 'same' || padding === 'causal') return Math.ceil(size / stride);
  return Math.max(0, Math.ceil((size - reach + 1) / stride));
}

function conv(axes: number, channels: (config: Config, input: Size) => Size): Rule {
  return ([shape], config) => {
    const kernel = list(config.kernelSize, axes, 1);
    const strides = list(config.strides, axes, 1);
    const dilations = list(config.dilationRate, axes, 1);
    const size = (old: Size, axis: number) =>
      windows(old, (kernel[axis]! - 1) * dilations[axis]! + 1, strides[axis]!, config.padding);
    return [spatially(shape!, config, size, (input) => channels(config, input))];
  };
}

const filters = (config: Config) => number(config, 'filters', 0);
const multiplied = (config: Config, input: Size) =>
  input === null ? null : input * number(config, 'depthMultiplier', 1);

function transposed(axes: number): Rule {
  return ([shape], config) => {
    const kernel = list(config.kernelSize, axes, 1);
    const strides = list(config.strides, axes, 1);
    const size = (old: Size, axis: number): Size => {
      if (old === null) return null;
      const grown = old * strides[axis]!;
      return config.padding === 'same' ? grown : grown + Math.max(kernel[axis]! - strides[axis]!, 0);
    };
    return [spatially(shape!, config, size, () => filters(config))];
  };
}

function pool(axes: number): Rule {
  return ([shape], config) => {
    const reach = list(config.poolSize, axes, 2);
    const strides = config.strides == null ? reach : list(config.strides, axes, 2);
    return [spatially(shape!, config, (old, axis) => windows(old, reach[axis]!, strides[axis]!, config.padding))];
  };
}

const globalPool: Rule = ([shape], config) => {
  if (config.keepdims === true) return [spatially(shape!, config, () => 1)];
  return [[shape![0]!, config.dataFormat === 'channelsFirst' ? shape![1]! : shape!.at(-1)!]];
};

/** [before, after] of each axis. */
function margins(value: unknown, axes: number): number[][] {
  if (typeof value === 'number') return new Array<number[]>(axes).fill([value, value]);
  const parts = Array.isArray(value) ? value : [];
  if (axes === 1 && parts.length === 2) return [parts.map(Number)];
  return Array.from({ length: axes }, (_, i) => {
    const part = parts[i] ?? 0;
    return Array.isArray(part) ? part.map(Number) : [Number(part), Number(part)];
  });
}

function margin(axes: number, option: string, sign: 1 | -1): Rule {
  return ([shape], config) => {
    const amounts = margins(config[option] ?? 1, axes);
    return [
      spatially(shape!, config, (old, axis) =>
        old === null ? null : Math.max(0, old + sign * (amounts[axis]![0]! + amounts[axis]![1]!)),
      ),
    ];
  };
}

function upSampling(axes: number): Rule {
  return ([shape], config) => {
    const factors = list(config.size, axes, 2);
    return [spatially(shape!, config, (n, axis) => (n === null ? null : n * factors[axis]!))];
  };
}

const same: Rule = ([shape]) => [shape!];

const dot: Rule = ([left, right], config) => {
  const axes = Array.isArray(config.axes) ? config.axes.map(Number) : [Number(config.axes), Number(config.axes)];
  if (!left || !right || left.length !== right.length || left.length !== 3) return [[left?.[0] ?? null, 1]];
  const rest = (shape: Shape, axis: number) => shape[axis === 1 || axis === -2 ? 2 : 1]!;
  return [[left[0]!, rest(left, axes[0]!), rest(right, axes[1]!)]];
};

/** Steps of the query, features of the value or of the option. */
const attention: Rule = ([query, value], config) => {
  const own = Array.isArray(config.outputShape) ? config.outputShape.at(-1) : config.outputShape;
  const features = typeof own === 'number' ? own : config.numHeads === undefined ? value?.at(-1) : query?.at(-1);
  return [[...query!.slice(0, -1), features ?? null]];
};

/** Shapes broadcast against each other; a lower rank gets axes behind the batch. */
const broadcast: Rule = (inputs) => {
  const rank = Math.max(...inputs.map((shape) => shape.length));
  const full = inputs.map((s) => [s[0]!, ...new Array<number>(rank - s.length).fill(1), ...s.slice(1)]);
  return [
    full[0]!.map((_, axis) => full.map((s) => s[axis]!).reduce((a, b) => (a === 1 ? b : b === 1 ? a : (a ?? b)))),
  ];
};

const recurrent =
  (states: number): Rule =>
  ([shape], config) => {
    const units = number(config, 'units', 0);
    const last: Shape = [shape![0]!, units];
    const main: Shape = config.returnSequences === true ? [shape![0]!, shape![1]!, units] : last;
    return config.returnState === true ? [main, ...new Array<Shape>(states).fill(last)] : [main];
  };

const product = (sizes: Shape): Size => sizes.reduce<Size>((a, b) => (a === null || b === null ? null : a * b), 1);

const reshape: Rule = ([shape], config) => {
  const target = (Array.isArray(config.targetShape) ? config.targetShape : []).map(Number);
  const all = product(shape!.slice(1));
  const rest = target.filter((n) => n !== -1).reduce((a, b) => a * b, 1);
  return [[shape![0]!, ...target.map((n) => (n === -1 ? (all === null ? null : all / rest) : n))]];
};

const concatenate: Rule = (inputs, config) => {
  const rank = inputs[0]!.length;
  const option = number(config, 'axis', -1);
  const axis = option < 0 ? option + rank : option;
  const sum = inputs.reduce<Size>((a, s) => (a === null || s[axis] == null ? null : a + s[axis]!), 0);
  return [inputs[0]!.map((size, i) => (i === axis ? sum : size))];
};

const RULES: Readonly<Record<string, Rule>> = {
  Dense: ([shape], config) => [[...shape!.slice(0, -1), number(config, 'units', 0)]],
  Conv1D: conv(1, filters),
  Conv2D: conv(2, filters),
  Conv3D: conv(3, filters),
  SeparableConv1D: conv(1, filters),
  SeparableConv2D: conv(2, filters),
  DepthwiseConv1D: conv(1, multiplied),
  DepthwiseConv2D: conv(2, multiplied),
  Conv1DTranspose: transposed(1),
  Conv2DTranspose: transposed(2),
  Conv3DTranspose: transposed(3),
  MaxPooling1D: pool(1),
  MaxPooling2D: pool(2),
  MaxPooling3D: pool(3),
  AveragePooling1D: pool(1),
  AveragePooling2D: pool(2),
  AveragePooling3D: pool(3),
  GlobalMaxPooling1D: globalPool,
  GlobalMaxPooling2D: globalPool,
  GlobalAveragePooling1D: globalPool,
  GlobalAveragePooling2D: globalPool,
  GlobalMaxPooling3D: globalPool,
  GlobalAveragePooling3D: globalPool,
  UpSampling1D: upSampling(1),
  UpSampling2D: upSampling(2),
  UpSampling3D: upSampling(3),
  ZeroPadding1D: margin(1, 'padding', 1),
  ZeroPadding2D: margin(2, 'padding', 1),
  ZeroPadding3D: margin(3, 'padding', 1),
  Cropping1D: margin(1, 'cropping', -1),
  Cropping2D: margin(2, 'cropping', -1),
  Cropping3D: margin(3, 'cropping', -1),
  Flatten: ([shape]) => [[shape![0]!, product(shape!.slice(1))]],
  Reshape: reshape,
  Permute: ([shape], config) => [
    [shape![0]!, ...(Array.isArray(config.dims) ? config.dims : []).map((d) => shape![Number(d)]!)],
  ],
  RepeatVector: ([shape], config) => [[shape![0]!, number(config, 'n', 1), shape![1]!]],
  Embedding: ([shape], config) => [[...shape!, number(config, 'outputDim', 0)]],
  GRU: recurrent(1),
  LSTM: recurrent(2),
  SimpleRNN: recurrent(1),
  Add: broadcast,
  Subtract: broadcast,
  Multiply: broadcast,
  Divide: broadcast,
  Average: broadcast,
  Maximum: broadcast,
  Minimum: broadcast,
  Concatenate: concatenate,
  Dot: dot,
  Attention: attention,
  MultiHeadAttention: attention,
};

/**
 * Shapes of a layer's outputs. Classes without a rule keep their input's shape.
 * @throws ConvertError when nothing is left of an axis (an input too short for the layer)
 */
export function outputShapes(
  className: string,
  config: Config,
  inputs: readonly Shape[],
  name: string,
): readonly Shape[] {
  const shapes = className.startsWith(OPERATION)
    ? operationShapes(className.slice(OPERATION.length), inputs, config)
    : (Object.hasOwn(RULES, className) ? RULES[className]! : same)(inputs, config);
  for (const shape of shapes) {
    if (shape.slice(1).some((size) => size !== null && !(Number.isInteger(size) && size > 0))) {
      const from = inputs.map((input) => `[${input.slice(1).join(', ')}]`).join(' and ');
      throw new ConvertError(
        `layer '${name}' (${className}) makes [${shape.slice(1).join(', ')}] of ${from}: the input is too short for it`,
      );
    }
  }
  return shapes;
}

/** The shape that a Bidirectional layer makes of what its two halves make. */
export function bidirectionalShapes([forward]: readonly Shape[], [backward]: readonly Shape[], mode: unknown) {
  if (mode === null) return [forward!, backward!];
  if (mode !== undefined && mode !== 'concat') return [forward!];
  const [a, b] = [forward!.at(-1)!, backward!.at(-1)!];
  return [[...forward!.slice(0, -1), a === null || b === null ? null : a + b]];
}

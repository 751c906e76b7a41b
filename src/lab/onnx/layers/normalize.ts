import { firstShape, makeValue, type Size, type Value } from '../builder.js';
import { float, int, ints } from '../ir.js';
import {
  axesOption,
  flag,
  known,
  type LayerCall,
  type LayerConverter,
  numberOption,
  numbersOption,
  only,
  output,
  unsupported,
  weight,
} from '../layer.js';

/** The four vectors of a batch normalization, with gamma 1 and beta 0 where the layer has none. */
function statistics(call: LayerCall) {
  const scale = flag(call, 'scale', true);
  const center = flag(call, 'center', true);
  let at = 0;
  const gamma = scale ? weight(call, at++).data : undefined;
  const beta = center ? weight(call, at++).data : undefined;
  const mean = weight(call, at++).data;
  const variance = weight(call, at).data;
  return {
    gamma: gamma ?? new Float32Array(mean.length).fill(1),
    beta: beta ?? new Float32Array(mean.length),
    mean,
    variance,
  };
}

/** Batch normalization at inference: a fixed scale and offset per channel. `foldBatchNorms` merges it where it can. */
export const batchNormalization: LayerConverter = (call) => {
  const value = only(call);
  const shape = output(call);
  const rank = shape.length;
  const [axis = 0, second] = axesOption(call, -1);
  if (second !== undefined)
    unsupported(call, `normalizes over axes ${JSON.stringify(call.config.axis)}; one is supported`);
  const { gamma, beta, mean, variance } = statistics(call);
  const { builder, name } = call;
  const epsilon = numberOption(call, 'epsilon', 1e-3);

  // A layer that was never trained has mean 0 and variance 1, and saw nothing.
  const trained = mean.some((value) => value !== 0) || variance.some((value) => value !== 1);
  const seen = (value: string, at: number) => {
    if (trained)
      builder.seenInTraining.push({ layer: name, value, axis: at, mean: beta, deviation: gamma.map(Math.abs) });
    return value;
  };
  const asNode = (input: string, order?: Int32Array): string => {
    const pick = (data: Float32Array) => (order ? Float32Array.from(order, (source) => data[source]!) : data);
    const inputs = [
      input,
      builder.floats(`${name}/gamma`, [mean.length], pick(gamma)),
      builder.floats(`${name}/beta`, [mean.length], pick(beta)),
      builder.floats(`${name}/mean`, [mean.length], pick(mean)),
      builder.floats(`${name}/variance`, [mean.length], pick(variance)),
    ];
    const onnxShape = rank === 2 || axis === 1 ? shape : firstShape(shape);
    return builder.node('BatchNormalization', name, inputs, { epsilon: float(epsilon) }, onnxShape);
  };

  if (rank === 2 && value.native === undefined && value.shuffled) {
    const { name: input, order } = value.shuffled;
    return [{ shape, shuffled: { name: asNode(input, order), order } } satisfies Value];
  }
  if (rank > 2 && axis === rank - 1 && value.first !== undefined) {
    return [makeValue(shape, seen(asNode(value.first), 1), true)];
  }
  if (axis === 1) return [makeValue(shape, seen(asNode(builder.native(value)), 1))];

  // Elsewhere the axis is not where ONNX wants it: a multiplication and an addition, broadcast along it.
  const scale = new Float32Array(mean.length);
  const offset = new Float32Array(mean.length);
  for (let i = 0; i < mean.length; i++) {
    const factor = gamma[i]! / Math.sqrt(variance[i]! + epsilon);
    scale[i] = factor;
    offset[i] = beta[i]! - mean[i]! * factor;
  }
  const dims = shape.map((_, i) => (i === axis ? mean.length : 1)).slice(axis);
  const scaled = builder.node(
    'Mul',
    name,
    [builder.native(value), builder.floats(`${name}/scale`, dims, scale)],
    {},
    shape,
  );
  const result = builder.node('Add', name, [scaled, builder.floats(`${name}/offset`, dims, offset)], {}, shape);
  return [makeValue(shape, seen(result, axis))];
};

/** Normalizes each item by its own mean and deviation along some axes (keras.layers.LayerNormalization). */
export const layerNormalization: LayerConverter = (call) => {
  if (flag(call, 'rmsScaling', false)) unsupported(call, 'option rms_scaling is not supported');
  const shape = output(call);
  const rank = shape.length;
  const axes = axesOption(call, -1);
  const { builder, name } = call;
  const dims = axes.map((axis) => known(call, shape[axis], 'its sizes'));
  const size = dims.reduce((a, b) => a * b, 1);
  let at = 0;
  const gamma = flag(call, 'scale', true) ? weight(call, at++).data : new Float32Array(size).fill(1);
  const beta = flag(call, 'center', true) ? weight(call, at).data : new Float32Array(size);
  const epsilon = numberOption(call, 'epsilon', 1e-3);
  const input = builder.native(only(call));
  const start = axes[0]!;
  if (start + axes.length === rank) {
    const inputs = [input, builder.floats(`${name}/gamma`, dims, gamma), builder.floats(`${name}/beta`, dims, beta)];
    const attributes = { axis: int(start), epsilon: float(epsilon) };
    return [makeValue(shape, builder.node('LayerNormalization', name, inputs, attributes, shape))];
  }
  // ONNX normalizes over the last axes alone; over others it is spelt out.
  const spread = shape.slice(start).map((_, i) => (axes.includes(start + i) ? (shape[start + i] as number) : 1));
  const normal = normalized(call, input, axes, epsilon, shape);
  const scaled = builder.node('Mul', name, [normal, builder.floats(`${name}/gamma`, spread, gamma)], {}, shape);
  return [
    makeValue(shape, builder.node('Add', name, [scaled, builder.floats(`${name}/beta`, spread, beta)], {}, shape)),
  ];
};

/** (x - mean) / sqrt(variance + epsilon), mean and variance along `axes` of this very value. */
function normalized(
  call: LayerCall,
  input: string,
  axes: readonly number[],
  epsilon: number,
  shape: readonly Size[],
): string {
  const { builder, name } = call;
  const mean = (of: string) => builder.node('ReduceMean', name, [of], { axes: ints(axes), keepdims: int(1) }, null);
  const centred = builder.node('Sub', name, [input, mean(input)], {}, shape);
  const variance = mean(builder.node('Mul', name, [centred, centred], {}, shape));
  const safe = builder.node('Add', name, [variance, builder.floats(`${name}/epsilon`, [], [epsilon])], {}, null);
  return builder.node('Div', name, [centred, builder.node('Sqrt', name, [safe], {}, null)], {}, shape);
}

/** Channels last, normalized in groups of them (keras.layers.GroupNormalization). */
export const groupNormalization: LayerConverter = (call) => {
  const shape = output(call);
  const rank = shape.length;
  const [axis] = axesOption(call, -1);
  if (axis !== rank - 1) unsupported(call, `has its channels on axis ${axis}; only the last is supported`);
  const channels = known(call, shape.at(-1), 'the number of channels');
  const option = numberOption(call, 'groups', 32);
  const groups = option === -1 ? channels : option;
  if (channels % groups !== 0) unsupported(call, `${channels} channels cannot be parted into ${groups} groups`);
  const { builder, name } = call;
  const places = shape.slice(1, -1).map((size) => known(call, size, 'its sizes'));
  const parted: Size[] = [shape[0]!, ...places, groups, channels / groups];
  const target = (sizes: readonly Size[]) => builder.int64s(`${name}/shape`, [0, ...sizes.slice(1).map(Number)]);
  const input = builder.node('Reshape', name, [builder.native(only(call)), target(parted)], {}, parted);
  const axes = [...places.map((_, i) => i + 1), rank];
  const normal = normalized(call, input, axes, numberOption(call, 'epsilon', 1e-3), parted);
  let result = builder.node('Reshape', name, [normal, target(shape)], {}, shape);
  let at = 0;
  const part = (what: string) => builder.floats(`${name}/${what}`, [channels], weight(call, at++).data);
  if (flag(call, 'scale', true)) result = builder.node('Mul', name, [result, part('gamma')], {}, shape);
  if (flag(call, 'center', true)) result = builder.node('Add', name, [result, part('beta')], {}, shape);
  return [makeValue(shape, result)];
};

/** keras.layers.Normalization with the mean and variance it has adapted to: (x - mean) / max(sqrt(variance), 1e-7). */
export const normalization: LayerConverter = (call) => {
  const shape = output(call);
  const { builder, name } = call;
  if (flag(call, 'invert', false)) unsupported(call, 'is inverted, which is not supported');
  const given = numbersOption(call, 'mean');
  const mean = given ? Float32Array.from(given) : weight(call, 0).data;
  const variance = given ? Float32Array.from(numbersOption(call, 'variance') ?? [1]) : weight(call, 1).data;
  const axes = (Array.isArray(call.config.axis) ? call.config.axis : [call.config.axis]).filter((a) => a != null);
  const last = axes.length === 1 && [-1, shape.length - 1].includes(Number(axes[0]));
  if (mean.length !== 1 && !last)
    unsupported(call, `normalizes over axis ${axes.join(', ')}; only the last is supported`);
  const scale = variance.map((v) => 1 / Math.max(Math.sqrt(v), 1e-7));
  const dims = mean.length === 1 ? [] : [mean.length];
  const input = builder.native(only(call));
  const centred = builder.node('Sub', name, [input, builder.floats(`${name}/mean`, dims, mean)], {}, shape);
  const result = builder.node('Mul', name, [centred, builder.floats(`${name}/scale`, dims, scale)], {}, shape);
  const [zeros, ones] = [new Float32Array(mean.length), new Float32Array(mean.length).fill(1)];
  builder.seenInTraining.push({ layer: name, value: result, axis: shape.length - 1, mean: zeros, deviation: ones });
  return [makeValue(shape, result)];
};

/** Divides by the Euclidean norm along an axis (keras.layers.UnitNormalization). */
export const unitNormalization: LayerConverter = (call) => {
  const shape = output(call);
  return [makeValue(shape, toUnitLength(call, call.builder.native(only(call)), axesOption(call, -1), shape))];
};

/** x times 1 / sqrt(max(sum of squares, 1e-12)), as Keras has it. */
export function toUnitLength(call: LayerCall, input: string, axes: readonly number[], shape: readonly Size[]): string {
  const { builder, name } = call;
  const squares = builder.node('Mul', name, [input, input], {}, shape);
  const sumAxes = builder.int64s(`${name}/axes`, axes);
  const sum = builder.node('ReduceSum', name, [squares, sumAxes], { keepdims: int(1) }, null);
  const floor = builder.node('Max', name, [sum, builder.floats(`${name}/least`, [], [1e-12])], {}, null);
  return builder.node('Div', name, [input, builder.node('Sqrt', name, [floor], {}, null)], {}, shape);
}

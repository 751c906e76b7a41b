import { firstShape, makeValue, type Value } from '../builder.js';
import { float, int } from '../ir.js';
import {
  flag,
  type LayerCall,
  type LayerConverter,
  numberOption,
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
  const option = Array.isArray(call.config.axis) ? Number(call.config.axis[0]) : numberOption(call, 'axis', -1);
  const axis = option < 0 ? option + rank : option;
  const { gamma, beta, mean, variance } = statistics(call);
  const { builder, name } = call;
  const epsilon = numberOption(call, 'epsilon', 1e-3);

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
  if (rank > 2 && axis === rank - 1 && value.first !== undefined) return [makeValue(shape, asNode(value.first), true)];
  if (axis === 1) return [makeValue(shape, asNode(builder.native(value)))];

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
  return [
    makeValue(shape, builder.node('Add', name, [scaled, builder.floats(`${name}/offset`, dims, offset)], {}, shape)),
  ];
};

export const layerNormalization: LayerConverter = (call) => {
  const shape = output(call);
  const rank = shape.length;
  const axes = (Array.isArray(call.config.axis) ? call.config.axis : [call.config.axis ?? -1]).map((axis) =>
    Number(axis) < 0 ? Number(axis) + rank : Number(axis),
  );
  axes.sort((a, b) => a - b);
  const start = axes[0]!;
  if (axes.some((axis, i) => axis !== start + i) || start + axes.length !== rank) {
    unsupported(call, `normalizes over axes ${axes.join(', ')}; only trailing axes are supported`);
  }
  const { builder, name } = call;
  const dims = shape.slice(start).map((size) => size ?? unsupported(call, 'needs to know its sizes before it runs'));
  const size = dims.reduce((a, b) => a * b, 1);
  let at = 0;
  const gamma = flag(call, 'scale', true) ? weight(call, at++).data : new Float32Array(size).fill(1);
  const beta = flag(call, 'center', true) ? weight(call, at).data : new Float32Array(size);
  const inputs = [
    builder.native(only(call)),
    builder.floats(`${name}/gamma`, dims, gamma),
    builder.floats(`${name}/beta`, dims, beta),
  ];
  const attributes = { axis: int(start), epsilon: float(numberOption(call, 'epsilon', 1e-3)) };
  return [makeValue(shape, builder.node('LayerNormalization', name, inputs, attributes, shape))];
};

/** keras.layers.Normalization with the mean and variance it has adapted to: (x - mean) / max(sqrt(variance), 1e-7). */
export const normalization: LayerConverter = (call) => {
  const shape = output(call);
  const { builder, name } = call;
  if (flag(call, 'invert', false)) unsupported(call, 'is inverted, which is not supported');
  const list = (value: unknown) =>
    (Array.isArray(value) ? value.flat(9) : [value]).filter((n) => typeof n === 'number') as number[];
  const given = list(call.config.mean).length > 0;
  const mean = given ? Float32Array.from(list(call.config.mean)) : weight(call, 0).data;
  const variance = given ? Float32Array.from(list(call.config.variance)) : weight(call, 1).data;
  const axes = (Array.isArray(call.config.axis) ? call.config.axis : [call.config.axis]).filter((a) => a != null);
  const last = axes.length === 1 && [-1, shape.length - 1].includes(Number(axes[0]));
  if (mean.length !== 1 && !last)
    unsupported(call, `normalizes over axis ${axes.join(', ')}; only the last is supported`);
  const scale = variance.map((v) => 1 / Math.max(Math.sqrt(v), 1e-7));
  const dims = mean.length === 1 ? [] : [mean.length];
  const input = builder.native(only(call));
  const centred = builder.node('Sub', name, [input, builder.floats(`${name}/mean`, dims, mean)], {}, shape);
  return [
    makeValue(shape, builder.node('Mul', name, [centred, builder.floats(`${name}/scale`, dims, scale)], {}, shape)),
  ];
};

/** Divides by the Euclidean norm along an axis (keras.layers.UnitNormalization). */
export const unitNormalization: LayerConverter = (call) => {
  const shape = output(call);
  const axes = (Array.isArray(call.config.axis) ? call.config.axis : [call.config.axis ?? -1]).map(Number);
  const { builder, name } = call;
  const input = builder.native(only(call));
  const squares = builder.node('Mul', name, [input, input], {}, shape);
  const sumAxes = builder.int64s(`${name}/axes`, axes);
  const sum = builder.node('ReduceSum', name, [squares, sumAxes], { keepdims: int(1) }, null);
  // Keras takes 1 / sqrt(max(sum, 1e-12)).
  const floor = builder.node('Max', name, [sum, builder.floats(`${name}/least`, [], [1e-12])], {}, null);
  const norm = builder.node('Sqrt', name, [floor], {}, null);
  return [makeValue(shape, builder.node('Div', name, [input, norm], {}, shape))];
};

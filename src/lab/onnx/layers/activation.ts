/**
 * Activations, as an option of a layer or as a layer of their own. Formulas are those of
 * tfjs-layers/src/activations.ts and advanced_activations.ts.
 */
import { firstAxis, type GraphBuilder, makeValue, type Size, type Value } from '../builder.js';
import { float, int, ints } from '../ir.js';
import {
  axesOption,
  type LayerCall,
  type LayerConverter,
  numberOption,
  numbersOption,
  only,
  output,
  unsupported,
  weight,
} from '../layer.js';

/** Applies the activation called `kind` (Keras name) to `input`; `axis` is where softmax sums. */
export function activate(
  call: Pick<LayerCall, 'name' | 'className'>,
  builder: GraphBuilder,
  kind: unknown,
  input: string,
  shape: readonly Size[],
  axis: number,
): string {
  const { name } = call;
  const node = (op: string, inputs: string[], attributes = {}) => builder.node(op, name, inputs, attributes, shape);
  const constant = (value: number) => builder.floats(`${name}/constant`, [], [value]);
  switch (kind) {
    case undefined:
    case null:
    case 'linear':
      return input;
    case 'relu':
      return node('Relu', [input]);
    case 'relu6':
      return node('Clip', [input, constant(0), constant(6)]);
    case 'leaky_relu':
      return node('LeakyRelu', [input], { alpha: float(0.2) });
    case 'elu':
      return node('Elu', [input], { alpha: float(1) });
    case 'selu':
      return node('Selu', [input]);
    case 'sigmoid':
      return node('Sigmoid', [input]);
    case 'hardSigmoid':
    case 'hard_sigmoid':
      return node('HardSigmoid', [input], { alpha: float(0.2), beta: float(0.5) });
    // Keras 3 made it relu6(x + 3) / 6 (keras/src/activations); `keras/names.ts` tells the two apart.
    case 'hard_sigmoid_v3':
      return node('HardSigmoid', [input], { alpha: float(1 / 6), beta: float(0.5) });
    case 'hard_silu':
    case 'hard_swish':
      return node('Mul', [input, node('HardSigmoid', [input], { alpha: float(1 / 6), beta: float(0.5) })]);
    case 'exponential':
      return node('Exp', [input]);
    case 'log_sigmoid':
      return node('Neg', [node('Softplus', [node('Neg', [input])])]);
    case 'celu':
      return node('Celu', [input], { alpha: float(1) });
    case 'hard_tanh':
      return node('Clip', [input, constant(-1), constant(1)]);
    case 'tanh_shrink':
      return node('Sub', [input, node('Tanh', [input])]);
    case 'hard_shrink':
      return node('Shrink', [input], { lambd: float(0.5), bias: float(0) });
    case 'soft_shrink':
      return node('Shrink', [input], { lambd: float(0.5), bias: float(0.5) });
    case 'squareplus': {
      const root = node('Sqrt', [node('Add', [node('Mul', [input, input]), constant(4)])]);
      return node('Mul', [node('Add', [input, root]), constant(0.5)]);
    }
    case 'softplus':
      return node('Softplus', [input]);
    case 'softsign':
      return node('Softsign', [input]);
    case 'tanh':
      return node('Tanh', [input]);
    case 'softmax':
      return node('Softmax', [input], { axis: int(axis) });
    case 'logSoftmax':
    case 'log_softmax':
      return node('LogSoftmax', [input], { axis: int(axis) });
    case 'swish':
    case 'silu':
      return node('Mul', [input, node('Sigmoid', [input])]);
    case 'mish':
      return node('Mul', [input, node('Tanh', [node('Softplus', [input])])]);
    case 'gelu': {
      const erf = node('Erf', [node('Mul', [input, constant(Math.SQRT1_2)])]);
      return node('Mul', [node('Mul', [input, constant(0.5)]), node('Add', [erf, constant(1)])]);
    }
    case 'gelu_new': {
      const cube = node('Mul', [node('Mul', [input, input]), input]);
      const inner = node('Add', [input, node('Mul', [cube, constant(0.044715)])]);
      const tanh = node('Tanh', [node('Mul', [inner, constant(Math.sqrt(2 / Math.PI))])]);
      return node('Mul', [node('Mul', [input, constant(0.5)]), node('Add', [tanh, constant(1)])]);
    }
    default:
      return unsupported(call, `activation '${String(kind)}' is not supported`);
  }
}

/** An elementwise layer: works in whatever order the value is in. */
function elementwise(call: LayerCall, apply: (name: string, shape: readonly Size[]) => string): Value[] {
  const value = only(call);
  const { builder } = call;
  const shape = output(call);
  if (value.native === undefined && value.shuffled) {
    const { name, order } = value.shuffled;
    return [{ shape, shuffled: { name: apply(name, shape), order } }];
  }
  const ordered = builder.either(value);
  const onnxShape = ordered.first ? [shape[0]!, shape.at(-1)!, ...shape.slice(1, -1)] : shape;
  return [makeValue(shape, apply(ordered.name, onnxShape), ordered.first)];
}

/** Softmax looks along an axis, so a value in shuffled order is put straight first. */
function alongAxis(call: LayerCall, op: 'Softmax' | 'LogSoftmax', axis: number): Value[] {
  const value = only(call);
  const { builder } = call;
  const rank = value.shape.length;
  const positive = axis < 0 ? axis + rank : axis;
  const ordered = builder.either(value);
  const at = ordered.first ? firstAxis(positive, rank) : positive;
  return [makeValue(value.shape, builder.node(op, call.name, [ordered.name], { axis: int(at) }, null), ordered.first)];
}

export const activation: LayerConverter = (call) => {
  const kind = call.config.activation;
  if (kind === 'softmax') return alongAxis(call, 'Softmax', -1);
  if (kind === 'logSoftmax' || kind === 'log_softmax') return alongAxis(call, 'LogSoftmax', -1);
  return elementwise(call, (name, shape) => activate(call, call.builder, kind, name, shape, -1));
};

export const relu: LayerConverter = (call) =>
  elementwise(call, (name, shape) => {
    const max = call.config.maxValue;
    const slope = numberOption(call, 'negativeSlope', 0);
    const threshold = numberOption(call, 'threshold', 0);
    if (slope !== 0 || threshold !== 0) return generalRelu(call, name, shape, { slope, threshold, max });
    if (typeof max !== 'number') return call.builder.node('Relu', call.name, [name], {}, shape);
    const low = call.builder.floats(`${call.name}/min`, [], [0]);
    const high = call.builder.floats(`${call.name}/max`, [], [max]);
    return call.builder.node('Clip', call.name, [name, low, high], {}, shape);
  });

/** max at the top, slope * (x - threshold) below the threshold (keras.layers.ReLU). */
function generalRelu(
  call: LayerCall,
  name: string,
  shape: readonly Size[],
  { slope, threshold, max }: { slope: number; threshold: number; max: unknown },
): string {
  const { builder } = call;
  const node = (op: string, inputs: string[], attributes = {}) =>
    builder.node(op, call.name, inputs, attributes, op === 'Less' ? null : shape);
  const constant = (value: number) => builder.floats(`${call.name}/constant`, [], [value]);
  let result: string;
  if (threshold === 0) result = node('LeakyRelu', [name], { alpha: float(slope) });
  else {
    const below = node('Mul', [node('Sub', [name, constant(threshold)]), constant(slope)]);
    result = node('Where', [node('Less', [name, constant(threshold)]), below, name]);
  }
  return typeof max === 'number' ? node('Min', [result, constant(max)]) : result;
}

export const leakyRelu: LayerConverter = (call) =>
  elementwise(call, (name, shape) =>
    call.builder.node(
      'LeakyRelu',
      call.name,
      [name],
      { alpha: float(numberOption(call, 'negativeSlope', numberOption(call, 'alpha', 0.3))) },
      shape,
    ),
  );

export const elu: LayerConverter = (call) =>
  elementwise(call, (name, shape) =>
    call.builder.node('Elu', call.name, [name], { alpha: float(numberOption(call, 'alpha', 1)) }, shape),
  );

export const thresholdedRelu: LayerConverter = (call) =>
  elementwise(call, (name, shape) =>
    call.builder.node('ThresholdedRelu', call.name, [name], { alpha: float(numberOption(call, 'theta', 1)) }, shape),
  );

export const softmax: LayerConverter = (call) => {
  const axes = axesOption(call, -1);
  return axes.length === 1 ? alongAxis(call, 'Softmax', axes[0]!) : alongAxes(call, axes);
};

/** exp(x - max) over its sum, both along several axes at once (keras.layers.Softmax with a list of axes). */
function alongAxes(call: LayerCall, axes: readonly number[]): Value[] {
  const { builder, name } = call;
  const shape = output(call);
  const input = builder.native(only(call));
  // Operator set 17: ReduceMax has its axes as an attribute, ReduceSum as an input.
  const most = builder.node('ReduceMax', name, [input], { axes: ints(axes), keepdims: int(1) }, null);
  const powers = builder.node('Exp', name, [builder.node('Sub', name, [input, most], {}, shape)], {}, shape);
  const sum = builder.node(
    'ReduceSum',
    name,
    [powers, builder.int64s(`${name}/axes`, axes)],
    { keepdims: int(1) },
    null,
  );
  return [makeValue(shape, builder.node('Div', name, [powers, sum], {}, shape))];
}

/** A slope per element, possibly shared along axes: the slopes broadcast in the source model's order. */
export const prelu: LayerConverter = (call) => {
  const alpha = weight(call, 0);
  const { builder } = call;
  const slope = builder.floats(`${call.name}/alpha`, alpha.shape, alpha.data);
  return [
    makeValue(output(call), builder.node('PRelu', call.name, [builder.native(only(call)), slope], {}, output(call))),
  ];
};

/** Layers that do something in training alone. */
export const passThrough: LayerConverter = (call) => [only(call)];

/** scale * x + offset, each one number or one for each channel. */
export const rescaling: LayerConverter = (call) => {
  const scales = numbersOption(call, 'scale') ?? [1];
  const offsets = numbersOption(call, 'offset') ?? [0];
  const { builder, name } = call;
  const apply = (input: string, shape: readonly Size[]) => {
    const part = (what: string, values: readonly number[]) =>
      builder.floats(`${name}/${what}`, values.length === 1 ? [] : [values.length], values);
    const scaled = builder.node('Mul', name, [input, part('scale', scales)], {}, shape);
    return builder.node('Add', name, [scaled, part('offset', offsets)], {}, shape);
  };
  if (scales.length === 1 && offsets.length === 1) return elementwise(call, apply);
  const shape = output(call);
  if (![scales, offsets].every(({ length }) => length === 1 || length === shape.at(-1))) {
    unsupported(call, `has ${scales.length} scales and ${offsets.length} offsets for ${shape.at(-1)} channels`);
  }
  return [makeValue(shape, apply(builder.native(only(call)), shape))];
};

/** A mask travels beside the values and changes what later layers see; ONNX has nothing like it. */
export const masking: LayerConverter = (call) => unsupported(call, 'masks are not supported');

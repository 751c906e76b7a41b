/**
 * Operations of keras.ops (Keras 3) that a functional model is written with: `x + y`, `2 * x`, `ops.mean(x, axis=1)`. They
 * take numbers beside tensors, and broadcast as NumPy does.
 */
import { makeValue, type Size } from '../builder.js';
import { float, int, ints } from '../ir.js';
import {
  flag,
  known,
  type LayerCall,
  type LayerConverter,
  numberOption,
  numbersOption,
  only,
  output,
  unsupported,
} from '../layer.js';
import { activation, elu, leakyRelu } from './activation.js';

/** What each operation was called with, in order: null stands for a tensor. */
function operands(call: LayerCall): string[] {
  const list = (call.config.operands as readonly unknown[] | undefined) ?? call.inputs.map(() => null);
  let tensor = 0;
  return list.map((operand) => {
    if (operand === null) return call.builder.native(call.inputs[tensor++]!);
    if (typeof operand === 'number') return call.builder.floats(`${call.name}/operand`, [], [operand]);
    return unsupported(call, `is called with ${JSON.stringify(operand).slice(0, 40)}, which is not supported`);
  });
}

function binary(op: string): LayerConverter {
  return (call) => {
    const names = operands(call);
    if (names.length !== 2) unsupported(call, `expects two operands, got ${names.length}`);
    return [makeValue(output(call), call.builder.node(op, call.name, names, {}, output(call)))];
  };
}

function unary(op: string): LayerConverter {
  return (call) => {
    const name = call.builder.native(only(call));
    return [makeValue(output(call), call.builder.node(op, call.name, [name], {}, output(call)))];
  };
}

/** An activation by its name. */
const named =
  (kind: string): LayerConverter =>
  (call) =>
    activation({ ...call, config: { ...call.config, activation: kind } });

/** Axes counted from the front; the batch is none of them. */
function axesOf(call: LayerCall, rank: number): number[] {
  const axes = (numbersOption(call, 'axis') ?? []).map((axis) => (axis < 0 ? axis + rank : axis));
  if (axes.length === 0 || axes.some((axis) => axis <= 0 || axis >= rank)) {
    unsupported(
      call,
      `works along axis ${JSON.stringify(call.config.axis ?? null)}, the batch among them, which is not supported`,
    );
  }
  return axes.sort((a, b) => a - b);
}

function reduce(op: string): LayerConverter {
  return (call) => {
    const { builder, name } = call;
    const value = only(call);
    const axes = axesOf(call, value.shape.length);
    const keep = int(flag(call, 'keepdims', false) ? 1 : 0);
    const input = builder.native(value);
    // Operator set 17: ReduceSum has its axes as an input, the others as an attribute.
    const made =
      op === 'ReduceSum'
        ? builder.node(op, name, [input, builder.int64s(`${name}/axes`, axes)], { keepdims: keep }, output(call))
        : builder.node(op, name, [input], { axes: ints(axes), keepdims: keep }, output(call));
    return [makeValue(output(call), made)];
  };
}

/** ExpandDims, Squeeze and Reshape move nothing: all are a Reshape to the shape that comes out. */
const reshape: LayerConverter = (call) => {
  const { builder, name } = call;
  const shape = output(call);
  const sizes = shape.slice(1).map((size: Size) => known(call, size, 'its sizes'));
  const target = builder.int64s(`${name}/shape`, [-1, ...sizes]);
  return [makeValue(shape, builder.node('Reshape', name, [builder.native(only(call)), target], {}, shape))];
};

const transpose: LayerConverter = (call) => {
  const value = only(call);
  const perm = numbersOption(call, 'axes') ?? value.shape.map((_, i) => value.shape.length - 1 - i);
  if (perm[0] !== 0) unsupported(call, 'moves the batch, which is not supported');
  const name = call.builder.node(
    'Transpose',
    call.name,
    [call.builder.native(value)],
    { perm: ints(perm) },
    output(call),
  );
  return [makeValue(output(call), name)];
};

const concatenate: LayerConverter = (call) => {
  const rank = output(call).length;
  const option = numberOption(call, 'axis', 0);
  const axis = option < 0 ? option + rank : option;
  if (axis <= 0) unsupported(call, 'joins along the batch, which is not supported');
  const name = call.builder.node('Concat', call.name, operands(call), { axis: int(axis) }, output(call));
  return [makeValue(output(call), name)];
};

const softmax =
  (op: string): LayerConverter =>
  (call) => {
    const value = only(call);
    const [axis, second] = axesOf(call, value.shape.length);
    if (second !== undefined) unsupported(call, 'works along several axes, which is not supported');
    const name = call.builder.node(op, call.name, [call.builder.native(value)], { axis: int(axis!) }, output(call));
    return [makeValue(output(call), name)];
  };

const square: LayerConverter = (call) => {
  const name = call.builder.native(only(call));
  return [makeValue(output(call), call.builder.node('Mul', call.name, [name, name], {}, output(call)))];
};

const clip: LayerConverter = (call) => {
  const { builder, name } = call;
  const ends = ['xMin', 'xMax'].map((end) => builder.floats(`${name}/${end}`, [], [numberOption(call, end, 0)]));
  const made = builder.node('Clip', name, [builder.native(only(call)), ...ends], {}, output(call));
  return [makeValue(output(call), made)];
};

const gelu: LayerConverter = (call) => named(flag(call, 'approximate', true) ? 'gelu_new' : 'gelu')(call);

/** keras.ops.leaky_relu slopes by 0.2 unless told, the layer by 0.3. */
const leaky: LayerConverter = (call) =>
  leakyRelu({ ...call, config: { ...call.config, negativeSlope: numberOption(call, 'negativeSlope', 0.2) } });

const celu: LayerConverter = (call) => {
  const alpha = float(numberOption(call, 'alpha', 1));
  const name = call.builder.node('Celu', call.name, [call.builder.native(only(call))], { alpha }, output(call));
  return [makeValue(output(call), name)];
};

/** `x[:, 1:-1]`, `x[:, -1]`: the key's parts as Keras writes them, numbers and slices; the batch is taken whole. */
const getItem: LayerConverter = (call) => {
  const { builder, name } = call;
  const value = only(call);
  const parts = keyOf(call.config.operands);
  const bad = parts.find((part) => part === null || (part.step ?? 1) < 1);
  if (bad !== undefined || parts.length > value.shape.length || !isWhole(parts[0])) {
    unsupported(call, 'takes parts in a way that is not supported; x[:, from:to:step] and x[:, number] are');
  }
  const END = 2 ** 31 - 1;
  const axes = parts.flatMap((part, axis) => (isWhole(part) ? [] : [axis]));
  if (axes.length === 0) return [value];
  const chosen = axes.map((axis) => parts[axis]!);
  const list = (values: readonly number[]) => builder.int64s(`${name}/part`, values);
  const inputs = [
    builder.native(value),
    list(chosen.map((part) => part.at ?? part.start ?? 0)),
    list(chosen.map(({ at, stop }) => (at === undefined ? (stop ?? END) : at === -1 ? END : at + 1))),
    list(axes),
    list(chosen.map(({ step }) => step ?? 1)),
  ];
  const cut = builder.node('Slice', name, inputs, {}, null);
  const gone = axes.filter((axis) => parts[axis]!.at !== undefined);
  if (gone.length === 0) return [makeValue(output(call), cut)];
  return [makeValue(output(call), builder.node('Squeeze', name, [cut, list(gone)], {}, output(call)))];
};

interface KeyPart {
  readonly at?: number;
  readonly start?: number | null;
  readonly stop?: number | null;
  readonly step?: number | null;
}

const isWhole = (part: KeyPart | null | undefined) =>
  part != null && part.at === undefined && part.start == null && part.stop == null && (part.step ?? 1) === 1;

/** The parts of a key; null for one that is neither a number nor a slice. */
export function keyOf(operands: unknown): (KeyPart | null)[] {
  const key = Array.isArray(operands) ? operands[1] : undefined;
  return [key].flat().map((part): KeyPart | null => {
    if (typeof part === 'number') return { at: part };
    const slice = part as { class_name?: string; config?: KeyPart } | null | undefined;
    return slice?.class_name === '__slice__' && slice.config ? slice.config : null;
  });
}

/** By the name of the operation's class. */
export const OPERATIONS: Readonly<Record<string, LayerConverter>> = {
  Add: binary('Add'),
  Subtract: binary('Sub'),
  Multiply: binary('Mul'),
  Divide: binary('Div'),
  TrueDivide: binary('Div'),
  Maximum: binary('Max'),
  Minimum: binary('Min'),
  Power: binary('Pow'),
  Matmul: binary('MatMul'),
  Absolute: unary('Abs'),
  Abs: unary('Abs'),
  Negative: unary('Neg'),
  Exp: unary('Exp'),
  Log: unary('Log'),
  Sqrt: unary('Sqrt'),
  Square: square,
  Clip: clip,
  Relu: named('relu'),
  Relu6: named('relu6'),
  Sigmoid: named('sigmoid'),
  HardSigmoid: named('hard_sigmoid_v3'),
  Tanh: named('tanh'),
  Silu: named('silu'),
  Softplus: named('softplus'),
  Softsign: named('softsign'),
  Selu: named('selu'),
  Mish: named('mish'),
  LogSigmoid: named('log_sigmoid'),
  Gelu: gelu,
  Elu: elu,
  Celu: celu,
  LeakyRelu: leaky,
  Softmax: softmax('Softmax'),
  LogSoftmax: softmax('LogSoftmax'),
  Mean: reduce('ReduceMean'),
  Max: reduce('ReduceMax'),
  Min: reduce('ReduceMin'),
  Sum: reduce('ReduceSum'),
  ExpandDims: reshape,
  Squeeze: reshape,
  Reshape: reshape,
  Transpose: transpose,
  Concatenate: concatenate,
  GetItem: getItem,
};

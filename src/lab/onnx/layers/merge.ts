/** Layers of several inputs. */
import { firstAxis, firstShape, makeValue, type Value } from '../builder.js';
import { int, ints } from '../ir.js';
import {
  flag,
  known,
  type LayerCall,
  type LayerConverter,
  numberOption,
  numbersOption,
  output,
  unsupported,
} from '../layer.js';
import { toUnitLength } from './normalize.js';

/** All inputs in one axis order: channels first when each already has it, so that residual stacks stay there. */
function together(call: LayerCall): { names: string[]; first: boolean } {
  const first = call.inputs.every((value) => value.first !== undefined);
  return { names: call.inputs.map((value) => (first ? value.first! : call.builder.native(value))), first };
}

/** tfjs broadcasts unequal ranks by inserting axes after the batch; ONNX would insert them before it. */
function sameRank(call: LayerCall, names: string[]): string[] {
  const rank = output(call).length;
  return names.map((name, i) => {
    const { shape } = call.inputs[i]!;
    if (shape.length === rank) return name;
    const added = new Array<number>(rank - shape.length).fill(1);
    const rest = shape.slice(1).map((size) => known(call, size, 'the sizes of inputs of unequal rank'));
    const target = call.builder.int64s(`${call.name}/shape`, [0, ...added, ...rest]);
    return call.builder.node('Reshape', call.name, [name, target], {}, null);
  });
}

function fold(op: string, after?: (call: LayerCall, name: string) => string): LayerConverter {
  return (call) => {
    const ranksEqual = call.inputs.every((value) => value.shape.length === output(call).length);
    const merged = ranksEqual
      ? together(call)
      : { names: call.inputs.map((v) => call.builder.native(v)), first: false };
    const names = sameRank(call, merged.names);
    const shape = merged.first ? firstShape(output(call)) : output(call);
    let result = names[0]!;
    for (const name of names.slice(1)) result = call.builder.node(op, call.name, [result, name], {}, shape);
    if (after) result = after(call, result);
    return [makeValue(output(call), result, merged.first)];
  };
}

export const add = fold('Add');
export const subtract = fold('Sub');
export const multiply = fold('Mul');
export const divide = fold('Div');
export const maximum = fold('Max');
export const minimum = fold('Min');
export const average = fold('Add', (call, sum) => {
  const share = call.builder.floats(`${call.name}/share`, [], [1 / call.inputs.length]);
  return call.builder.node('Mul', call.name, [sum, share], {}, null);
});

export const concatenate: LayerConverter = (call) => {
  const shape = output(call);
  const rank = shape.length;
  const option = numberOption(call, 'axis', -1);
  const axis = option < 0 ? option + rank : option;
  if (axis <= 0 || axis >= rank) unsupported(call, `joins along axis ${option} of ${rank}, which is not supported`);
  const { builder, name } = call;
  if (rank === 2 && axis === 1 && call.inputs.some((v) => v.native === undefined && v.shuffled))
    return [shuffled(call)];
  const { names, first } = together(call);
  const at = first ? firstAxis(axis, rank) : axis;
  const result = builder.node('Concat', name, names, { axis: int(at) }, first ? firstShape(shape) : shape);
  return [makeValue(shape, result, first)];
};

/** Joins columns of which some are in another order, and keeps that order in mind for the dense layer to come. */
function shuffled(call: LayerCall): Value {
  const shape = output(call);
  const order = new Int32Array(known(call, shape[1], 'the number of columns'));
  const names: string[] = [];
  let at = 0;
  for (const value of call.inputs) {
    const columns = known(call, value.shape[1], 'the number of columns');
    const own = value.native === undefined ? value.shuffled : undefined;
    for (let i = 0; i < columns; i++) order[at + i] = at + (own ? own.order[i]! : i);
    names.push(own ? own.name : call.builder.native(value));
    at += columns;
  }
  return { shape, shuffled: { name: call.builder.node('Concat', call.name, names, { axis: int(1) }, shape), order } };
}

/** Products of two values summed along an axis of each (keras.layers.Dot), of vectors or of sequences. */
export const dot: LayerConverter = (call) => {
  const { builder, name } = call;
  const [left, right] = call.inputs;
  if (!left || !right) unsupported(call, `expects two inputs, got ${call.inputs.length}`);
  const rank = left.shape.length;
  if (right.shape.length !== rank || rank > 3) {
    unsupported(call, 'only two vectors or two sequences of them are supported');
  }
  const [first = -1, second = first] = numbersOption(call, 'axes') ?? [];
  const [a, b] = [first, second].map((axis) => (axis < 0 ? axis + rank : axis)) as [number, number];
  const normalize = flag(call, 'normalize', false);
  const input = (value: Value, axis: number) => {
    const own = builder.native(value);
    return normalize ? toUnitLength(call, own, [axis], value.shape) : own;
  };
  const [x, y] = [input(left, a), input(right, b)];
  const shape = output(call);
  if (rank === 2) {
    const products = builder.node('Mul', name, [x, y], {}, left.shape);
    const axes = builder.int64s(`${name}/axes`, [1]);
    return [makeValue(shape, builder.node('ReduceSum', name, [products, axes], { keepdims: int(1) }, shape))];
  }
  const turn = (value: string) => builder.node('Transpose', name, [value], { perm: ints([0, 2, 1]) }, null);
  const operands = [a === 2 ? x : turn(x), b === 1 ? y : turn(y)];
  return [makeValue(shape, builder.node('MatMul', name, operands, {}, shape))];
};

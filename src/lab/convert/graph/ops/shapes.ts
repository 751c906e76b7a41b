/** Moving, cutting, joining and summing up values. */
import { makeValue, type Size } from '../../../onnx/builder.js';
import { int, ints } from '../../../onnx/ir.js';
import type { Edge } from '../walk.js';
import { attr, constant, emit, fail, numbers, type Op, type OpCall, value } from './common.js';

const expandDims: Op = (call) => {
  const [edge] = call.inputs as [Edge];
  const rank = shapeOf(call, edge).length;
  const [raw = 0] = numbers(constant(call, 1));
  return [{ kind: 'expanded', inner: edge, axis: raw < 0 ? raw + rank + 1 : raw }];
};

const squeeze: Op = (call) => {
  const [edge] = call.inputs as [Edge];
  const given = attr<readonly number[]>(call, 'squeeze_dims', attr<readonly number[]>(call, 'axis', []));
  if (edge.kind === 'pending') return [edge];
  const rank = shapeOf(call, edge).length;
  const axes = given.map((axis) => (axis < 0 ? axis + rank : axis));
  if (edge.kind === 'expanded' && axes.length === 1 && axes[0] === edge.axis) return [edge.inner];
  const input = call.walk.value(edge);
  const chosen = axes.length > 0 ? axes : input.shape.flatMap((size, axis) => (size === 1 ? [axis] : []));
  const shape = input.shape.filter((_, axis) => !chosen.includes(axis));
  const list = call.walk.builder.int64s('axes', chosen);
  return value(makeValue(shape, emit(call, 'Squeeze', [call.walk.builder.native(input), list], {}, shape)));
};

function shapeOf(call: OpCall, edge: Edge): readonly Size[] {
  if (edge.kind === 'expanded') {
    const inner = shapeOf(call, edge.inner);
    return [...inner.slice(0, edge.axis), 1, ...inner.slice(edge.axis)];
  }
  if (edge.kind === 'pending') return edge.shape;
  if (edge.kind === 'dilated') return edge.value.shape;
  return call.walk.value(edge).shape;
}

/** Reshape to sizes of which one may be left open. */
const reshape: Op = (call) => {
  const { builder } = call.walk;
  const input = call.walk.value(call.inputs[0]!);
  const wanted = numbers(constant(call, 1));
  const open = wanted.filter((n) => Number.isNaN(n) || n === -1).length;
  const total = input.shape.every((n) => n !== null) ? input.shape.reduce<number>((a, b) => a * b!, 1) : null;
  if (open > 1) fail('more than one size is only known when it runs');
  const rest = wanted.filter((n) => !Number.isNaN(n) && n !== -1).reduce((a, b) => a * b, 1);
  const shape = wanted.map((n): Size => (Number.isNaN(n) || n === -1 ? (total === null ? null : total / rest) : n));
  const target = builder.int64s(
    'shape',
    wanted.map((n) => (Number.isNaN(n) ? -1 : n)),
  );
  if (shape.length === input.shape.length && shape.every((n, i) => n === input.shape[i])) return value(input);
  return value(makeValue(shape, emit(call, 'Reshape', [builder.native(input), target], {}, shape)));
};

function reduce(op: 'ReduceMean' | 'ReduceMax' | 'ReduceMin' | 'ReduceSum' | 'ReduceProd', pooled?: string): Op {
  return (call) => {
    const { builder } = call.walk;
    const input = call.walk.value(call.inputs[0]!);
    const rank = input.shape.length;
    const axes = numbers(constant(call, 1))
      .map((axis) => (axis < 0 ? axis + rank : axis))
      .sort((a, b) => a - b);
    const keep = attr(call, 'keep_dims', false);
    const shape = keep
      ? input.shape.map((n, i) => (axes.includes(i) ? 1 : n))
      : input.shape.filter((_, i) => !axes.includes(i));
    const spatial = rank > 2 && axes.length === rank - 2 && axes.every((axis, i) => axis === i + 1);
    if (pooled && spatial && input.first !== undefined && !keep) {
      const ones = new Array<number>(rank - 2).fill(1);
      const whole = emit(call, pooled, [input.first], {}, [...shape, ...ones]);
      return value(makeValue(shape, emit(call, 'Flatten', [whole], {}, shape)));
    }
    const name = builder.native(input);
    // Since operator set 13 ReduceSum takes its axes as an input; the others do only since 18.
    const made =
      op === 'ReduceSum'
        ? emit(call, op, [name, builder.int64s('axes', axes)], { keepdims: int(keep ? 1 : 0) }, shape)
        : emit(call, op, [name], { axes: ints(axes), keepdims: int(keep ? 1 : 0) }, shape);
    return value(makeValue(shape, made));
  };
}

const concat: Op = (call) => {
  const { builder } = call.walk;
  const parts = call.inputs.slice(0, -1).map((edge) => call.walk.value(edge));
  const rank = parts[0]!.shape.length;
  const [raw = 0] = numbers(constant(call, call.inputs.length - 1));
  const axis = raw < 0 ? raw + rank : raw;
  const shape = parts[0]!.shape.map((n, i) =>
    i === axis ? parts.reduce<Size>((a, p) => (a === null || p.shape[i] == null ? null : a + p.shape[i]!), 0) : n,
  );
  return value(
    makeValue(
      shape,
      emit(
        call,
        'Concat',
        parts.map((p) => builder.native(p)),
        { axis: int(axis) },
        shape,
      ),
    ),
  );
};

const pack: Op = (call) => {
  const { builder } = call.walk;
  const parts = call.inputs.map((edge) => call.walk.value(edge));
  const raw = attr(call, 'axis', 0);
  const axis = raw < 0 ? raw + parts[0]!.shape.length + 1 : raw;
  const one = [...parts[0]!.shape.slice(0, axis), 1, ...parts[0]!.shape.slice(axis)];
  const lifted = parts.map((p) =>
    emit(call, 'Unsqueeze', [builder.native(p), builder.int64s('axes', [axis])], {}, one),
  );
  const shape = one.map((n, i) => (i === axis ? parts.length : n));
  return value(makeValue(shape, emit(call, 'Concat', lifted, { axis: int(axis) }, shape)));
};

const transpose: Op = (call) => {
  const input = call.walk.value(call.inputs[0]!);
  const perm = numbers(constant(call, 1));
  const shape = perm.map((axis) => input.shape[axis]!);
  if (perm.every((axis, i) => axis === i)) return value(input);
  return value(
    makeValue(shape, emit(call, 'Transpose', [call.walk.builder.native(input)], { perm: ints(perm) }, shape)),
  );
};

const pad: Op = (call) => {
  const input = call.walk.value(call.inputs[0]!);
  const amounts = numbers(constant(call, 1));
  const rank = input.shape.length;
  const before = Array.from({ length: rank }, (_, i) => amounts[2 * i]!);
  const after = Array.from({ length: rank }, (_, i) => amounts[2 * i + 1]!);
  const shape = input.shape.map((n, i) => (n === null ? null : n + before[i]! + after[i]!));
  const { builder } = call.walk;
  const inputs = [builder.native(input), builder.int64s('pads', [...before, ...after])];
  if (call.inputs[2]) inputs.push(builder.floats('value', [], Float32Array.from(constant(call, 2).data)));
  return value(makeValue(shape, emit(call, 'Pad', inputs, {}, shape)));
};

const stridedSlice: Op = (call) => {
  const input = call.walk.value(call.inputs[0]!);
  const [begin, end, strides] = [1, 2, 3].map((i) => numbers(constant(call, i))) as [number[], number[], number[]];
  const mask = (name: string, i: number) => ((attr(call, name, 0) >> i) & 1) === 1;
  if (attr(call, 'ellipsis_mask', 0) || attr(call, 'new_axis_mask', 0)) fail('an ellipsis or a new axis in a slice');
  const shrunk: number[] = [];
  const [starts, ends]: [number[], number[]] = [[], []];
  const shape: Size[] = [...input.shape];
  begin.forEach((from, axis) => {
    const stride = strides[axis]!;
    if (stride < 1) fail('a slice that runs backwards');
    const size = input.shape[axis]!;
    if (mask('shrink_axis_mask', axis)) {
      shrunk.push(axis);
      starts.push(from);
      ends.push(from === -1 ? 2 ** 31 - 1 : from + 1);
      return;
    }
    const whole = mask('begin_mask', axis) && mask('end_mask', axis);
    const start = mask('begin_mask', axis) ? 0 : from;
    const stop = mask('end_mask', axis) ? 2 ** 31 - 1 : end[axis]!;
    starts.push(start);
    ends.push(stop);
    if (whole && stride === 1) return;
    if (size === null) fail('a slice of a size that is only known when it runs');
    const place = (n: number) => Math.max(0, Math.min(size!, n < 0 ? n + size! : n));
    shape[axis] = Math.max(0, Math.ceil((place(stop) - place(start)) / stride));
  });
  const { builder } = call.walk;
  const axes = begin.map((_, axis) => axis);
  const list = (values: readonly number[]) => builder.int64s('slice', values);
  const cut = emit(
    call,
    'Slice',
    [builder.native(input), list(starts), list(ends), list(axes), list(strides)],
    {},
    null,
  );
  if (shrunk.length === 0) return value(makeValue(shape, cut));
  const left = shape.filter((_, axis) => !shrunk.includes(axis));
  return value(makeValue(left, emit(call, 'Squeeze', [cut, list(shrunk)], {}, left)));
};

const gather: Op = (call) => {
  const { builder } = call.walk;
  const table = call.walk.value(call.inputs[0]!);
  const rows = call.walk.value(call.inputs[1]!);
  const axis = call.inputs[2] ? numbers(constant(call, 2))[0]! : 0;
  if (attr(call, 'batch_dims', 0) !== 0) fail('batch_dims');
  const indices = emit(call, 'Cast', [builder.native(rows)], { to: int(7) }, null);
  const shape = [...table.shape.slice(0, axis), ...rows.shape, ...table.shape.slice(axis + 1)];
  return value(makeValue(shape, emit(call, 'Gather', [builder.native(table), indices], { axis: int(axis) }, shape)));
};

const identity: Op = (call) => call.inputs.slice(0, 1);

/** DataTypes of whole numbers. */
const INTEGERS = new Set([3, 4, 5, 6, 9, 17, 22, 23]);
const FLOATS = new Set([1, 2, 14, 19]);

/** All is computed in float32; only where whole numbers are made of others does a cast change anything: it cuts them. */
const cast: Op = (call) => {
  const [from, to] = [attr(call, 'SrcT', 0), attr(call, 'DstT', 0)];
  if (to === BOOL && from !== BOOL) return fail('a cast to true and false');
  if (!(INTEGERS.has(to) && FLOATS.has(from))) return call.inputs.slice(0, 1);
  const input = call.walk.value(call.inputs[0]!);
  const whole = emit(call, 'Cast', [call.walk.builder.native(input)], { to: int(7) }, null);
  return value(makeValue(input.shape, emit(call, 'Cast', [whole], { to: int(1) }, input.shape)));
};

const BOOL = 10;

const shape: Op = (call) => {
  const sizes = shapeOf(call, call.inputs[0]!);
  return [{ kind: 'constant', tensor: { shape: [sizes.length], data: sizes.map((n) => n ?? Number.NaN) } }];
};

const tile: Op = (call) => {
  const { builder } = call.walk;
  const input = call.walk.value(call.inputs[0]!);
  const repeats = numbers(constant(call, 1));
  if (repeats.some(Number.isNaN)) fail('a repetition by a size that is only known when it runs');
  const shape = input.shape.map((n, i) =>
    n === null ? (repeats[i] === 1 ? null : fail('a repeated batch')) : n * repeats[i]!,
  );
  const inputs = [builder.native(input), builder.int64s('repeats', repeats)];
  return value(makeValue(shape, emit(call, 'Tile', inputs, {}, shape)));
};

const reverse: Op = (call) => {
  const { builder } = call.walk;
  const input = call.walk.value(call.inputs[0]!);
  const axes = numbers(constant(call, 1)).map((axis) => (axis < 0 ? axis + input.shape.length : axis));
  const list = (n: number) =>
    builder.int64s(
      'reverse',
      axes.map(() => n),
    );
  // From the last element to before the first.
  const inputs = [builder.native(input), list(-1), list(-0x7fffffff), builder.int64s('axes', axes), list(-1)];
  return value(makeValue(input.shape, emit(call, 'Slice', inputs, {}, input.shape)));
};

/** By the name of the operation. */
export const SHAPES: Readonly<Record<string, Op>> = {
  Identity: identity,
  IdentityN: (call) => call.inputs,
  StopGradient: identity,
  PreventGradient: identity,
  EnsureShape: identity,
  Cast: cast,
  Shape: shape,
  ExpandDims: expandDims,
  Squeeze: squeeze,
  Reshape: reshape,
  Mean: reduce('ReduceMean', 'GlobalAveragePool'),
  Max: reduce('ReduceMax', 'GlobalMaxPool'),
  Min: reduce('ReduceMin'),
  Sum: reduce('ReduceSum'),
  Prod: reduce('ReduceProd'),
  ConcatV2: concat,
  Pack: pack,
  Transpose: transpose,
  Pad: pad,
  PadV2: pad,
  StridedSlice: stridedSlice,
  GatherV2: gather,
  Tile: tile,
  ReverseV2: reverse,
};

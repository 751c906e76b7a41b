/** TensorFlow operations as ONNX nodes. Names and attributes are those of tensorflow/core/ops. */
import { firstShape, makeValue, type Size, type Value } from '../../onnx/builder.js';
import { type Attribute, float, int, ints, str } from '../../onnx/ir.js';
import { UnsupportedLayerError } from '../../onnx/layer.js';
import { CONSTANT_OPS } from './constants.js';
import type { TfNode, TfTensor } from './proto.js';
import type { Edge, TfWalk } from './walk.js';

export interface OpCall {
  readonly walk: TfWalk;
  readonly node: TfNode;
  readonly inputs: readonly Edge[];
  /** Unique enough for a node's name. */
  readonly name: string;
}

type Op = (call: OpCall) => readonly Edge[];

const fail = (why: string): never => {
  throw new UnsupportedLayerError(why);
};
const value = (v: Value): readonly Edge[] => [{ kind: 'value', value: v }];
const numbers = (tensor: TfTensor): number[] => Array.from(tensor.data);

function constant(call: OpCall, index: number): TfTensor {
  const edge = call.inputs[index];
  return edge?.kind === 'constant' ? edge.tensor : fail(`input ${index + 1} must be a constant`);
}

function attr<T>(call: OpCall, name: string, fallback: T): T {
  return (call.node.attrs[name] as T | undefined) ?? fallback;
}

const short = (name: string) => name.split('/').slice(-3).join('/');

function emit(
  call: OpCall,
  op: string,
  inputs: string[],
  attributes: Record<string, Attribute>,
  shape: readonly Size[] | null,
): string {
  return call.walk.builder.node(op, short(call.name), inputs, attributes, shape);
}

/** Same on every element: keeps whatever axis order the value has. */
function unary(op: string, attributes: (call: OpCall) => Record<string, Attribute> = () => ({})): Op {
  return (call) =>
    elementwise(call, call.walk.value(call.inputs[0]!), (input, shape) =>
      emit(call, op, [input], attributes(call), shape),
    );
}

function elementwise(
  call: OpCall,
  input: Value,
  apply: (name: string, shape: readonly Size[]) => string,
): readonly Edge[] {
  const { name, first } = call.walk.builder.either(input);
  return value(makeValue(input.shape, apply(name, first ? firstShape(input.shape) : input.shape), first));
}

function composed(
  build: (node: (op: string, inputs: string[]) => string, x: string, c: (v: number) => string) => string,
): Op {
  return (call) =>
    elementwise(call, call.walk.value(call.inputs[0]!), (x, shape) =>
      build(
        (op, inputs) => emit(call, op, inputs, {}, shape),
        x,
        (v) => call.walk.builder.floats('constant', [], [v]),
      ),
    );
}

function broadcastShape(a: readonly Size[], b: readonly Size[]): Size[] {
  const rank = Math.max(a.length, b.length);
  const at = (shape: readonly Size[], axis: number): Size =>
    shape[axis - (rank - shape.length)] === undefined ? 1 : shape[axis - (rank - shape.length)]!;
  return Array.from({ length: rank }, (_, i) => {
    const [x, y] = [at(a, i), at(b, i)];
    return x === 1 ? y : y === 1 ? x : (x ?? y);
  });
}

function binary(op: string): Op {
  return (call) => {
    const { walk } = call;
    const { builder } = walk;
    const [left, right] = call.inputs as [Edge, Edge];
    // A vector along the channels of a convolution's result, which is best left channels first.
    for (const [side, other] of [
      [left, right],
      [right, left],
    ] as const) {
      if (side.kind !== 'constant' || other.kind === 'constant') continue;
      const { shape, data } = side.tensor;
      const v = walk.value(other);
      const channels = v.shape.at(-1);
      const vector = data.length === 1 || (shape.at(-1) === channels && data.length === channels);
      if (v.first === undefined || !vector || v.shape.length < 3 || shape.length > v.shape.length) continue;
      if (typeof channels === 'number' && (op === 'Mul' || op === 'Add') && data.length === channels) {
        const fill = (n: number) => new Float32Array(channels).fill(n);
        const list = Float32Array.from(data);
        const parts = op === 'Mul' ? [list, fill(0), fill(0), fill(1)] : [fill(1), list, fill(0), fill(1)];
        const names = parts.map((part) => builder.floats('affine', [channels], part));
        // A batch normalization, because that is what merges into the convolution before it.
        return value(
          makeValue(
            v.shape,
            emit(call, 'BatchNormalization', [v.first, ...names], { epsilon: float(0) }, firstShape(v.shape)),
            true,
          ),
        );
      }
      const dims = data.length === 1 ? [] : [channels as number, ...new Array<number>(v.shape.length - 2).fill(1)];
      const c = builder.floats('constant', dims, Float32Array.from(data));
      const operands = side === left ? [c, v.first] : [v.first, c];
      return value(makeValue(v.shape, emit(call, op, operands, {}, firstShape(v.shape)), true));
    }
    const [a, b] = [walk.value(left), walk.value(right)];
    const shape = broadcastShape(a.shape, b.shape);
    if (a.first !== undefined && b.first !== undefined && a.shape.length === b.shape.length) {
      return value(makeValue(shape, emit(call, op, [a.first, b.first], {}, firstShape(shape)), true));
    }
    return value(makeValue(shape, emit(call, op, [builder.native(a), builder.native(b)], {}, shape)));
  };
}

const biasAdd: Op = (call) => {
  if (attr<string>(call, 'data_format', 'NHWC') !== 'NHWC' && call.walk.value(call.inputs[0]!).shape.length > 2)
    fail('data_format NCHW');
  return binary('Add')(call);
};

const matMul: Op = (call) => {
  const { builder } = call.walk;
  const [transA, transB] = [
    attr(call, 'transpose_a', attr(call, 'adj_x', false)),
    attr(call, 'transpose_b', attr(call, 'adj_y', false)),
  ];
  if (transA) fail('a transposed first operand');
  const a = call.walk.value(call.inputs[0]!);
  const right = call.inputs[1]!;
  if (right.kind === 'constant' && right.tensor.shape.length === 2) {
    const [rows, columns] = right.tensor.shape as [number, number];
    const given = right.tensor.data;
    const data = Float32Array.from(given);
    const [inputs, units] = transB ? [columns, rows] : [rows, columns];
    const straight = transB
      ? Float32Array.from({ length: data.length }, (_, i) => data[(i % units) * inputs + Math.floor(i / units)]!)
      : data;
    const shape = [...a.shape.slice(0, -1), units];
    const kernel = builder.floats('kernel', [inputs, units], straight);
    const op = a.shape.length === 2 ? 'Gemm' : 'MatMul';
    return value(makeValue(shape, emit(call, op, [builder.native(a), kernel], {}, shape)));
  }
  if (transB) fail('a transposed second operand that is no constant');
  const b = call.walk.value(right);
  const shape = [...broadcastShape(a.shape.slice(0, -2), b.shape.slice(0, -2)), a.shape.at(-2)!, b.shape.at(-1)!];
  return value(makeValue(shape, emit(call, 'MatMul', [builder.native(a), builder.native(b)], {}, shape)));
};

interface Windowed {
  readonly input: Value;
  readonly axes: number;
  readonly pads: readonly number[];
  /** Stretch of the kernel that SpaceToBatchND stands for. */
  readonly block: readonly number[];
  /** The edge's form, to give the result the same. */
  wrap(result: Value): Edge;
  readonly dilated: boolean;
}

/** The value a window slides over: 2-D as it is, or 1-D behind an axis of one. */
function windowed(call: OpCall): Windowed {
  const edge = call.inputs[0]!;
  const inner = edge.kind === 'expanded' && edge.axis === 1 ? edge.inner : edge;
  if (inner.kind === 'dilated') {
    return {
      ...{
        input: inner.value,
        axes: inner.value.shape.length - 2,
        pads: inner.pads,
        block: inner.block,
        dilated: true,
      },
      wrap: (result) => ({ kind: 'value', value: result }),
    };
  }
  const input = call.walk.value(inner);
  const axes = input.shape.length - 2;
  return {
    ...{
      input,
      axes,
      pads: new Array<number>(2 * axes).fill(0),
      block: new Array<number>(axes).fill(1),
      dilated: false,
    },
    wrap: (result) =>
      inner === edge
        ? { kind: 'value', value: result }
        : { kind: 'expanded', axis: 1, inner: { kind: 'value', value: result } },
  };
}

/** A list of four (NHWC) cut to the window's axes. */
function axesOf(call: OpCall, name: string, axes: number, fallback: number): number[] {
  const list = attr<readonly number[]>(call, name, []);
  if (list.length === 0) return new Array<number>(axes).fill(fallback);
  return list.slice(3 - axes, 3);
}

/** Output sizes and padding of a window (https://www.tensorflow.org/api_docs/python/tf/nn#notes_on_padding_2). */
function placed(
  sizes: readonly Size[],
  reach: readonly number[],
  strides: readonly number[],
  padding: string,
  pads: readonly number[],
) {
  const axes = sizes.length;
  const before: number[] = [];
  const after: number[] = [];
  const out = sizes.map((size, i): Size => {
    if (size === null) return fail('a size that is only known when it runs');
    const stride = strides[i]!;
    if (padding === 'SAME') {
      const places = Math.ceil(size / stride);
      const total = Math.max(0, (places - 1) * stride + reach[i]! - size);
      before.push(Math.floor(total / 2));
      after.push(Math.ceil(total / 2));
      return places;
    }
    before.push(pads[i]!);
    after.push(pads[axes + i]!);
    return Math.floor((size + pads[i]! + pads[axes + i]! - reach[i]!) / stride) + 1;
  });
  return { out, pads: [...before, ...after] };
}

function nhwcOnly(call: OpCall): void {
  const format = attr<string>(call, 'data_format', 'NHWC');
  if (format !== 'NHWC' && format !== '') fail(`data_format ${format}`);
}

function convolution(depthwise: boolean): Op {
  return (call) => {
    nhwcOnly(call);
    const { builder } = call.walk;
    const window = windowed(call);
    const { input, axes } = window;
    const kernel = constant(call, 1);
    const spatial = kernel.shape.slice(2 - axes, 2);
    if (kernel.shape.slice(0, 2 - axes).some((n) => n !== 1)) fail('a kernel of more than one row on a 1-D signal');
    const [inChannels, last] = kernel.shape.slice(2) as [number, number];
    const outChannels = depthwise ? inChannels * last : last;
    const channels = input.shape.at(-1);
    const group = depthwise ? inChannels : (channels as number) / inChannels;
    const strides = axesOf(call, 'strides', axes, 1);
    const own = axesOf(call, 'dilations', axes, 1);
    const dilations = own.map((d, i) => d * window.block[i]!);
    const padding = attr<string>(call, 'padding', 'VALID');
    if (padding === 'EXPLICIT') fail('explicit padding');
    // TensorFlow [places, in, out]; ONNX [out, in, places]. A depthwise kernel has one input for each of in * multiplier.
    const places = spatial.reduce((a, b) => a * b, 1);
    const inputs = depthwise ? 1 : inChannels;
    const data = new Float32Array(kernel.data.length);
    for (let p = 0; p < places; p++)
      for (let i = 0; i < inputs; i++)
        for (let o = 0; o < outChannels; o++)
          data[(o * inputs + i) * places + p] = kernel.data[(p * inputs + i) * outChannels + o]!;
    const weights = builder.floats('kernel', [outChannels, inputs, ...spatial], data);
    const reach = spatial.map((k, i) => (k - 1) * dilations[i]! + 1);
    const make = (crops: readonly number[]): Value => {
      const asked = window.pads.map((pad, i) => pad - (crops[i] ?? 0));
      const { out, pads } = placed(input.shape.slice(1, -1), reach, strides, padding, asked);
      const shape = [input.shape[0]!, ...out, outChannels];
      const attributes: Record<string, Attribute> = {
        kernel_shape: ints(spatial),
        strides: ints(strides),
        pads: ints(pads),
      };
      if (dilations.some((d) => d !== 1)) attributes.dilations = ints(dilations);
      if (group !== 1) attributes.group = int(group);
      return makeValue(shape, emit(call, 'Conv', [builder.first(input), weights], attributes, firstShape(shape)), true);
    };
    if (!window.dilated) return [window.wrap(make([]))];
    const shape = [input.shape[0]!, ...input.shape.slice(1, -1), outChannels];
    return [{ kind: 'pending', shape, finish: make }];
  };
}

function pool(op: 'MaxPool' | 'AveragePool'): Op {
  return (call) => {
    nhwcOnly(call);
    const window = windowed(call);
    const { input, axes } = window;
    const kernel = axesOf(call, 'ksize', axes, 1);
    const strides = axesOf(call, 'strides', axes, 1);
    const { out, pads } = placed(
      input.shape.slice(1, -1),
      kernel,
      strides,
      attr<string>(call, 'padding', 'VALID'),
      window.pads,
    );
    const shape = [input.shape[0]!, ...out, input.shape.at(-1)!];
    const attributes = { kernel_shape: ints(kernel), strides: ints(strides), pads: ints(pads) };
    return [
      window.wrap(
        makeValue(shape, emit(call, op, [call.walk.builder.first(input)], attributes, firstShape(shape)), true),
      ),
    ];
  };
}

const batchNorm: Op = (call) => {
  const { builder } = call.walk;
  const epsilon = attr(call, 'epsilon', 1e-4);
  const input = call.walk.value(call.inputs[0]!);
  const lists = [1, 2, 3, 4].map((i) => Float32Array.from(constant(call, i).data));
  if (attr(call, 'is_training', true)) {
    // Normalizes by its own input: over all axes but the channels, which come second here (Keras 2's LayerNormalization).
    const plain = [
      lists[0]!.every((n) => n === 1 || Number.isNaN(n)),
      lists[1]!.every((n) => n === 0 || Number.isNaN(n)),
    ];
    if (attr<string>(call, 'data_format', 'NHWC') !== 'NCHW' || plain.includes(false))
      fail('a batch normalization in training mode');
    const x = builder.native(input);
    const axes = input.shape.map((_, i) => i).filter((i) => i !== 1);
    const mean = (of: string) => emit(call, 'ReduceMean', [of], { axes: ints(axes), keepdims: int(1) }, null);
    const centred = emit(call, 'Sub', [x, mean(x)], {}, input.shape);
    const variance = mean(emit(call, 'Mul', [centred, centred], {}, input.shape));
    const root = emit(
      call,
      'Sqrt',
      [emit(call, 'Add', [variance, builder.floats('epsilon', [], [epsilon])], {}, null)],
      {},
      null,
    );
    return value(makeValue(input.shape, emit(call, 'Div', [centred, root], {}, input.shape)));
  }
  nhwcOnly(call);
  const names = lists.map((list) => builder.floats('norm', [list.length], list));
  return value(
    makeValue(
      input.shape,
      emit(
        call,
        'BatchNormalization',
        [builder.first(input), ...names],
        { epsilon: float(epsilon) },
        firstShape(input.shape),
      ),
      true,
    ),
  );
};

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

const spaceToBatch: Op = (call) => {
  const edge = call.inputs[0]!;
  const block = numbers(constant(call, 1));
  const amounts = numbers(constant(call, 2));
  const input = call.walk.value(edge);
  if (block.length !== input.shape.length - 2) fail('blocks of other axes than the spatial ones');
  const pads = [...block.map((_, i) => amounts[2 * i]!), ...block.map((_, i) => amounts[2 * i + 1]!)];
  return [{ kind: 'dilated', value: input, block, pads }];
};

const batchToSpace: Op = (call) => {
  const edge = call.inputs[0]!;
  if (edge.kind !== 'pending') return fail('no convolution before it');
  const amounts = numbers(constant(call, 2));
  const axes = amounts.length / 2;
  return value(
    edge.finish([
      ...Array.from({ length: axes }, (_, i) => amounts[2 * i]!),
      ...Array.from({ length: axes }, (_, i) => amounts[2 * i + 1]!),
    ]),
  );
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

const resize: Op = (call) => {
  const input = call.walk.value(call.inputs[0]!);
  const sizes = numbers(constant(call, 1));
  const [height, width] = input.shape.slice(1, 3) as [number, number];
  const scales = [sizes[0]! / height, sizes[1]! / width];
  if (attr(call, 'align_corners', false) || scales.some((s) => !Number.isInteger(s)))
    fail('resizing by other than whole factors');
  const shape = [input.shape[0]!, sizes[0]!, sizes[1]!, input.shape[3]!];
  const { builder } = call.walk;
  const attributes = {
    mode: str('nearest'),
    coordinate_transformation_mode: str('asymmetric'),
    nearest_mode: str('floor'),
  };
  const inputs = [builder.first(input), '', builder.floats('scales', [4], [1, 1, ...scales])];
  return value(makeValue(shape, emit(call, 'Resize', inputs, attributes, firstShape(shape)), true));
};

const softmax =
  (op: string): Op =>
  (call) => {
    const input = call.walk.value(call.inputs[0]!);
    return value(
      makeValue(
        input.shape,
        emit(call, op, [call.walk.builder.native(input)], { axis: int(input.shape.length - 1) }, input.shape),
      ),
    );
  };

const identity: Op = (call) => call.inputs.slice(0, 1);

const shape: Op = (call) => {
  const sizes = shapeOf(call, call.inputs[0]!);
  return [{ kind: 'constant', tensor: { shape: [sizes.length], data: sizes.map((n) => n ?? Number.NaN) } }];
};

const VALUE_OPS: Readonly<Record<string, Op>> = {
  Identity: identity,
  IdentityN: (call) => call.inputs,
  StopGradient: identity,
  PreventGradient: identity,
  EnsureShape: identity,
  Cast: identity,
  Shape: shape,
  MatMul: matMul,
  BatchMatMulV2: matMul,
  BiasAdd: biasAdd,
  AddV2: binary('Add'),
  Add: binary('Add'),
  Sub: binary('Sub'),
  Mul: binary('Mul'),
  RealDiv: binary('Div'),
  Maximum: binary('Max'),
  Minimum: binary('Min'),
  SquaredDifference: (call) => {
    const [difference] = binary('Sub')(call);
    return elementwise(call, call.walk.value(difference!), (x, s) => emit(call, 'Mul', [x, x], {}, s));
  },
  AddN: (call) =>
    call.inputs.reduce<readonly Edge[]>(
      (sum, next, i) => (i === 0 ? [next] : binary('Add')({ ...call, inputs: [sum[0]!, next] })),
      [],
    ),
  Relu: unary('Relu'),
  Relu6: (call) =>
    elementwise(call, call.walk.value(call.inputs[0]!), (x, s) =>
      emit(
        call,
        'Clip',
        [x, call.walk.builder.floats('low', [], [0]), call.walk.builder.floats('high', [], [6])],
        {},
        s,
      ),
    ),
  LeakyRelu: unary('LeakyRelu', (call) => ({ alpha: float(attr(call, 'alpha', 0.2)) })),
  Elu: unary('Elu', () => ({ alpha: float(1) })),
  Selu: unary('Selu'),
  Sigmoid: unary('Sigmoid'),
  Tanh: unary('Tanh'),
  Softplus: unary('Softplus'),
  Softsign: unary('Softsign'),
  Exp: unary('Exp'),
  Log: unary('Log'),
  Sqrt: unary('Sqrt'),
  Abs: unary('Abs'),
  Neg: unary('Neg'),
  Erf: unary('Erf'),
  Square: composed((node, x) => node('Mul', [x, x])),
  Rsqrt: composed((node, x, c) => node('Div', [c(1), node('Sqrt', [x])])),
  Erfc: composed((node, x, c) => node('Sub', [c(1), node('Erf', [x])])),
  Softmax: softmax('Softmax'),
  LogSoftmax: softmax('LogSoftmax'),
  Conv2D: convolution(false),
  DepthwiseConv2dNative: convolution(true),
  MaxPool: pool('MaxPool'),
  AvgPool: pool('AveragePool'),
  FusedBatchNorm: batchNorm,
  FusedBatchNormV3: batchNorm,
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
  SpaceToBatchND: spaceToBatch,
  BatchToSpaceND: batchToSpace,
  GatherV2: gather,
  ResizeNearestNeighbor: resize,
};

/** Every operation: worked out at once where all its inputs are constants, else as ONNX nodes. */
export const OPS: Readonly<Record<string, Op>> = Object.fromEntries(
  [...new Set([...Object.keys(CONSTANT_OPS), ...Object.keys(VALUE_OPS)])].map((name) => {
    const onConstants = CONSTANT_OPS[name];
    const onValues = VALUE_OPS[name];
    const op: Op = (call) => {
      const tensors = call.inputs.map((edge) => (edge.kind === 'constant' ? edge.tensor : null));
      if (onConstants && tensors.every((tensor) => tensor !== null)) {
        return [{ kind: 'constant', tensor: onConstants(tensors, call.node.attrs) }];
      }
      return onValues ? onValues(call) : fail('only supported on constants');
    };
    return [name, op];
  }),
);

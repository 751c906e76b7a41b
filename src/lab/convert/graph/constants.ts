/** TensorFlow operations on constants, worked out while a graph is read: shapes, and what a layer computes of its weights. */
import { UnsupportedLayerError } from '../../onnx/layer.js';
import type { TfAttr, TfTensor } from './proto.js';

type Attrs = Readonly<Record<string, TfAttr>>;
type ConstantOp = (inputs: readonly TfTensor[], attrs: Attrs) => TfTensor;

const numberOf = (attrs: Attrs, name: string) => (typeof attrs[name] === 'number' ? (attrs[name] as number) : 0);
const count = (shape: readonly number[]) => shape.reduce((a, b) => a * b, 1);

function each(apply: (x: number) => number): ConstantOp {
  return ([x]) => ({ shape: x!.shape, data: Float64Array.from(x!.data, apply) });
}

function pair(apply: (a: number, b: number) => number): ConstantOp {
  return ([a, b]) => {
    const rank = Math.max(a!.shape.length, b!.shape.length);
    const padded = (t: TfTensor) => [...new Array<number>(rank - t.shape.length).fill(1), ...t.shape];
    const [as, bs] = [padded(a!), padded(b!)];
    const shape = as.map((n, i) => (n === 1 ? bs[i]! : n));
    const index = (place: readonly number[], own: readonly number[]) =>
      place.reduce((at, p, i) => at * own[i]! + (own[i] === 1 ? 0 : p), 0);
    const place = new Array<number>(rank).fill(0);
    const data = new Float64Array(count(shape));
    for (let i = 0; i < data.length; i++) {
      data[i] = apply(a!.data[index(place, as)]!, b!.data[index(place, bs)]!);
      for (let axis = rank - 1; axis >= 0 && ++place[axis]! === shape[axis]; axis--) place[axis] = 0;
    }
    return { shape, data };
  };
}

/** Over the given axes; all of a vector is what graphs ask for. */
function reduced(apply: (values: readonly number[]) => number): ConstantOp {
  return ([x, axes]) => {
    const rank = x!.shape.length;
    const chosen = Array.from(axes!.data, (axis) => (axis < 0 ? axis + rank : axis));
    if (rank > 1 && chosen.length !== rank) throw new UnsupportedLayerError('a constant reduced over some of its axes');
    return chosen.length === 0 ? x! : { shape: [], data: [apply(Array.from(x!.data))] };
  };
}

const flat = (inputs: readonly TfTensor[]) => Float64Array.from(inputs.flatMap(({ data }) => Array.from(data)));

const slice: ConstantOp = ([x, begin, end, strides], attrs) => {
  if (x!.shape.length !== 1) throw new UnsupportedLayerError('a slice of a constant that is no vector');
  const size = x!.shape[0]!;
  const place = (n: number) => Math.max(0, Math.min(size, n < 0 ? n + size : n));
  const [from, to, step] = [begin!.data[0]!, end!.data[0]!, strides!.data[0]!];
  if (numberOf(attrs, 'shrink_axis_mask') & 1) return { shape: [], data: [x!.data[from < 0 ? from + size : from]!] };
  const start = numberOf(attrs, 'begin_mask') & 1 ? 0 : place(from);
  const stop = numberOf(attrs, 'end_mask') & 1 ? size : place(to);
  const data: number[] = [];
  for (let i = start; step > 0 && i < stop; i += step) data.push(x!.data[i]!);
  return { shape: [data.length], data };
};

const transpose: ConstantOp = ([x, perm]) => {
  const order = Array.from(perm!.data);
  const shape = order.map((axis) => x!.shape[axis]!);
  const steps = x!.shape.map((_, axis) => count(x!.shape.slice(axis + 1)));
  const data = Float64Array.from({ length: x!.data.length }, (_, i) => {
    let rest = i;
    let at = 0;
    for (let axis = shape.length - 1; axis >= 0; axis--) {
      at += (rest % shape[axis]!) * steps[order[axis]!]!;
      rest = Math.floor(rest / shape[axis]!);
    }
    return x!.data[at]!;
  });
  return { shape, data };
};

export const CONSTANT_OPS: Readonly<Record<string, ConstantOp>> = {
  Const: (_, attrs) => attrs.value as TfTensor,
  Identity: ([x]) => x!,
  StopGradient: ([x]) => x!,
  // 3 and 9: int32 and int64.
  Cast: ([x], attrs) => (attrs.DstT === 3 || attrs.DstT === 9 ? each(Math.trunc)([x!], attrs) : x!),
  Add: pair((a, b) => a + b),
  AddV2: pair((a, b) => a + b),
  Sub: pair((a, b) => a - b),
  Mul: pair((a, b) => a * b),
  RealDiv: pair((a, b) => a / b),
  FloorDiv: pair((a, b) => Math.floor(a / b)),
  FloorMod: pair((a, b) => a - Math.floor(a / b) * b),
  Maximum: pair(Math.max),
  Minimum: pair(Math.min),
  Pow: pair((a, b) => a ** b),
  SquaredDifference: pair((a, b) => (a - b) ** 2),
  Neg: each((x) => -x),
  Sqrt: each(Math.sqrt),
  Rsqrt: each((x) => 1 / Math.sqrt(x)),
  Square: each((x) => x * x),
  Exp: each(Math.exp),
  Prod: reduced((values) => values.reduce((a, b) => a * b, 1)),
  Sum: reduced((values) => values.reduce((a, b) => a + b, 0)),
  Max: reduced((values) => Math.max(...values)),
  Shape: ([x]) => ({ shape: [x!.shape.length], data: [...x!.shape] }),
  Pack: (inputs) => ({ shape: [inputs.length, ...inputs[0]!.shape], data: flat(inputs) }),
  ConcatV2: (inputs) => {
    const parts = inputs.slice(0, -1);
    if (parts.some(({ shape }) => shape.length !== 1))
      throw new UnsupportedLayerError('joined constants that are no vectors');
    const data = flat(parts);
    return { shape: [data.length], data };
  },
  ExpandDims: ([x, axis]) => {
    const at = axis!.data[0]! < 0 ? axis!.data[0]! + x!.shape.length + 1 : axis!.data[0]!;
    return { shape: [...x!.shape.slice(0, at), 1, ...x!.shape.slice(at)], data: x!.data };
  },
  Squeeze: ([x], attrs) => {
    const given = attrs.squeeze_dims;
    const axes = Array.isArray(given) ? given.map((n: number) => (n < 0 ? n + x!.shape.length : n)) : [];
    return { shape: x!.shape.filter((n, i) => (axes.length > 0 ? !axes.includes(i) : n !== 1)), data: x!.data };
  },
  Reshape: ([x, wanted]) => {
    const list = Array.from(wanted!.data);
    const rest = list.filter((n) => n !== -1).reduce((a, b) => a * b, 1);
    return { shape: list.map((n) => (n === -1 ? x!.data.length / rest : n)), data: x!.data };
  },
  Fill: ([dims, x]) => {
    const list = Array.from(dims!.data);
    // A size that is only known at run time: one value stands for all.
    return list.some(Number.isNaN)
      ? { shape: [1], data: x!.data }
      : { shape: list, data: new Float64Array(count(list)).fill(x!.data[0]!) };
  },
  GatherV2: ([x, at]) => {
    if (x!.shape.length !== 1) throw new UnsupportedLayerError('rows of a constant table');
    return { shape: at!.shape, data: Float64Array.from(at!.data, (i) => x!.data[i]!) };
  },
  StridedSlice: slice,
  Transpose: transpose,
  Range: ([from, to, step]) => {
    const data: number[] = [];
    for (let v = from!.data[0]!; v < to!.data[0]!; v += step!.data[0]!) data.push(v);
    return { shape: [data.length], data };
  },
};

/** Arithmetic on every element, matrix products and activations. */
import { firstShape, type GraphBuilder, makeValue, type Value } from '../../../onnx/builder.js';
import { type Attribute, float, int } from '../../../onnx/ir.js';
import type { Edge } from '../walk.js';
import { attr, broadcastShape, elementwise, emit, fail, type Op, type OpCall, value } from './common.js';

/** Same on every element: keeps whatever axis order the value has. */
function unary(op: string, attributes: (call: OpCall) => Record<string, Attribute> = () => ({})): Op {
  return (call) =>
    elementwise(call, call.walk.value(call.inputs[0]!), (input, shape) =>
      emit(call, op, [input], attributes(call), shape),
    );
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

/** True and false travel as such: only a choice between two values reads them. */
function comparison(op: string): Op {
  return (call) => {
    const { builder } = call.walk;
    const [a, b] = call.inputs.map((edge) => call.walk.value(edge)) as [Value, Value];
    const shape = broadcastShape(a.shape, b.shape);
    return value(makeValue(shape, emit(call, op, [builder.native(a), builder.native(b)], {}, null)));
  };
}

const select: Op = (call) => {
  const { builder } = call.walk;
  const [condition, a, b] = call.inputs.map((edge) => call.walk.value(edge)) as [Value, Value, Value];
  const made = producerOf(builder, condition);
  if (!made || !/^(Greater|Less|Equal)/.test(made)) fail('a choice by something else than a comparison');
  const shape = broadcastShape(condition.shape, broadcastShape(a.shape, b.shape));
  return value(
    makeValue(
      shape,
      emit(
        call,
        'Where',
        [condition, a, b].map((v) => builder.native(v)),
        {},
        shape,
      ),
    ),
  );
};

function producerOf({ graph }: GraphBuilder, { native }: Value): string | undefined {
  return graph.nodes.findLast(({ outputs }) => native !== undefined && outputs.includes(native))?.op;
}

/** By the name of the operation. */
export const ARITHMETIC: Readonly<Record<string, Op>> = {
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
  Expm1: composed((node, x, c) => node('Sub', [node('Exp', [x]), c(1)])),
  Log1p: composed((node, x, c) => node('Log', [node('Add', [x, c(1)])])),
  Greater: comparison('Greater'),
  GreaterEqual: comparison('GreaterOrEqual'),
  Less: comparison('Less'),
  LessEqual: comparison('LessOrEqual'),
  Equal: comparison('Equal'),
  SelectV2: select,
  Softmax: softmax('Softmax'),
  LogSoftmax: softmax('LogSoftmax'),
};

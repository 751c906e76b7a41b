/** Convolutions, pooling, and what belongs to them: batch normalization, dilation, resizing. */
import { firstShape, makeValue, type Size, type Value } from '../../../onnx/builder.js';
import { type Attribute, float, int, ints, str } from '../../../onnx/ir.js';
import type { Edge } from '../walk.js';
import { attr, constant, emit, fail, numbers, type Op, type OpCall, value } from './common.js';

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

/** A transposed convolution, which TensorFlow has as the gradient of a convolution: sizes of the result, kernel, input. */
const transposedConvolution: Op = (call) => {
  nhwcOnly(call);
  const { builder } = call.walk;
  const window = windowed({ ...call, inputs: [call.inputs[2]!] });
  if (window.dilated) fail('a dilated transposed convolution');
  const { input, axes } = window;
  const kernel = constant(call, 1);
  if (kernel.shape.slice(0, 2 - axes).some((n) => n !== 1)) fail('a kernel of more than one row on a 1-D signal');
  const spatial = kernel.shape.slice(2 - axes, 2);
  const [outputs, inputs] = kernel.shape.slice(2) as [number, number];
  const strides = axesOf(call, 'strides', axes, 1);
  if (axesOf(call, 'dilations', axes, 1).some((d) => d !== 1)) fail('a dilated transposed convolution');
  const sizes = numbers(constant(call, 0)).slice(3 - axes, 3);
  if (sizes.some(Number.isNaN)) fail('a size that is only known when it runs');
  // TensorFlow [places, out, in]; ONNX [in, out, places].
  const places = spatial.reduce((a, b) => a * b, 1);
  const data = new Float32Array(kernel.data.length);
  for (let p = 0; p < places; p++)
    for (let o = 0; o < outputs; o++)
      for (let i = 0; i < inputs; i++)
        data[(i * outputs + o) * places + p] = kernel.data[(p * outputs + o) * inputs + i]!;
  const before: number[] = [];
  const after: number[] = [];
  const extra: number[] = [];
  for (const [i, size] of input.shape.slice(1, -1).entries()) {
    if (size === null) fail('a size that is only known when it runs');
    // What the convolution whose gradient it is would have been padded by; the odd element comes last.
    const surplus = (size! - 1) * strides[i]! + spatial[i]! - sizes[i]!;
    const padded = attr<string>(call, 'padding', 'VALID') === 'SAME' ? Math.max(0, surplus) : 0;
    before.push(Math.floor(padded / 2));
    after.push(Math.ceil(padded / 2));
    extra.push(padded - surplus);
  }
  if (extra.some((n, i) => n < 0 || n >= strides[i]!)) fail('sizes that a transposed convolution does not give');
  const shape = [input.shape[0]!, ...sizes, outputs];
  const attributes: Record<string, Attribute> = {
    ...{ kernel_shape: ints(spatial), strides: ints(strides), pads: ints([...before, ...after]) },
    ...(extra.some((n) => n > 0) && { output_padding: ints(extra) }),
  };
  const names = [builder.first(input), builder.floats('kernel', [inputs, outputs, ...spatial], data)];
  const made = emit(call, 'ConvTranspose', names, attributes, firstShape(shape));
  return [window.wrap(makeValue(shape, made, true))];
};

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

/** By the name of the operation. */
export const WINDOWS: Readonly<Record<string, Op>> = {
  Conv2D: convolution(false),
  Conv2DBackpropInput: transposedConvolution,
  DepthwiseConv2dNative: convolution(true),
  MaxPool: pool('MaxPool'),
  AvgPool: pool('AveragePool'),
  FusedBatchNorm: batchNorm,
  FusedBatchNormV3: batchNorm,
  SpaceToBatchND: spaceToBatch,
  BatchToSpaceND: batchToSpace,
  ResizeNearestNeighbor: resize,
};

import { firstShape, makeValue, type Size, type Value } from '../builder.js';
import { type Attribute, int, ints, str } from '../ir.js';
import {
  channelsFirst,
  flag,
  type LayerCall,
  type LayerConverter,
  numberOption,
  only,
  output,
  perAxis,
  unsupported,
  weight,
} from '../layer.js';
import { activate } from './activation.js';

/** Sizes of the axes a window slides over, of a channels-last shape or of a channels-first one. */
export function spatial(shape: readonly Size[], first: boolean): readonly Size[] {
  return first ? shape.slice(2) : shape.slice(1, -1);
}

/**
 * Attributes that place a sliding window as TensorFlow does: with 'same' the output has ceil(size / stride) places and
 * an odd padding element goes to the end (https://www.tensorflow.org/api_docs/python/tf/nn#notes_on_padding_2).
 */
export function windowAttributes(
  call: LayerCall,
  sizes: readonly Size[],
  kernel: readonly number[],
  strides: readonly number[],
  dilations: readonly number[],
): Record<string, Attribute> {
  const attributes: Record<string, Attribute> = { kernel_shape: ints(kernel), strides: ints(strides) };
  if (dilations.some((d) => d !== 1)) attributes.dilations = ints(dilations);
  const padding = call.config.padding ?? 'valid';
  if (padding === 'valid') return attributes;
  const before: number[] = [];
  const after: number[] = [];
  for (let axis = 0; axis < kernel.length; axis++) {
    const reach = (kernel[axis]! - 1) * dilations[axis]! + 1;
    const stride = strides[axis]!;
    const size = sizes[axis]!;
    if (padding === 'causal') {
      before.push(reach - 1);
      after.push(0);
    } else if (padding === 'same') {
      if (size === null && stride !== 1) {
        // Only the runtime knows the size: ONNX has a word for TensorFlow's rule.
        delete attributes.pads;
        return { ...attributes, auto_pad: str('SAME_UPPER') };
      }
      const total = size === null ? reach - 1 : Math.max(0, (Math.ceil(size / stride) - 1) * stride + reach - size);
      before.push(Math.floor(total / 2));
      after.push(Math.ceil(total / 2));
    } else unsupported(call, `padding '${String(padding)}' is not supported`);
  }
  if ([...before, ...after].some((n) => n !== 0)) attributes.pads = ints([...before, ...after]);
  return attributes;
}

/** A Keras kernel [...spatial, inputs, outputs] in ONNX order [outputs, inputs, ...spatial]. */
function toOnnxKernel(data: Float32Array, shape: readonly number[]): { dims: number[]; data: Float32Array } {
  const outputs = shape.at(-1)!;
  const inputs = shape.at(-2)!;
  const places = shape.slice(0, -2).reduce((a, b) => a * b, 1);
  const turned = new Float32Array(data.length);
  for (let p = 0; p < places; p++)
    for (let i = 0; i < inputs; i++)
      for (let o = 0; o < outputs; o++) turned[(o * inputs + i) * places + p] = data[(p * inputs + i) * outputs + o]!;
  return { dims: [outputs, inputs, ...shape.slice(0, -2)], data: turned };
}

/** A Keras depthwise kernel [h, w, inputs, multiplier] as an ONNX grouped kernel [inputs * multiplier, 1, h, w]. */
function toGroupedKernel(data: Float32Array, shape: readonly number[]): { dims: number[]; data: Float32Array } {
  const turned = toOnnxKernel(data, [...shape.slice(0, -2), 1, shape.at(-2)! * shape.at(-1)!]);
  return turned;
}

interface ConvPart {
  readonly kernel: { dims: number[]; data: Float32Array };
  readonly bias: Float32Array | undefined;
  readonly attributes: Record<string, Attribute>;
  readonly name: string;
}

/** One Conv node on a channels-first value. */
function convNode(call: LayerCall, input: string, part: ConvPart, shape: readonly Size[] | null): string {
  const { builder } = call;
  const inputs = [input, builder.floats(`${part.name}/kernel`, part.kernel.dims, part.kernel.data)];
  if (part.bias) inputs.push(builder.floats(`${part.name}/bias`, [part.bias.length], part.bias));
  return builder.node('Conv', part.name, inputs, part.attributes, shape);
}

/** The input's name with channels behind the batch, whatever the source model's own order is. */
export function channelsFirstName(call: LayerCall, value: Value): string {
  return channelsFirst(call) ? call.builder.native(value) : call.builder.first(value);
}

/** Wraps a channels-first result as the layer's output. */
export function channelsFirstValue(call: LayerCall, name: string): Value {
  return makeValue(output(call), name, !channelsFirst(call));
}

/** The layer's output shape, channels first. */
export function channelsFirstShape(call: LayerCall): readonly Size[] {
  return channelsFirst(call) ? output(call) : firstShape(output(call));
}

function finish(call: LayerCall, name: string): Value[] {
  const shape = channelsFirstShape(call);
  // tfjs sums softmax over its own last axis, which is axis 1 here when its channels are last.
  const axis = channelsFirst(call) ? shape.length - 1 : 1;
  return [channelsFirstValue(call, activate(call, call.builder, call.config.activation, name, shape, axis))];
}

function plainConv(axes: number): LayerConverter {
  return (call) => {
    const value = only(call);
    const kernel = weight(call, 0);
    const kernelSize = kernel.shape.slice(0, axes);
    const strides = perAxis(call, 'strides', axes, 1);
    const dilations = perAxis(call, 'dilationRate', axes, 1);
    const attributes = windowAttributes(
      call,
      spatial(value.shape, channelsFirst(call)),
      kernelSize,
      strides,
      dilations,
    );
    const groups = numberOption(call, 'groups', 1);
    if (groups !== 1) attributes.group = int(groups);
    const part: ConvPart = {
      kernel: toOnnxKernel(kernel.data, kernel.shape),
      bias: flag(call, 'useBias', true) ? weight(call, 1).data : undefined,
      attributes,
      name: call.name,
    };
    return finish(call, convNode(call, channelsFirstName(call, value), part, channelsFirstShape(call)));
  };
}

export const conv1d = plainConv(1);
export const conv2d = plainConv(2);
export const conv3d = plainConv(3);

function depthwise(axes: number): LayerConverter {
  return (call) => {
    const value = only(call);
    const kernel = weight(call, 0);
    const strides = perAxis(call, 'strides', axes, 1);
    const dilations = perAxis(call, 'dilationRate', axes, 1);
    const sizes = spatial(value.shape, channelsFirst(call));
    const attributes = windowAttributes(call, sizes, kernel.shape.slice(0, axes), strides, dilations);
    attributes.group = int(kernel.shape[axes]!);
    const part: ConvPart = {
      kernel: toGroupedKernel(kernel.data, kernel.shape),
      bias: flag(call, 'useBias', true) ? weight(call, 1).data : undefined,
      attributes,
      name: call.name,
    };
    return finish(call, convNode(call, channelsFirstName(call, value), part, channelsFirstShape(call)));
  };
}

export const depthwiseConv1d = depthwise(1);
export const depthwiseConv2d = depthwise(2);

function separable(axes: number): LayerConverter {
  return (call) => {
    const value = only(call);
    const deepKernel = weight(call, 0);
    const pointwise = weight(call, 1);
    const strides = perAxis(call, 'strides', axes, 1);
    const dilations = perAxis(call, 'dilationRate', axes, 1);
    const sizes = spatial(value.shape, channelsFirst(call));
    const attributes = windowAttributes(call, sizes, deepKernel.shape.slice(0, axes), strides, dilations);
    attributes.group = int(deepKernel.shape[axes]!);
    const shape = channelsFirstShape(call);
    const deep = convNode(
      call,
      channelsFirstName(call, value),
      {
        kernel: toGroupedKernel(deepKernel.data, deepKernel.shape),
        bias: undefined,
        attributes,
        name: `${call.name}/depthwise`,
      },
      [shape[0]!, pointwise.shape[axes]!, ...shape.slice(2)],
    );
    const ones = new Array<number>(axes).fill(1);
    const part: ConvPart = {
      kernel: toOnnxKernel(pointwise.data, pointwise.shape),
      bias: flag(call, 'useBias', true) ? weight(call, 2).data : undefined,
      attributes: { kernel_shape: ints(ones), strides: ints(ones) },
      name: `${call.name}/pointwise`,
    };
    return finish(call, convNode(call, deep, part, shape));
  };
}

export const separableConv1d = separable(1);
export const separableConv2d = separable(2);

/** Transposed convolution. Keras kernel [...places, outputs, inputs], ONNX [inputs, outputs, ...places]. */
function transposed(axes: number): LayerConverter {
  return (call) => {
    const value = only(call);
    const kernel = weight(call, 0);
    const reaches = kernel.shape.slice(0, axes);
    const strides = perAxis(call, 'strides', axes, 1);
    const dilations = perAxis(call, 'dilationRate', axes, 1);
    if (dilations.some((d) => d !== 1)) unsupported(call, 'is dilated, which is not supported');
    if (call.config.outputPadding != null) unsupported(call, 'option output_padding is not supported');
    const shape = channelsFirstShape(call);
    const sizes = spatial(value.shape, channelsFirst(call));
    const before: number[] = [];
    const after: number[] = [];
    const extra: number[] = [];
    for (const [axis, reach] of reaches.entries()) {
      if (sizes[axis] === null) unsupported(call, 'needs to know its input size before it runs');
      const full = (sizes[axis]! - 1) * strides[axis]! + reach;
      const surplus = full - shape[axis + 2]!;
      // The gradient of a 'same' convolution: the odd element is taken from the end.
      before.push(Math.floor(Math.max(0, surplus) / 2));
      after.push(Math.ceil(Math.max(0, surplus) / 2));
      extra.push(Math.max(0, -surplus));
    }
    const attributes: Record<string, Attribute> = {
      kernel_shape: ints(reaches),
      strides: ints(strides),
      pads: ints([...before, ...after]),
    };
    if (extra.some((n) => n > 0)) attributes.output_padding = ints(extra);
    const { builder, name } = call;
    const turned = toOnnxKernel(kernel.data, kernel.shape);
    const inputs = [channelsFirstName(call, value), builder.floats(`${name}/kernel`, turned.dims, turned.data)];
    if (flag(call, 'useBias', true)) {
      const bias = weight(call, 1);
      inputs.push(builder.floats(`${name}/bias`, bias.shape, bias.data));
    }
    return finish(call, builder.node('ConvTranspose', name, inputs, attributes, shape));
  };
}

export const conv1dTranspose = transposed(1);
export const conv2dTranspose = transposed(2);
export const conv3dTranspose = transposed(3);

/** Nearest-neighbour repetition along each axis. */
function upSampling(axes: number): LayerConverter {
  return (call) => {
    if ((call.config.interpolation ?? 'nearest') !== 'nearest')
      unsupported(call, 'only nearest interpolation is supported');
    const factors = perAxis(call, 'size', axes, 2);
    const { builder, name } = call;
    const scales = builder.floats(`${name}/scales`, [axes + 2], [1, 1, ...factors]);
    const attributes = {
      mode: str('nearest'),
      coordinate_transformation_mode: str('asymmetric'),
      nearest_mode: str('floor'),
    };
    const inputs = [channelsFirstName(call, only(call)), '', scales];
    return [channelsFirstValue(call, builder.node('Resize', name, inputs, attributes, channelsFirstShape(call)))];
  };
}

export const upSampling1d = upSampling(1);
export const upSampling2d = upSampling(2);
export const upSampling3d = upSampling(3);

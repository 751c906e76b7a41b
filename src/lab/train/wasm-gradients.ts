import * as tf from '@tensorflow/tfjs';

/**
 * Two gradients of convolution that the WASM backend of TensorFlow.js lacks (Conv2DBackpropFilter) or computes with a
 * naive loop (Conv2DBackpropInput), both made of its fast forward convolution. Registering again does nothing.
 */
export function registerWasmGradients(): void {
  if (tf.getKernel('Conv2DBackpropFilter', 'wasm')) return;
  tf.registerKernel({
    kernelName: 'Conv2DBackpropFilter',
    backendName: 'wasm',
    kernelFunc: ({ inputs, attrs }) => kernelResult(() => filterGradient(inputs as never, attrs as never)),
  });
  tf.unregisterKernel('Conv2DBackpropInput', 'wasm');
  tf.registerKernel({
    kernelName: 'Conv2DBackpropInput',
    backendName: 'wasm',
    kernelFunc: ({ inputs, attrs }) => kernelResult(() => inputGradient(inputs as never, attrs as never)),
  });
}

interface GradientInputs {
  readonly x: tf.Tensor4D;
  readonly dy: tf.Tensor4D;
  readonly filter: tf.Tensor4D;
}

type Size4 = [number, number, number, number];

interface ConvAttributes {
  readonly strides: number | [number, number];
  readonly pad: 'same' | 'valid' | number;
  readonly dataFormat: 'NHWC' | 'NCHW';
  readonly dimRoundingMode: 'floor' | 'round' | 'ceil' | undefined;
  readonly filterShape: Size4;
  readonly inputShape: Size4;
}

/** What a kernel made on the way is disposed of; its result belongs to whoever called it. */
function kernelResult(compute: () => tf.Tensor): tf.TensorInfo {
  return tf.tidy(compute);
}

function convInfo(
  inputShape: Size4,
  filterShape: Size4,
  { strides, pad, dataFormat, dimRoundingMode }: ConvAttributes,
) {
  if (dataFormat !== 'NHWC') throw new Error('gradients of convolutions are made for channels-last tensors only');
  const info = tf.backend_util.computeConv2DInfo(inputShape, filterShape, strides, 1, pad, dimRoundingMode);
  const { top, left } = info.padInfo;
  return { ...info, top, left };
}

/**
 * d loss / d filter is itself a convolution: of x, batch and channels swapped, with dy as the filter, dilated by the
 * forward stride.
 */
function filterGradient({ x, dy }: GradientInputs, attributes: ConvAttributes): tf.Tensor {
  const { filterShape } = attributes;
  const info = convInfo(x.shape, filterShape, attributes);
  const [filterHeight, filterWidth] = filterShape;
  const { strideHeight, strideWidth } = info;
  // As much padding below and right as the dilated dy needs to reach the filter's size, and no more.
  const bottom = (dy.shape[1] - 1) * strideHeight + filterHeight - x.shape[1] - info.top;
  const right = (dy.shape[2] - 1) * strideWidth + filterWidth - x.shape[2] - info.left;
  const cut = x.slice([0, 0, 0, 0], [-1, x.shape[1] + Math.min(0, bottom), x.shape[2] + Math.min(0, right), -1]);
  const padded = cut.pad([
    [0, 0],
    [info.top, Math.max(0, bottom)],
    [info.left, Math.max(0, right)],
    [0, 0],
  ]);
  const swapped = padded.transpose([3, 1, 2, 0]) as tf.Tensor4D;
  const asFilter = dy.transpose([1, 2, 0, 3]) as tf.Tensor4D;
  const gradient = tf.conv2d(swapped, asFilter, 1, 'valid', 'NHWC', [strideHeight, strideWidth]);
  return gradient.transpose([1, 2, 0, 3]);
}

/** d loss / d input: dy with zeros between its samples, convolved with the filter turned round. */
function inputGradient({ dy, filter }: GradientInputs, attributes: ConvAttributes): tf.Tensor {
  const { inputShape } = attributes;
  const info = convInfo(inputShape, filter.shape, attributes);
  const [filterHeight, filterWidth] = filter.shape;
  const { strideHeight, strideWidth } = info;
  const stuffed = stuffZeros(stuffZeros(dy, 1, strideHeight), 2, strideWidth);
  const top = filterHeight - 1 - info.top;
  const left = filterWidth - 1 - info.left;
  const bottom = inputShape[1] + filterHeight - 1 - top - stuffed.shape[1];
  const right = inputShape[2] + filterWidth - 1 - left - stuffed.shape[2];
  const cut = stuffed.slice(
    [0, Math.max(0, -top), Math.max(0, -left), 0],
    [
      -1,
      stuffed.shape[1] + Math.min(0, bottom) - Math.max(0, -top),
      stuffed.shape[2] + Math.min(0, right) - Math.max(0, -left),
      -1,
    ],
  );
  const padded = cut.pad([
    [0, 0],
    [Math.max(0, top), Math.max(0, bottom)],
    [Math.max(0, left), Math.max(0, right)],
    [0, 0],
  ]) as tf.Tensor4D;
  const turned = filter.reverse([0, 1]).transpose([0, 1, 3, 2]) as tf.Tensor4D;
  return tf.conv2d(padded, turned, 1, 'valid');
}

/** Puts `stride` - 1 zeros after each sample along an axis; those after the last are left off. */
function stuffZeros(x: tf.Tensor4D, axis: 1 | 2, stride: number): tf.Tensor4D {
  if (stride === 1) return x;
  const length = x.shape[axis];
  const spread = x.shape.slice();
  spread.splice(axis + 1, 0, 1);
  const padding: [number, number][] = spread.map(() => [0, 0]);
  padding[axis + 1] = [0, stride - 1];
  const stuffedShape = x.shape.slice() as Size4;
  stuffedShape[axis] = length * stride;
  const stuffed = x.reshape(spread).pad(padding).reshape(stuffedShape) as tf.Tensor4D;
  const size = stuffedShape.slice() as Size4;
  size[axis] = (length - 1) * stride + 1;
  return stuffed.slice([0, 0, 0, 0], size);
}

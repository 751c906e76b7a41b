import { makeValue, type Size } from '../builder.js';
import { channelsFirst, flag, type LayerConverter, only, output, perAxis } from '../layer.js';
import { channelsFirstName, channelsFirstShape, channelsFirstValue, spatial, windowAttributes } from './conv.js';

function pool(op: 'MaxPool' | 'AveragePool', axes: number): LayerConverter {
  return (call) => {
    const value = only(call);
    const size = perAxis(call, 'poolSize', axes, 2);
    const strides = call.config.strides == null ? size : perAxis(call, 'strides', axes, size[0]!);
    const ones = new Array<number>(axes).fill(1);
    const attributes = windowAttributes(call, spatial(value.shape, channelsFirst(call)), size, strides, ones);
    // AveragePool leaves padding out of its mean by default (count_include_pad = 0), as TensorFlow does.
    const name = call.builder.node(
      op,
      call.name,
      [channelsFirstName(call, value)],
      attributes,
      channelsFirstShape(call),
    );
    return [channelsFirstValue(call, name)];
  };
}

export const maxPool1d = pool('MaxPool', 1);
export const maxPool2d = pool('MaxPool', 2);
export const maxPool3d = pool('MaxPool', 3);
export const averagePool3d = pool('AveragePool', 3);
export const averagePool1d = pool('AveragePool', 1);
export const averagePool2d = pool('AveragePool', 2);

/** Global pooling, then the axes of size one taken away. */
function globalPool(op: 'GlobalMaxPool' | 'GlobalAveragePool'): LayerConverter {
  return (call) => {
    const value = only(call);
    const { builder, name } = call;
    const shape = output(call);
    const ones: Size[] = new Array<number>(value.shape.length - 2).fill(1);
    if (flag(call, 'keepdims', false)) {
      const kept = builder.node(op, name, [channelsFirstName(call, value)], {}, channelsFirstShape(call));
      return [channelsFirstValue(call, kept)];
    }
    const pooled = builder.node(op, name, [channelsFirstName(call, value)], {}, [...shape, ...ones]);
    return [makeValue(shape, builder.node('Flatten', name, [pooled], {}, shape))];
  };
}

export const globalMaxPool = globalPool('GlobalMaxPool');
export const globalAveragePool = globalPool('GlobalAveragePool');

import { makeValue, type Value } from '../builder.js';
import { flag, known, type LayerCall, type LayerConverter, only, output, weight } from '../layer.js';
import { activate } from './activation.js';

/**
 * Dense: Gemm on rank 2, MatMul and Add above. The kernel keeps its Keras order [inputs, units], unless the input's
 * columns are shuffled: then its rows are.
 */
export const dense: LayerConverter = (call) => {
  const value = only(call);
  const kernel = weight(call, 0);
  const bias = flag(call, 'useBias', true) ? weight(call, 1) : undefined;
  const [inputs, units] = kernel.shape as [number, number];
  const shape = output(call);
  const { builder, name } = call;
  let data = kernel.data;
  let input: string;
  if (value.native === undefined && value.shuffled) {
    data = shuffleRows(data, units, value.shuffled.order);
    input = value.shuffled.name;
  } else input = builder.native(value);
  const kernelName = builder.floats(`${name}/kernel`, [inputs, units], data);
  const biasName = bias ? builder.floats(`${name}/bias`, [units], bias.data) : undefined;
  let result: string;
  if (value.shape.length === 2) {
    result = builder.node('Gemm', name, biasName ? [input, kernelName, biasName] : [input, kernelName], {}, shape);
  } else {
    result = builder.node('MatMul', name, [input, kernelName], {}, shape);
    if (biasName) result = builder.node('Add', name, [result, biasName], {}, shape);
  }
  return [makeValue(shape, activate(call, builder, call.config.activation, result, shape, shape.length - 1))];
};

function shuffleRows(data: Float32Array, columns: number, order: Int32Array): Float32Array {
  const shuffled = new Float32Array(data.length);
  order.forEach((source, at) => {
    shuffled.set(data.subarray(source * columns, (source + 1) * columns), at * columns);
  });
  return shuffled;
}

/** Flatten in the source model's order, without moving any data: see `Value.shuffled`. */
export const flatten: LayerConverter = (call) => {
  const value = only(call);
  const { builder, name } = call;
  const shape = output(call);
  if (value.shape.length === 2) return [value];
  // Flatten with channelsFirst data moves the channels last before it flattens (tfjs-layers/src/layers/core.ts).
  if (call.config.dataFormat === 'channelsFirst' && value.shape.length > 2) return [flattenMoved(call, value)];
  if (value.first === undefined) {
    return [makeValue(shape, builder.node('Flatten', name, [builder.native(value)], {}, shape))];
  }
  const flat = builder.node('Flatten', name, [value.first], {}, shape);
  const channels = known(call, value.shape.at(-1), 'the number of channels');
  let places = 1;
  for (const size of value.shape.slice(1, -1)) places *= known(call, size, 'every size');
  if (channels === 1 || places === 1) return [makeValue(shape, flat)];
  const order = new Int32Array(channels * places);
  for (let c = 0; c < channels; c++) for (let p = 0; p < places; p++) order[c * places + p] = p * channels + c;
  return [{ shape, shuffled: { name: flat, order } }];
};

function flattenMoved(call: LayerCall, value: Value): Value {
  const { builder, name } = call;
  const rank = value.shape.length;
  const perm = [0, ...Array.from({ length: rank - 2 }, (_, i) => i + 2), 1];
  const moved = builder.node('Transpose', name, [builder.native(value)], { perm: { kind: 'ints', value: perm } }, null);
  return makeValue(output(call), builder.node('Flatten', name, [moved], {}, output(call)));
}

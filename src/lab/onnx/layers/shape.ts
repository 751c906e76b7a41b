/** Layers that move values without computing. They work in the source model's own axis order unless it is free not to. */
import { makeValue, type Size } from '../builder.js';
import { ints } from '../ir.js';
import {
  channelsFirst,
  known,
  type LayerCall,
  type LayerConverter,
  numberOption,
  only,
  output,
  unsupported,
} from '../layer.js';
import { channelsFirstName, channelsFirstShape, channelsFirstValue } from './conv.js';

/** A shape for the Reshape operator: the batch copied, at most one size left to the runtime. */
function reshapeTarget(call: LayerCall, shape: readonly Size[]): number[] {
  const rest = shape.slice(1).map((size) => size ?? -1);
  if (rest.filter((size) => size === -1).length > 1) unsupported(call, 'leaves more than one size open');
  return [0, ...rest];
}

export const reshape: LayerConverter = (call) => {
  const { builder, name } = call;
  const target = builder.int64s(`${name}/shape`, reshapeTarget(call, output(call)));
  return [
    makeValue(output(call), builder.node('Reshape', name, [builder.native(only(call)), target], {}, output(call))),
  ];
};

export const permute: LayerConverter = (call) => {
  const dims = call.config.dims;
  if (!Array.isArray(dims)) unsupported(call, 'option dims is missing');
  const { builder, name } = call;
  const perm = [0, ...dims.map(Number)];
  const input = builder.native(only(call));
  return [makeValue(output(call), builder.node('Transpose', name, [input], { perm: ints(perm) }, output(call)))];
};

export const repeatVector: LayerConverter = (call) => {
  const { builder, name } = call;
  const [batch, features] = only(call).shape as [Size, Size];
  const count = numberOption(call, 'n', 1);
  const target = builder.int64s(`${name}/shape`, [0, 1, known(call, features, 'the number of features')]);
  const lifted = builder.node('Reshape', name, [builder.native(only(call)), target], {}, [batch, 1, features]);
  const repeats = builder.int64s(`${name}/repeats`, [1, count, 1]);
  return [makeValue(output(call), builder.node('Tile', name, [lifted, repeats], {}, output(call)))];
};

type Pair = [number, number];

function pairs(call: LayerCall, option: string): [Pair, Pair] {
  const value = call.config[option];
  if (typeof value === 'number')
    return [
      [value, value],
      [value, value],
    ];
  if (!Array.isArray(value) || value.length !== 2) unsupported(call, `option ${option} should be a pair`);
  return value.map((part) =>
    Array.isArray(part) ? [Number(part[0]), Number(part[1])] : [Number(part), Number(part)],
  ) as [Pair, Pair];
}

export const zeroPadding2d: LayerConverter = (call) => {
  const [rows, columns] = pairs(call, 'padding');
  const { builder, name } = call;
  const pads = builder.int64s(`${name}/pads`, [0, 0, rows[0], columns[0], 0, 0, rows[1], columns[1]]);
  const inputs = [channelsFirstName(call, only(call)), pads];
  return [channelsFirstValue(call, builder.node('Pad', name, inputs, {}, channelsFirstShape(call)))];
};

export const cropping2d: LayerConverter = (call) => {
  const [rows, columns] = pairs(call, 'cropping');
  const { builder, name } = call;
  const sizes = only(call).shape;
  const at = channelsFirst(call) ? 2 : 1;
  const height = known(call, sizes[at], 'its input size');
  const width = known(call, sizes[at + 1], 'its input size');
  const inputs = [
    channelsFirstName(call, only(call)),
    builder.int64s(`${name}/starts`, [rows[0], columns[0]]),
    builder.int64s(`${name}/ends`, [height - rows[1], width - columns[1]]),
    builder.int64s(`${name}/axes`, [2, 3]),
  ];
  return [channelsFirstValue(call, builder.node('Slice', name, inputs, {}, channelsFirstShape(call)))];
};

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
import { channelsFirstName, channelsFirstShape, channelsFirstValue, spatial } from './conv.js';

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

/** An amount before and after each axis: one number, one per axis, or a pair per axis; in 1D a pair is [before, after]. */
function pairs(call: LayerCall, option: string, axes: number): Pair[] {
  const value = call.config[option];
  if (typeof value === 'number') return new Array<Pair>(axes).fill([value, value]);
  if (axes === 1 && Array.isArray(value) && value.length === 2) return [[Number(value[0]), Number(value[1])]];
  if (!Array.isArray(value) || value.length !== axes) unsupported(call, `option ${option} should be ${axes} pair(s)`);
  return value.map(
    (part): Pair => (Array.isArray(part) ? [Number(part[0]), Number(part[1])] : [Number(part), Number(part)]),
  );
}

function zeroPadding(axes: number): LayerConverter {
  return (call) => {
    const amounts = pairs(call, 'padding', axes);
    const { builder, name } = call;
    const pads = builder.int64s(`${name}/pads`, [
      ...[0, 0, ...amounts.map(([before]) => before)],
      ...[0, 0, ...amounts.map(([, after]) => after)],
    ]);
    const inputs = [channelsFirstName(call, only(call)), pads];
    return [channelsFirstValue(call, builder.node('Pad', name, inputs, {}, channelsFirstShape(call)))];
  };
}

export const zeroPadding1d = zeroPadding(1);
export const zeroPadding2d = zeroPadding(2);
export const zeroPadding3d = zeroPadding(3);

function cropping(axes: number): LayerConverter {
  return (call) => {
    const amounts = pairs(call, 'cropping', axes);
    const { builder, name } = call;
    const sizes = spatial(only(call).shape, channelsFirst(call));
    const ends = amounts.map(([, after], axis) => known(call, sizes[axis], 'its input size') - after);
    const inputs = [
      channelsFirstName(call, only(call)),
      builder.int64s(
        `${name}/starts`,
        amounts.map(([before]) => before),
      ),
      builder.int64s(`${name}/ends`, ends),
      builder.int64s(
        `${name}/axes`,
        amounts.map((_, axis) => axis + 2),
      ),
    ];
    return [channelsFirstValue(call, builder.node('Slice', name, inputs, {}, channelsFirstShape(call)))];
  };
}

export const cropping1d = cropping(1);
export const cropping2d = cropping(2);
export const cropping3d = cropping(3);

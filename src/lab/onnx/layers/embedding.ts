import { makeValue } from '../builder.js';
import { int } from '../ir.js';
import { flag, type LayerConverter, only, output, unsupported, weight } from '../layer.js';

/** Rows of a table by number. The numbers come as floats, as every input of a bundle does, and are cut to whole ones. */
export const embedding: LayerConverter = (call) => {
  if (flag(call, 'maskZero', false)) unsupported(call, 'masks its zeros, and masks are not supported');
  const { builder, name } = call;
  const table = weight(call, 0);
  const shape = output(call);
  // 7 is TensorProto.INT64; the shape is left out because it would be recorded as that of a float value.
  const rows = builder.node('Cast', name, [builder.native(only(call))], { to: int(7) }, null);
  const inputs = [builder.floats(`${name}/embeddings`, table.shape, table.data), rows];
  return [makeValue(shape, builder.node('Gather', name, inputs, { axis: int(0) }, shape))];
};

/** Attention: every step looks at every other. Formulas are those of keras/src/layers/attention. */
import { type GraphBuilder, makeValue, type Size, type Value } from '../builder.js';
import { int, ints } from '../ir.js';
import {
  flag,
  known,
  type LayerCall,
  type LayerConverter,
  numberOption,
  output,
  unsupported,
  weight,
} from '../layer.js';

/** Query, value and key of a layer that takes them in this order; the value is the key unless it is given. */
function operands(call: LayerCall): [query: Value, value: Value, key: Value] {
  const [query, value, key = value] = call.inputs;
  if (!query || !value || !key) unsupported(call, `takes a query and a value, got ${call.inputs.length} input(s)`);
  const odd = [query, value, key].find(({ shape }) => shape.length !== 3);
  if (odd) unsupported(call, `takes [steps, features], got [${odd.shape.slice(1).join(', ')}]`);
  return [query, value, key];
}

/** keras.layers.MultiHeadAttention over the steps of a sequence, without masks. */
export const multiHeadAttention: LayerConverter = (call) => {
  const { builder, name, config } = call;
  const axes = config.attentionAxes;
  if (axes !== null && axes !== undefined && String(axes) !== '1' && String(axes) !== '-2') {
    unsupported(call, 'option attention_axes is not supported');
  }
  const [query, value, key] = operands(call);
  const heads = numberOption(call, 'numHeads', 1);
  const bias = flag(call, 'useBias', true);
  let at = 0;
  const take = () => weight(call, at++);
  /** x times a kernel [features, heads, size], as [batch, heads, steps, size]. */
  const project = (input: Value, what: string) => {
    const kernel = take();
    const [features, , size] = kernel.shape as [number, number, number];
    const steps = input.shape[1]!;
    const flat: Size[] = [null, steps, heads * size];
    const product = product2d(builder, `${name}/${what}`, builder.native(input), features, kernel.data, flat);
    const sum = bias ? add(builder, `${name}/${what}`, product, take().data, flat) : product;
    const parts = builder.int64s(`${name}/${what}/shape`, [0, 0, heads, size]);
    const parted = builder.node('Reshape', `${name}/${what}`, [sum, parts], {}, [null, steps, heads, size]);
    const turned: Size[] = [null, heads, steps, size];
    return { size, name: builder.node('Transpose', `${name}/${what}`, [parted], { perm: ints([0, 2, 1, 3]) }, turned) };
  };
  const [q, k, v] = [project(query, 'query'), project(key, 'key'), project(value, 'value')];
  const [steps, seen] = [query.shape[1]!, value.shape[1]!];
  const scaled = builder.node(
    'Mul',
    name,
    [q.name, builder.floats(`${name}/scale`, [], [1 / Math.sqrt(numberOption(call, 'keyDim', k.size))])],
    {},
    [null, heads, steps, q.size],
  );
  const turnedKey = builder.node('Transpose', name, [k.name], { perm: ints([0, 1, 3, 2]) }, [
    null,
    heads,
    k.size,
    seen,
  ]);
  const scores = builder.node('MatMul', name, [scaled, turnedKey], {}, [null, heads, steps, seen]);
  const shares = builder.node('Softmax', name, [scores], { axis: int(3) }, [null, heads, steps, seen]);
  const mixed = builder.node('MatMul', name, [shares, v.name], {}, [null, heads, steps, v.size]);
  const together = builder.node('Transpose', name, [mixed], { perm: ints([0, 2, 1, 3]) }, [null, steps, heads, v.size]);
  const width = heads * v.size;
  const joined = builder.int64s(`${name}/joined`, [0, 0, width]);
  const flat = builder.node('Reshape', name, [together, joined], {}, [null, steps, width]);
  const kernel = take();
  const shape = output(call);
  if (kernel.shape.length !== 3) unsupported(call, 'option output_shape of several sizes is not supported');
  const out = product2d(builder, `${name}/output`, flat, width, kernel.data, shape);
  return [makeValue(shape, bias ? add(builder, `${name}/output`, out, take().data, shape) : out)];
};

/** keras.layers.Attention with products for scores, without masks. */
export const attention: LayerConverter = (call) => {
  const { builder, name, config } = call;
  if ((config.scoreMode ?? 'dot') !== 'dot')
    unsupported(call, `score_mode '${String(config.scoreMode)}' is not supported`);
  const [query, value, key] = operands(call);
  const [steps, seen] = [query.shape[1]!, value.shape[1]!];
  const features = known(call, key.shape[2], 'the number of features');
  const turned = builder.node('Transpose', name, [builder.native(key)], { perm: ints([0, 2, 1]) }, [
    null,
    features,
    seen,
  ]);
  let scores = builder.node('MatMul', name, [builder.native(query), turned], {}, [null, steps, seen]);
  if (flag(call, 'useScale', false)) {
    const scale = builder.floats(`${name}/scale`, [], weight(call, 0).data);
    scores = builder.node('Mul', name, [scores, scale], {}, [null, steps, seen]);
  }
  const shares = builder.node('Softmax', name, [scores], { axis: int(2) }, [null, steps, seen]);
  const shape = output(call);
  return [makeValue(shape, builder.node('MatMul', name, [shares, builder.native(value)], {}, shape))];
};

function product2d(
  builder: GraphBuilder,
  name: string,
  input: string,
  rows: number,
  kernel: Float32Array,
  shape: readonly Size[],
): string {
  const weights = builder.floats(`${name}/kernel`, [rows, kernel.length / rows], kernel);
  return builder.node('MatMul', name, [input, weights], {}, shape);
}

function add(builder: GraphBuilder, name: string, input: string, bias: Float32Array, shape: readonly Size[]): string {
  return builder.node('Add', name, [input, builder.floats(`${name}/bias`, [bias.length], bias)], {}, shape);
}

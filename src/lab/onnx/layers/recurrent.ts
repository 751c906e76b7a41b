/** Recurrent layers. ONNX keeps time first and has its gates in its own order; both are seen to here. */
import { makeValue, type Size, type Value } from '../builder.js';
import { type Attribute, int, ints, str, strings } from '../ir.js';
import { flag, known, type LayerCall, type LayerConverter, only, unsupported, weight } from '../layer.js';

const ACTIVATIONS: Readonly<Record<string, string>> = {
  sigmoid: 'Sigmoid',
  // ONNX's own slope and offset for it are those of Keras: 0.2 and 0.5.
  hardSigmoid: 'HardSigmoid',
  tanh: 'Tanh',
  relu: 'Relu',
  softsign: 'Softsign',
  softplus: 'Softplus',
};

function activationName(call: LayerCall, option: string): string {
  const kind = String(call.config[option]);
  return (
    ACTIVATIONS[kind] ??
    unsupported(call, `${option} '${kind}' is not supported here; these are: ${Object.keys(ACTIVATIONS).join(', ')}`)
  );
}

/** A Keras matrix [rows, gates * units] as ONNX has it: [1, gates * units, rows], gates in the order given. */
function gateMatrix(data: Float32Array, rows: number, units: number, order: readonly number[]): Float32Array {
  const columns = order.length * units;
  const turned = new Float32Array(data.length);
  order.forEach((gate, at) => {
    for (let u = 0; u < units; u++)
      for (let r = 0; r < rows; r++) turned[(at * units + u) * rows + r] = data[r * columns + gate * units + u]!;
  });
  return turned;
}

/**
 * @param order place of each ONNX gate among the Keras gates
 * @param activations Keras options for ONNX's list of activations
 */
function recurrent(
  op: 'GRU' | 'LSTM' | 'RNN',
  order: readonly number[],
  activations: readonly string[],
): LayerConverter {
  return (call) => {
    const value = only(call);
    const { builder, name, config } = call;
    const sequences = flag(call, 'returnSequences', false);
    const backwards = flag(call, 'goBackwards', false);
    if (flag(call, 'stateful', false)) unsupported(call, 'keeps its state between calls, which ONNX cannot');
    if (backwards && sequences) unsupported(call, 'returnSequences with goBackwards is not supported');
    const kernel = weight(call, 0);
    const inner = weight(call, 1);
    const units = inner.shape[0]!;
    const features = kernel.shape[0]!;
    const [batch, time] = value.shape as [Size, Size];
    const width = order.length * units;
    const inputs = [
      builder.node('Transpose', name, [builder.native(value)], { perm: ints([1, 0, 2]) }, [time, batch, features]),
      builder.floats(`${name}/kernel`, [1, width, features], gateMatrix(kernel.data, features, units, order)),
      builder.floats(`${name}/recurrent`, [1, width, units], gateMatrix(inner.data, units, units, order)),
    ];
    if (config.useBias !== false) {
      // ONNX has a bias for each of the two products; Keras has one for their sum.
      const both = new Float32Array(2 * width);
      both.set(gateMatrix(weight(call, 2).data, 1, units, order));
      inputs.push(builder.floats(`${name}/bias`, [1, 2 * width], both));
    }
    const attributes: Record<string, Attribute> = {
      hidden_size: int(units),
      activations: strings(activations.map((option) => activationName(call, option))),
    };
    if (backwards) attributes.direction = str('reverse');
    const states = call.outputShapes.length - 1;
    const last = states > 0 || !sequences;
    // Outputs: the sequence, the last hidden state, and for LSTM the last cell state.
    const results = builder.nodes(op, name, inputs, attributes, [
      sequences ? [known(call, time, 'the number of time steps'), 1, batch, units] : undefined,
      last ? [1, batch, units] : undefined,
      ...(op === 'LSTM' ? [states > 1 ? [1, batch, units] : undefined] : []),
    ]);
    const squeeze = (result: string, axis: number, shape: readonly Size[]) =>
      builder.node('Squeeze', name, [result, builder.int64s(`${name}/axes`, [axis])], {}, shape);
    const state = (result: string): Value => makeValue([batch, units], squeeze(result, 0, [batch, units]));
    const final = last ? state(results[1]!) : undefined;
    let main = final;
    if (sequences) {
      const steps = squeeze(results[0]!, 1, [time, batch, units]);
      const shape = [batch, time, units];
      main = makeValue(shape, builder.node('Transpose', name, [steps], { perm: ints([1, 0, 2]) }, shape));
    }
    return [main!, ...(states > 0 ? [final!] : []), ...(states > 1 ? [state(results[2]!)] : [])];
  };
}

/** Keras gates: update, reset, candidate; ONNX the same. TensorFlow.js always resets before its product. */
export const gru = recurrent('GRU', [0, 1, 2], ['recurrentActivation', 'activation']);
/** Keras gates: input, forget, cell, output; ONNX: input, output, forget, cell. */
export const lstm = recurrent('LSTM', [0, 3, 1, 2], ['recurrentActivation', 'activation', 'activation']);
export const simpleRnn = recurrent('RNN', [0], ['activation']);

/** Recurrent layers. ONNX keeps time first and has its gates in its own order; both are seen to here. */
import { makeValue, type Size, type Value } from '../builder.js';
import { type Attribute, floats, int, ints, str, strings } from '../ir.js';
import { flag, known, type LayerCall, type LayerConverter, only, unsupported, weight } from '../layer.js';

const ACTIVATIONS: Readonly<Record<string, string>> = {
  sigmoid: 'Sigmoid',
  // ONNX's own slope and offset for it are those of Keras: 0.2 and 0.5.
  hardSigmoid: 'HardSigmoid',
  hard_sigmoid: 'HardSigmoid',
  hard_sigmoid_v3: 'HardSigmoid',
  linear: 'Affine',
  tanh: 'Tanh',
  relu: 'Relu',
  softsign: 'Softsign',
  softplus: 'Softplus',
};

/** ONNX's alpha and beta of the activations that have them. */
const PARAMETERS: Readonly<Record<string, readonly [alpha: number, beta: number][]>> = {
  hardSigmoid: [[0.2, 0.5]],
  hard_sigmoid: [[0.2, 0.5]],
  hard_sigmoid_v3: [[1 / 6, 0.5]],
  linear: [[1, 0]],
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
    if (flag(call, 'timeMajor', false)) unsupported(call, 'option time_major is not supported');
    // Read backwards it comes out last step first; the backward half of a Bidirectional layer is turned round after that.
    const turnBack = sequences && backwards !== flag(call, 'turned', false);
    const resetAfter = op === 'GRU' && flag(call, 'resetAfter', false);
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
      const bias = weight(call, 2).data;
      if (bias.length !== (resetAfter ? 2 * width : width)) {
        unsupported(call, `has a bias of ${bias.length} values where ${resetAfter ? 2 * width : width} are expected`);
      }
      both.set(gateMatrix(bias.subarray(0, width), 1, units, order));
      if (resetAfter) both.set(gateMatrix(bias.subarray(width), 1, units, order), width);
      inputs.push(builder.floats(`${name}/bias`, [1, 2 * width], both));
    }
    const attributes: Record<string, Attribute> = {
      hidden_size: int(units),
      activations: strings(activations.map((option) => activationName(call, option))),
    };
    if (backwards) attributes.direction = str('reverse');
    if (resetAfter) attributes.linear_before_reset = int(1);
    // Parameters of those activations that take any, in their order.
    const parameters = activations.flatMap((option) => PARAMETERS[String(config[option])] ?? []);
    if (parameters.length > 0) {
      attributes.activation_alpha = floats(parameters.map(([alpha]) => alpha));
      attributes.activation_beta = floats(parameters.map(([, beta]) => beta));
    }
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
      let ordered = builder.node('Transpose', name, [steps], { perm: ints([1, 0, 2]) }, shape);
      if (turnBack) ordered = reverseTime(call, ordered, shape);
      main = makeValue(shape, ordered);
    }
    return [main!, ...(states > 0 ? [final!] : []), ...(states > 1 ? [state(results[2]!)] : [])];
  };
}

function reverseTime(call: LayerCall, input: string, shape: readonly Size[]): string {
  const { builder, name } = call;
  const part = (what: string, value: number) => builder.int64s(`${name}/${what}`, [value]);
  // From the last step to before the first: INT64_MIN stands for it (ONNX Slice), any large negative number does.
  const inputs = [input, part('starts', -1), part('ends', -0x7fffffff), part('axes', 1), part('steps', -1)];
  return builder.node('Slice', name, inputs, {}, shape);
}

/** Keras gates: update, reset, candidate; ONNX the same. TensorFlow.js resets before its product, Keras after it. */
export const gru = recurrent('GRU', [0, 1, 2], ['recurrentActivation', 'activation']);
/** Keras gates: input, forget, cell, output; ONNX: input, output, forget, cell. */
export const lstm = recurrent('LSTM', [0, 3, 1, 2], ['recurrentActivation', 'activation', 'activation']);
export const simpleRnn = recurrent('RNN', [0], ['activation']);

/** How the two halves of a Bidirectional layer are joined (Keras' merge_mode), beside concatenation. */
const MERGES: Readonly<Record<string, string>> = { sum: 'Add', ave: 'Add', mul: 'Mul' };

/**
 * A recurrent layer run in both directions: two recurrent nodes and what joins them. The call's weights are those of the
 * forward half, then those of the backward half; `config.forward` and `config.backward` are their options.
 */
export const bidirectional: LayerConverter = (call) => {
  const { builder, name, config, weights } = call;
  const layers = { GRU: gru, LSTM: lstm, SimpleRNN: simpleRnn } as Readonly<Record<string, LayerConverter>>;
  const inner = String(config.innerClass);
  const convert = layers[inner] ?? unsupported(call, `runs a ${inner} layer; GRU, LSTM and SimpleRNN are supported`);
  const half = (which: 'forward' | 'backward'): Value => {
    const own = config[which] as Readonly<Record<string, unknown>>;
    if (which === 'backward' && config.backwardClass !== undefined && config.backwardClass !== inner) {
      unsupported(
        call,
        `runs a ${inner} forward and a ${String(config.backwardClass)} backward, which is not supported`,
      );
    }
    if (own.returnState === true) unsupported(call, 'returns its states, which is not supported');
    const part = weights.length / 2;
    return convert({
      ...call,
      name: `${name}/${which}`,
      config: { ...own, turned: which === 'backward' },
      weights: which === 'forward' ? weights.slice(0, part) : weights.slice(part),
      outputShapes: [call.outputShapes[0]!],
    })[0]!;
  };
  const [forward, backward] = [half('forward'), half('backward')];
  const mode = config.mergeMode;
  if (mode === null) return [forward, backward];
  const shape = call.outputShapes[0]!;
  const names = [builder.native(forward), builder.native(backward)];
  if (mode === 'concat' || mode === undefined) {
    return [makeValue(shape, builder.node('Concat', name, names, { axis: int(shape.length - 1) }, shape))];
  }
  const op = MERGES[String(mode)] ?? unsupported(call, `merge_mode '${String(mode)}' is not supported`);
  const joined = builder.node(op, name, names, {}, shape);
  if (mode !== 'ave') return [makeValue(shape, joined)];
  return [makeValue(shape, builder.node('Mul', name, [joined, builder.floats(`${name}/half`, [], [0.5])], {}, shape))];
};

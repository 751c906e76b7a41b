import type { LayersModel, SymbolicTensor } from '@tensorflow/tfjs-layers';

type Layer = SymbolicTensor['sourceLayer'];

/** One use of a layer: what goes in and what comes out. */
export interface Call {
  readonly layer: Layer;
  readonly className: string;
  readonly config: Readonly<Record<string, unknown>>;
  readonly inputs: readonly SymbolicTensor[];
  readonly output: SymbolicTensor;
}

/** Layers whose output channels are filters of their own. */
const FILTERS = new Set(['Conv1D', 'Conv2D', 'Dense']);
/** Layers that shrink along their input channels and end there. */
const ABSORBERS = new Set(['Conv1D', 'Conv2D', 'Dense', 'SeparableConv2D']);
/** Layers that treat every channel by itself, or lay them side by side. */
const CARRIERS = new Set([
  ...['BatchNormalization', 'DepthwiseConv2D', 'Flatten', 'Concatenate', 'ZeroPadding2D', 'Cropping2D', 'UpSampling2D'],
  ...['Activation', 'ReLU', 'LeakyReLU', 'ELU', 'ThresholdedReLU', 'Rescaling'],
  ...['Dropout', 'SpatialDropout1D', 'GaussianNoise', 'GaussianDropout', 'AlphaDropout'],
  ...['MaxPooling1D', 'MaxPooling2D', 'AveragePooling1D', 'AveragePooling2D'],
  ...['GlobalMaxPooling1D', 'GlobalMaxPooling2D', 'GlobalAveragePooling1D', 'GlobalAveragePooling2D'],
]);

/** Every use of a layer that the model's outputs depend on, in topological order, inputs left out. */
export function callsOf(model: LayersModel): Call[] {
  const calls: Call[] = [];
  const seen = new Set(model.inputs.map((tensor) => tensor.id));
  const visit = (tensor: SymbolicTensor): void => {
    if (seen.has(tensor.id)) return;
    seen.add(tensor.id);
    const layer = tensor.sourceLayer;
    const inputs = layer.inboundNodes[tensor.nodeIndex]?.inputTensors ?? [];
    for (const input of inputs) visit(input);
    const config = layer.getConfig() as Record<string, unknown>;
    calls.push({ layer, className: layer.getClassName(), config, inputs, output: tensor });
  };
  for (const output of model.outputs) visit(output);
  return calls;
}

/** Who reads what, to tell whose channels may go. */
export class Consumers {
  private readonly readers = new Map<number, Call[]>();
  private readonly outputs: ReadonlySet<number>;
  private readonly uses = new Map<Layer, number>();

  constructor(model: LayersModel, calls: readonly Call[]) {
    this.outputs = new Set(model.outputs.map((tensor) => tensor.id));
    for (const call of calls) {
      this.uses.set(call.layer, (this.uses.get(call.layer) ?? 0) + 1);
      for (const input of new Set(call.inputs))
        this.readers.set(input.id, [...(this.readers.get(input.id) ?? []), call]);
    }
  }

  /** Whether filters of this layer can be removed without changing what the caller or a sum of channels expects. */
  canLoseChannels(call: Call): boolean {
    return (
      FILTERS.has(call.className) &&
      this.isPlain(call) &&
      call.config.activation !== 'softmax' &&
      this.canShrink(call.output)
    );
  }

  /** What the batch normalization right behind a layer multiplies each channel by; null where there is none. */
  normOf(call: Call): Float32Array | null {
    const [reader, second] = this.readers.get(call.output.id) ?? [];
    if (!reader || second || reader.className !== 'BatchNormalization' || call.config.activation !== 'linear')
      return null;
    const values = reader.layer.getWeights().map((tensor) => Float32Array.from(tensor.dataSync()));
    const variance = values.at(-1)!;
    const gamma = reader.config.scale === false ? null : values[0]!;
    return variance.map((v, c) => (gamma?.[c] ?? 1) / Math.sqrt(v + Number(reader.config.epsilon)));
  }

  private canShrink(tensor: SymbolicTensor): boolean {
    if (this.outputs.has(tensor.id)) return false;
    return (this.readers.get(tensor.id) ?? []).every((reader) => {
      if (!this.isPlain(reader)) return false;
      if (ABSORBERS.has(reader.className)) return true;
      return CARRIERS.has(reader.className) && carries(reader) && this.canShrink(reader.output);
    });
  }

  /** Used once, channels last: a layer that is shared would have to shrink for all its uses alike. */
  private isPlain(call: Call): boolean {
    return this.uses.get(call.layer) === 1 && call.config.dataFormat !== 'channelsFirst';
  }
}

/** Whether a carrier's options leave channels to themselves. */
function carries({ className, config, output }: Call): boolean {
  const last = (axis: unknown) =>
    Number(Array.isArray(axis) ? axis[0] : (axis ?? -1)) === output.shape.length - 1 || Number(axis) === -1;
  if (className === 'BatchNormalization' || className === 'Concatenate') return last(config.axis);
  if (className === 'Activation') return config.activation !== 'softmax' && config.activation !== 'logSoftmax';
  return true;
}

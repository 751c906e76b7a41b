import type * as TensorFlow from '@tensorflow/tfjs';
import { LabError } from '../error.js';
import { type Call, Consumers, callsOf } from './channel-graph.js';
import { slicedOutput, sliceWeights } from './channel-slices.js';

/** The parts of TensorFlow.js that build a model; any backend's package has them. */
export type TensorFlowModels = Pick<typeof TensorFlow, 'tensor' | 'dispose' | 'models'>;

export interface ChannelPruningOptions {
  /** Share of channels (or dense units) to remove, 0 to below 1: for every layer, or by layer name (others keep all). */
  readonly sparsity: number | Readonly<Record<string, number>>;
  /** Channel counts stay multiples of this; 8-bit kernels work in groups of 4. */
  readonly multipleOf?: number;
}

/** Channels are left in groups of this many: 8-bit kernels take four at a time. */
export const CHANNEL_GROUP = 4;

export interface PrunedLayer {
  readonly name: string;
  readonly before: number;
  readonly after: number;
}

export interface ChannelPruningResult {
  /** A new, smaller, uncompiled model; the old one is untouched. Fine-tune it before use. */
  readonly model: TensorFlow.LayersModel;
  /** Every layer whose channels could be removed, in the model's order. */
  readonly layers: readonly PrunedLayer[];
}

/**
 * Structured pruning: takes whole convolution channels and dense units out of a model, so that a dense runtime has less
 * to compute (zeros in a matrix of the same size cost as much as any number). The channels with the smallest L1 norm
 * of their weights, as scaled by the batch normalization behind them, go first (Li et al., "Pruning filters for
 * efficient ConvNets", ICLR 2017). What they fed shrinks with them, through normalization, pooling, flattening and
 * concatenation. Layers whose channels are added to others', reshaped, or given to the caller keep theirs.
 *
 * @throws LabError for an unknown layer name, one that cannot lose channels, or a share outside 0 to 1
 */
export async function pruneChannels(
  tf: TensorFlowModels,
  model: TensorFlow.LayersModel,
  options: ChannelPruningOptions,
): Promise<ChannelPruningResult> {
  const calls = callsOf(model);
  const consumers = new Consumers(model, calls);
  const prunable = calls.filter((call) => consumers.canLoseChannels(call));
  const share = shareByLayer(prunable, options.sparsity);

  /** Which channels of a tensor are left, by tensor id. Tensors that keep all are not in it. */
  const kept = new Map<number, Int32Array>();
  const weights = new Map<string, { shape: number[]; data: Float32Array }[]>();
  const channels = new Map<string, number>();
  const layers: PrunedLayer[] = [];
  for (const call of calls) {
    const old = call.layer
      .getWeights()
      .map((tensor) => ({ shape: tensor.shape, data: Float32Array.from(tensor.dataSync()) }));
    let keepOut: Int32Array | undefined;
    if (prunable.includes(call)) {
      const before = call.output.shape.at(-1)!;
      const left = count(before, share.get(call.layer.name)!, options.multipleOf ?? 1);
      layers.push({ name: call.layer.name, before, after: left });
      if (left < before) {
        keepOut = largest(importance(old[0]!, consumers.normOf(call)), left);
        channels.set(call.layer.name, left);
      }
    } else keepOut = slicedOutput(call, kept);
    if (keepOut) kept.set(call.output.id, keepOut);
    if (old.length > 0)
      weights.set(call.layer.name, sliceWeights(call, old, kept, channels.has(call.layer.name) ? keepOut : undefined));
  }
  return { model: await rebuild(tf, model, channels, weights), layers };
}

function shareByLayer(prunable: readonly Call[], sparsity: ChannelPruningOptions['sparsity']): Map<string, number> {
  const names = prunable.map((call) => call.layer.name);
  const wanted = typeof sparsity === 'number' ? Object.fromEntries(names.map((name) => [name, sparsity])) : sparsity;
  for (const [name, share] of Object.entries(wanted)) {
    if (!names.includes(name))
      throw new LabError(`layer '${name}' cannot lose channels; these can: ${names.join(', ')}`);
    if (!(share >= 0 && share < 1)) throw new LabError(`share ${share} of layer '${name}' is not between 0 and 1`);
  }
  return new Map(names.map((name) => [name, wanted[name] ?? 0]));
}

/** How many channels are left: at least one, and a multiple of `multipleOf` where there are that many. */
function count(before: number, share: number, multipleOf: number): number {
  const wanted = Math.max(1, Math.round(before * (1 - share)));
  return Math.min(before, Math.ceil(wanted / multipleOf) * multipleOf);
}

/** L1 norm of each output channel's weights, times what the batch normalization behind it multiplies by. */
function importance(kernel: { shape: number[]; data: Float32Array }, scale: Float32Array | null): Float64Array {
  const channels = kernel.shape.at(-1)!;
  const norms = new Float64Array(channels);
  kernel.data.forEach((value, i) => {
    norms[i % channels]! += Math.abs(value);
  });
  return scale ? norms.map((norm, c) => norm * Math.abs(scale[c]!)) : norms;
}

/** Places of the `left` largest values, in rising order. */
function largest(values: Float64Array, left: number): Int32Array {
  const order = Array.from(values.keys()).sort((a, b) => values[b]! - values[a]! || a - b);
  return Int32Array.from(order.slice(0, left)).sort();
}

/** The same topology with fewer channels, and the weights that are left. */
async function rebuild(
  tf: TensorFlowModels,
  model: TensorFlow.LayersModel,
  channels: ReadonlyMap<string, number>,
  weights: ReadonlyMap<string, readonly { shape: number[]; data: Float32Array }[]>,
): Promise<TensorFlow.LayersModel> {
  const topology = JSON.parse(model.toJSON(null, true) as string) as Topology;
  const { config } = topology;
  for (const layer of Array.isArray(config) ? config : config.layers) {
    const left = channels.get(layer.config.name);
    // TensorFlow.js leaves this option out of a SeparableConv2D's configuration.
    if (layer.class_name === 'SeparableConv2D')
      layer.config.depth_multiplier = weights.get(layer.config.name)![0]!.shape[3];
    if (left !== undefined) layer.config[layer.class_name === 'Dense' ? 'units' : 'filters'] = left;
  }
  const smaller = await tf.models.modelFromJSON(topology as unknown as Parameters<typeof tf.models.modelFromJSON>[0]);
  for (const [name, list] of weights) {
    const tensors = list.map(({ data, shape }) => tf.tensor(data, shape));
    smaller.getLayer(name).setWeights(tensors);
    tf.dispose(tensors);
  }
  return smaller;
}

interface LayerJson {
  class_name: string;
  config: { name: string; [option: string]: unknown };
}

/** What `toJSON` gives: a functional model has its layers in `config.layers`, old sequential ones in `config` itself. */
interface Topology {
  class_name: string;
  config: LayerJson[] | { layers: LayerJson[] };
}

/** Which weights a layer has, in Keras' order, and how the parts of a model share a flat list of them. */
import type { GraphLayer, LayerGraph } from './topology.js';

export interface WeightSlot {
  /** The name Keras and TensorFlow.js give it. */
  readonly name: string;
  /** Trained by gradient; the others (running means) come after those in Keras' lists. */
  readonly trained: boolean;
}

type Config = Readonly<Record<string, unknown>>;

const trained = (...names: (string | false)[]): WeightSlot[] =>
  names.filter((name) => name !== false).map((name) => ({ name, trained: true }));
const kept = (...names: string[]): WeightSlot[] => names.map((name) => ({ name, trained: false }));
const bias = (config: Config) => config.useBias !== false && 'bias';

/** The weights of a layer of this class and configuration. */
export function weightSlots(layer: GraphLayer): WeightSlot[] {
  const { className, config } = layer;
  switch (className) {
    case 'Dense':
    case 'Conv1D':
    case 'Conv2D':
    case 'Conv3D':
    case 'Conv1DTranspose':
    case 'Conv2DTranspose':
    case 'Conv3DTranspose':
      return trained('kernel', bias(config));
    case 'DepthwiseConv1D':
    case 'DepthwiseConv2D':
      return trained('depthwise_kernel', bias(config));
    case 'SeparableConv1D':
    case 'SeparableConv2D':
      return trained('depthwise_kernel', 'pointwise_kernel', bias(config));
    case 'BatchNormalization':
      return [
        ...trained(config.scale !== false && 'gamma', config.center !== false && 'beta'),
        ...kept('moving_mean', 'moving_variance'),
      ];
    case 'LayerNormalization':
    case 'GroupNormalization':
      return trained(config.scale !== false && 'gamma', config.center !== false && 'beta');
    case 'PReLU':
      return trained('alpha');
    case 'Attention':
      return trained(config.useScale === true && 'scale');
    case 'MultiHeadAttention':
      return ['query', 'key', 'value', 'attention_output'].flatMap((part) =>
        trained(`${part}/kernel`, config.useBias !== false && `${part}/bias`),
      );
    case 'Embedding':
      return trained('embeddings');
    case 'GRU':
    case 'LSTM':
    case 'SimpleRNN':
      return trained('kernel', 'recurrent_kernel', bias(config));
    case 'Normalization':
      return config.mean == null ? kept('mean', 'variance', 'count') : [];
    case 'Bidirectional':
      return layer.wrapped ? [...weightSlots(layer.wrapped), ...weightSlots(layer.wrapped)] : [];
    case 'TimeDistributed':
      return layer.wrapped ? weightSlots(layer.wrapped) : [];
    default:
      return [];
  }
}

/** A weight of a layer, by the path of names that leads to it through nested models. */
export interface WeightPlace {
  readonly path: string;
  readonly slot: number;
}

/**
 * The order in which a nested model's weights stand in a Keras `.h5` file: all trainable ones of all its layers, then
 * the rest (`layer.trainable_weights + layer.non_trainable_weights`). A layer that was frozen counts among the rest.
 */
export function nestedOrder(layer: GraphLayer, path: string): WeightPlace[] {
  return [...trainable(layer, path), ...resting(layer, path)];
}

/** The graph of a model used as a layer, at once or on every step. */
export function innerOf({ className, inner, wrapped }: GraphLayer): LayerGraph | null {
  return inner ?? (className === 'TimeDistributed' ? (wrapped?.inner ?? null) : null);
}

const children = (inner: LayerGraph, path: string): [GraphLayer, string][] =>
  inner.layers.map((child) => [child, `${path}/${child.name}`]);

function trainable(layer: GraphLayer, path: string): WeightPlace[] {
  if (layer.config.trainable === false) return [];
  const inner = innerOf(layer);
  if (inner) return children(inner, path).flatMap(([child, at]) => trainable(child, at));
  return places(layer, path, true);
}

function resting(layer: GraphLayer, path: string): WeightPlace[] {
  const inner = innerOf(layer);
  if (inner) return children(inner, path).flatMap(([child, at]) => resting(child, at));
  return layer.config.trainable === false
    ? [...places(layer, path, true), ...places(layer, path, false)]
    : places(layer, path, false);
}

function places(layer: GraphLayer, path: string, wanted: boolean): WeightPlace[] {
  return weightSlots(layer).flatMap(({ trained: isTrained }, slot) => (isTrained === wanted ? [{ path, slot }] : []));
}

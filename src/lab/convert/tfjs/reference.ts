/** A model's own program where TensorFlow.js can be it: a second opinion on what the ONNX file computes. */
import type { LayersModel } from '@tensorflow/tfjs';
import type { ModelItem } from '../../quantize/runtime.js';
import type { WeightSource } from '../keras/to-onnx.js';
import type { GraphLayer, LayerGraph } from '../keras/topology.js';
import type { Reference } from '../source.js';

const SHAPES = 'batchInputShape';
/** Options that matter to training or to Keras' own bookkeeping alone. */
const DROPPED =
  /Initializer$|Regularizer$|Constraint$|^(dtype|module|registeredName|buildConfig|sharedObjectId|seed|batchShape|innerClass|optionalInput|optional|ragged|sparse|lora.*|quantization.*|synchronized|zeroOutputForMask|timeMajor|implementation|noiseShape|inputLength|activityRegularizer|renorm.*|autocast|groups|name|trainable)$/;

/**
 * The same architecture and weights as a TensorFlow.js model.
 * @throws Error with TensorFlow.js' reason where it does not know a layer or an option
 */
export async function tfjsReference(
  graph: LayerGraph,
  weights: WeightSource,
  shapes?: readonly (readonly number[])[],
): Promise<Reference> {
  const tf = await import('@tensorflow/tfjs');
  const { openBackend } = await import('../../backend.js');
  await openBackend();
  const modelTopology = { class_name: 'Model', config: modelConfig(graph) };
  const model = await tf.loadLayersModel(tf.io.fromMemory({ modelTopology } as Parameters<typeof tf.io.fromMemory>[0]));
  setWeights(graph, model, '', weights, tf);
  return wrapTfjsModel(model, shapes);
}

/**
 * A loaded TensorFlow.js model as a reference.
 * @param shapes of the inputs without the batch, where the model leaves sizes open
 */
export async function wrapTfjsModel(model: LayersModel, shapes?: readonly (readonly number[])[]): Promise<Reference> {
  const tf = await import('@tensorflow/tfjs');
  const sizes = model.inputs.map((input, i) => [...(shapes?.[i] ?? input.shape.slice(1).map(Number))]);
  return {
    by: `TensorFlow.js ${tf.version.tfjs} (${tf.getBackend()})`,
    async run(items: readonly ModelItem[]) {
      return tf.tidy(() => {
        const inputs = sizes.map((shape, i) => {
          const size = shape.reduce((a, b) => a * b, 1);
          const all = new Float32Array(size * items.length);
          items.forEach((item, at) => {
            all.set(item[i]!, at * size);
          });
          return tf.tensor(all, [items.length, ...shape]);
        });
        const result = model.predict(inputs.length === 1 ? inputs[0]! : inputs);
        return (Array.isArray(result) ? result : [result]).map((tensor) => Float32Array.from(tensor.dataSync()));
      });
    },
    close() {
      model.dispose();
    },
  };
}

type Model = { readonly layers: readonly { readonly name: string; setWeights(weights: unknown[]): void }[] };

function setWeights(
  graph: LayerGraph,
  model: Model,
  path: string,
  weights: WeightSource,
  tf: typeof import('@tensorflow/tfjs'),
): void {
  for (const layer of graph.layers) {
    const target = model.layers.find(({ name }) => name === layer.name);
    if (!target) continue;
    const at = `${path}/${layer.name}`;
    if (layer.inner) {
      setWeights(layer.inner, target as unknown as Model, at, weights, tf);
      continue;
    }
    const own = weights(at, layer);
    if (own.length === 0) continue;
    const tensors = own.map(({ data, shape }) => tf.tensor(data, [...shape]));
    target.setWeights(tensors);
    tf.dispose(tensors);
  }
}

/** The config of a functional model in the JSON of Keras 2, which is what TensorFlow.js reads. */
function modelConfig(graph: LayerGraph): Record<string, unknown> {
  const ref = ({ layer, call, output }: LayerGraph['inputs'][number]) => [layer, call, output];
  return {
    name: graph.name,
    layers: graph.layers.map((layer) => ({
      class_name: layer.inner ? 'Model' : layer.className,
      name: layer.name,
      config: layer.inner ? { ...modelConfig(layer.inner), name: layer.name } : layerConfig(layer),
      inbound_nodes:
        layer.className === 'InputLayer' ? [] : layer.calls.map((call) => call.map((input) => [...ref(input), {}])),
    })),
    input_layers: graph.inputs.map(ref),
    output_layers: graph.outputs.map(ref),
  };
}

function layerConfig(layer: GraphLayer): Record<string, unknown> {
  const { className, config, wrapped } = layer;
  const result: Record<string, unknown> = { name: layer.name };
  for (const [key, value] of Object.entries(config)) {
    if (DROPPED.test(key)) {
      if (key === 'groups' && value !== 1) throw new Error('in TensorFlow.js it has no grouped convolutions');
      continue;
    }
    result[snake(key)] = key === 'dataFormat' && typeof value === 'string' ? snake(value) : activationName(key, value);
  }
  if (className === 'InputLayer') result.batch_input_shape = config[SHAPES] ?? config.batchShape;
  // Found by comparison with Keras: TensorFlow.js takes these options and computes something else.
  if (className === 'Concatenate' && Number(config.axis ?? -1) < -1) {
    throw new Error('TensorFlow.js joins along another axis than Keras where it is counted from the end');
  }
  if (/^(Depthwise|Separable)Conv/.test(className) && [config.dilationRate ?? 1].flat().some((d) => d !== 1)) {
    throw new Error('TensorFlow.js pads a dilated depthwise convolution otherwise than Keras');
  }
  // TensorFlow.js has them in one dimension channels last alone, and says nothing of what it passes over.
  if (/1D$/.test(className) && config.dataFormat === 'channelsFirst') {
    throw new Error(`in TensorFlow.js ${className} has its channels last`);
  }
  if (className === 'LeakyReLU') result.alpha = config.negativeSlope ?? config.alpha;
  if (className === 'ReLU' && (Number(config.negativeSlope ?? 0) !== 0 || Number(config.threshold ?? 0) !== 0)) {
    throw new Error('in TensorFlow.js ReLU has neither slope nor threshold');
  }
  if (wrapped) result.layer = { class_name: wrapped.className, config: layerConfig(wrapped) };
  return result;
}

function activationName(key: string, value: unknown): unknown {
  if (key !== 'activation' && key !== 'recurrentActivation') return value;
  if (typeof value === 'object' && value !== null)
    throw new Error('in TensorFlow.js it takes no layer for an activation');
  if (value === 'hard_sigmoid_v3') throw new Error("TensorFlow.js has Keras 2's hard_sigmoid alone");
  return value === 'silu' ? 'swish' : value;
}

const snake = (key: string) => key.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);

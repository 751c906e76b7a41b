/**
 * A Keras model's architecture from its JSON: Keras 2 (`.h5`, TensorFlow.js) and Keras 3 (`.keras`), Sequential and
 * functional, nested. Only what a converter needs is kept; option names become camelCase, as TensorFlow.js has them.
 */
import { CONVERTERS } from '../../onnx/layers/index.js';
import { ConvertError } from '../error.js';

/** One output of one call of a layer. */
export interface TensorRef {
  readonly layer: string;
  readonly call: number;
  readonly output: number;
}

export interface GraphLayer {
  readonly name: string;
  readonly className: string;
  readonly config: Readonly<Record<string, unknown>>;
  /** Inputs of each call of the layer, in order. */
  readonly calls: readonly (readonly TensorRef[])[];
  /** The graph of a model used as a layer. */
  readonly inner: LayerGraph | null;
  /** The layer that a wrapper (Bidirectional, TimeDistributed) runs. */
  readonly wrapped: GraphLayer | null;
  /** Why this layer cannot be converted, where its JSON already says so. */
  readonly obstacle: string | null;
}

export interface LayerGraph {
  readonly name: string;
  readonly layers: readonly GraphLayer[];
  readonly inputs: readonly TensorRef[];
  readonly outputs: readonly TensorRef[];
}

type Json = Readonly<Record<string, unknown>>;

const isObject = (value: unknown): value is Json =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** Stands before the class of an operation of keras.ops: some bear the name of a layer and are another thing. */
export const OPERATION = 'ops.';

/** Classes whose config holds layers of its own. */
const MODELS = new Set(['Sequential', 'Functional', 'Model']);

/**
 * @param json `{class_name, config}` of the model
 * @param kerasMajor 2 or 3: some activations changed their meaning between the two
 * @throws ConvertError when it is not a Sequential or functional model
 */
export function parseTopology(json: unknown, kerasMajor: 2 | 3): LayerGraph {
  if (!isObject(json) || typeof json.class_name !== 'string') {
    throw new ConvertError('the model file holds no architecture (weights alone?): save the whole model');
  }
  if (!MODELS.has(json.class_name)) {
    throw new ConvertError(
      `the model is a ${json.class_name}: only Sequential and functional models carry their layers in the file. ` +
        'Export a subclassed model as a TensorFlow SavedModel (model.export) and convert that',
    );
  }
  return readModel(json.class_name, json.config, kerasMajor);
}

function readModel(className: string, config: unknown, kerasMajor: 2 | 3): LayerGraph {
  // Keras 2.1 kept a Sequential's layers as a bare list.
  const own = Array.isArray(config) ? { layers: config } : isObject(config) ? config : {};
  const list = own.layers;
  if (!Array.isArray(list) || !list.every(isObject)) throw new ConvertError(`the ${className} model lists no layers`);
  const name = typeof own.name === 'string' ? own.name : className.toLowerCase();
  return className === 'Sequential'
    ? readSequential(name, own, list, kerasMajor)
    : readFunctional(name, own, list, kerasMajor);
}

function readSequential(name: string, own: Json, list: readonly Json[], kerasMajor: 2 | 3): LayerGraph {
  const layers: GraphLayer[] = [];
  let previous: TensorRef | null = null;
  for (const entry of list) {
    const calls: TensorRef[][] = previous ? [[previous]] : [[]];
    const layer = readLayer(entry, calls, kerasMajor);
    if (!previous && layer.className !== 'InputLayer') {
      const shape = layer.config.batchInputShape ?? own.build_input_shape ?? inputShapeOf(layer.inner);
      const input: GraphLayer = {
        ...{ name: `${layer.name}_input`, className: 'InputLayer', config: { batchInputShape: shape ?? null } },
        ...{ calls: [[]], inner: null, wrapped: null, obstacle: null },
      };
      layers.push(input);
      layers.push({ ...layer, calls: [[{ layer: input.name, call: 0, output: 0 }]] });
    } else layers.push(layer);
    previous = { layer: layer.name, call: 0, output: 0 };
  }
  const first = layers[0];
  if (!first || !previous) throw new ConvertError(`the Sequential model '${name}' has no layers`);
  return { name, layers, inputs: [{ layer: first.name, call: 0, output: 0 }], outputs: [previous] };
}

function inputShapeOf(inner: LayerGraph | null): unknown {
  const first = inner?.layers.find((layer) => layer.className === 'InputLayer');
  return first ? (first.config.batchInputShape ?? first.config.batchShape) : undefined;
}

function readFunctional(name: string, own: Json, list: readonly Json[], kerasMajor: 2 | 3): LayerGraph {
  const layers = list.map((entry) => {
    const nodes = Array.isArray(entry.inbound_nodes) ? entry.inbound_nodes : [];
    const read = nodes.map((node) => readCall(node, String(entry.class_name)));
    const calls = read.length > 0 ? read.map(({ inputs }) => inputs) : [[]];
    const layer = readLayer(entry, calls, kerasMajor);
    const operation = layer.className.startsWith(OPERATION);
    const obstacle = layer.obstacle ?? read.find((call) => call.obstacle)?.obstacle ?? null;
    return {
      ...layer,
      ...(operation && { config: { ...layer.config, operands: operandsOf(nodes[0]) } }),
      obstacle: operation && obstacle?.includes('constant') ? layer.obstacle : obstacle,
    };
  });
  const refs = (what: string): TensorRef[] => {
    const found = tensorRefs(own[what]);
    if (found.length === 0) throw new ConvertError(`the model '${name}' names no ${what.replace('_', ' ')}`);
    return found;
  };
  return countCallsFromZero({ name, layers, inputs: refs('input_layers'), outputs: refs('output_layers') });
}

/**
 * Keras 2 counts the calls of a nested Sequential from the one it was built with, which its file leaves out. Calls are
 * numbered anew here, so that they are places in `calls`.
 */
function countCallsFromZero(graph: LayerGraph): LayerGraph {
  const refs = [...graph.outputs, ...graph.layers.flatMap(({ calls }) => calls.flat())];
  const ahead = new Map<string, number>();
  for (const { name, calls } of graph.layers) {
    const last = Math.max(...refs.filter(({ layer }) => layer === name).map(({ call }) => call), 0);
    ahead.set(name, Math.max(0, last + 1 - calls.length));
  }
  const moved = (ref: TensorRef): TensorRef => ({ ...ref, call: Math.max(0, ref.call - (ahead.get(ref.layer) ?? 0)) });
  return {
    ...graph,
    layers: graph.layers.map((layer) => ({ ...layer, calls: layer.calls.map((call) => call.map(moved)) })),
    outputs: graph.outputs.map(moved),
  };
}

/** `["name", 0, 0]`, a list of those, or an object of those. */
function tensorRefs(value: unknown): TensorRef[] {
  if (Array.isArray(value)) {
    if (typeof value[0] === 'string' && typeof value[1] === 'number') {
      return [{ layer: value[0], call: value[1], output: Number(value[2] ?? 0) }];
    }
    return value.flatMap(tensorRefs);
  }
  return isObject(value) ? Object.values(value).flatMap(tensorRefs) : [];
}

interface Call {
  readonly inputs: TensorRef[];
  readonly obstacle: string | null;
}

/** Arguments that a layer may get by name, in the order it takes them. */
const NAMED_ARGUMENTS: Readonly<Record<string, readonly string[]>> = {
  MultiHeadAttention: ['query', 'value', 'key'],
};

function readCall(node: unknown, className: string): Call {
  const inputs: TensorRef[] = [];
  const named: [string, unknown][] = [];
  let constant: unknown;
  if (isObject(node)) {
    // Keras 3: {args, kwargs} with tensors as objects.
    inputs.push(...kerasTensors(node.args));
    const plain = (Array.isArray(node.args) ? node.args : []).filter((part) => kerasTensors(part).length === 0);
    constant = plain.find((part) => part !== null && !(Array.isArray(part) && part.length === 0));
    named.push(...Object.entries(isObject(node.kwargs) ? node.kwargs : {}));
  } else {
    // Keras 2: [[name, call, output, kwargs], ...].
    const entries = Array.isArray(node) && typeof node[0] === 'string' ? [node] : Array.isArray(node) ? node : [];
    for (const entry of entries as unknown[]) {
      inputs.push(...tensorRefs(entry));
      if (Array.isArray(entry) && isObject(entry[3])) named.push(...Object.entries(entry[3]));
    }
  }
  const given = named.filter(([, value]) => value !== null && value !== false);
  const tensorsOf = (value: unknown) => (isObject(node) ? kerasTensors(value) : tensorRefs(value));
  const order = NAMED_ARGUMENTS[className];
  const known = (order ?? []).flatMap((key) => given.filter(([name]) => name === key));
  const others = given.filter((entry) => !known.includes(entry));
  inputs.push(...known.flatMap(([, value]) => tensorsOf(value)));
  // A layer whose only input was given by name is called as any other.
  if (inputs.length === 0 && others.length === 1 && tensorsOf(others[0]![1]).length > 0) {
    return { inputs: tensorsOf(others[0]![1]), obstacle: null };
  }
  const obstacle =
    others.length > 0
      ? `is called with ${others.map(([key]) => key).join(', ')}, which is not supported`
      : constant !== undefined
        ? `is called with the constant ${JSON.stringify(constant).slice(0, 40)}, which is not supported`
        : null;
  return { inputs, obstacle };
}

/** What an operation of keras.ops is called with, in order; null stands for a tensor. */
function operandsOf(node: unknown): unknown[] {
  const args = isObject(node) && Array.isArray(node.args) ? node.args : [];
  return args.flatMap((part) => {
    const tensors = kerasTensors(part);
    return tensors.length > 0 ? tensors.map(() => null) : [part];
  });
}

function kerasTensors(value: unknown): TensorRef[] {
  if (Array.isArray(value)) return value.flatMap(kerasTensors);
  if (!isObject(value)) return [];
  if (value.class_name === '__keras_tensor__' && isObject(value.config)) return tensorRefs(value.config.keras_history);
  return Object.values(value).flatMap(kerasTensors);
}

/** `.keras` files name the module; `.h5` files do not, but every layer says whether it is trained and in what type. */
function isOperationOfKeras(entry: Json, raw: Json): boolean {
  if (typeof entry.module === 'string') return /^keras\.(src\.)?ops(\.|$)/.test(entry.module);
  const name = String(entry.class_name);
  const isLayer = raw.trainable !== undefined || raw.dtype !== undefined || raw.target_shape !== undefined;
  const mayBe = NAMESAKES.has(name) || !(name === 'InputLayer' || MODELS.has(name) || Object.hasOwn(CONVERTERS, name));
  return mayBe && !isLayer && Array.isArray(entry.inbound_nodes);
}

/** Names that a layer and an operation share. */
const NAMESAKES = new Set(
  'Add Subtract Multiply Divide Maximum Minimum Average Concatenate Softmax Reshape Dot'.split(' '),
);

function readLayer(entry: Json, calls: TensorRef[][], kerasMajor: 2 | 3): GraphLayer {
  const raw = isObject(entry.config) ? entry.config : {};
  const isOperation = kerasMajor === 3 && isOperationOfKeras(entry, raw);
  const className = `${isOperation ? OPERATION : ''}${typeof entry.class_name === 'string' ? entry.class_name : '?'}`;
  const name = String(raw.name ?? entry.name ?? className);
  if (MODELS.has(className)) {
    const inner = readModel(className, entry.config, kerasMajor);
    return {
      name: String(entry.name ?? inner.name),
      className,
      config: { trainable: raw.trainable },
      calls,
      inner,
      wrapped: null,
      obstacle: null,
    };
  }
  const wrapped = isObject(raw.layer) ? readLayer(raw.layer, [], kerasMajor) : null;
  // A class of the user's own may bear the name of one of Keras; Keras' own say so by their module.
  const custom =
    (typeof entry.module === 'string' && !/^(tf_)?keras(\.|$)|^tensorflow/.test(entry.module)) ||
    (typeof entry.registered_name === 'string' &&
      entry.registered_name.includes('>') &&
      !entry.registered_name.startsWith('keras'));
  const config = camelConfig(raw, kerasMajor);
  if (isObject(raw.backward_layer)) {
    const backward = readLayer(raw.backward_layer, [], kerasMajor);
    config.backward = backward.config;
    config.backwardClass = backward.className;
  }
  const obstacle = custom ? 'is a class of your own; only layers of Keras itself can be converted' : null;
  return { name, className, config, calls, inner: null, wrapped, obstacle: obstacle ?? wrapped?.obstacle ?? null };
}

const camel = (key: string) => key.replace(/_([a-z0-9])/g, (_, letter: string) => letter.toUpperCase());

const ACTIVATION_OPTIONS = new Set(['activation', 'recurrent_activation']);

function camelConfig(raw: Json, kerasMajor: 2 | 3): Record<string, unknown> {
  const config: Record<string, unknown> = {};
  for (const [key, value] of Object.entries(raw)) {
    if (key === 'layer' || key === 'backward_layer') continue;
    if (ACTIVATION_OPTIONS.has(key)) config[camel(key)] = readActivation(value, kerasMajor);
    else if (key === 'data_format' && typeof value === 'string') config.dataFormat = camel(value);
    else config[camel(key)] = value;
  }
  return config;
}

/** An activation that is a layer of its own, given as an option of another. */
export interface ActivationLayer {
  readonly className: string;
  readonly config: Readonly<Record<string, unknown>>;
}

/** The name of an activation function, or the layer that stands for it. */
function readActivation(value: unknown, kerasMajor: 2 | 3): string | ActivationLayer | null {
  if (value === null || value === undefined) return null;
  if (typeof value === 'string') return kerasMajor === 3 && value === 'hard_sigmoid' ? 'hard_sigmoid_v3' : value;
  if (!isObject(value)) return String(value);
  // {class_name: "function", config: "relu"} names a function, whether Keras' own or the user's.
  if (typeof value.config === 'string') return readActivation(value.config, kerasMajor);
  const config = isObject(value.config) ? value.config : {};
  return { className: String(value.class_name ?? '?'), config: camelConfig(config, kerasMajor) };
}

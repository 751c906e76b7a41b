import { GraphBuilder, makeValue, type SeenInTraining, type Size, type Value } from '../../onnx/builder.js';
import { foldBatchNorms } from '../../onnx/fold.js';
import { finishModel, nameOutputs } from '../../onnx/from-layers.js';
import type { OnnxModel } from '../../onnx/ir.js';
import { type LayerCall, UnsupportedLayerError, type Weight } from '../../onnx/layer.js';
import { CONVERTERS } from '../../onnx/layers/index.js';
import { OPERATIONS } from '../../onnx/layers/operation.js';
import { ConvertError } from '../error.js';
import { bidirectionalShapes, outputShapes } from './shapes.js';
import { type ActivationLayer, type GraphLayer, type LayerGraph, OPERATION, type TensorRef } from './topology.js';
import { wrongShape } from './weight-shapes.js';
import { innerOf, weightSlots } from './weights.js';

/** The weights of a layer, found by the path of names that leads to it (`model/layer`), in Keras' order. */
export type WeightSource = (path: string, layer: GraphLayer) => readonly Weight[];

export interface KerasToOnnxOptions {
  readonly name: string;
  /** Shapes for inputs that the model leaves open, without the batch, by input name or '' for the only one. */
  readonly inputShapes?: ReadonlyMap<string, readonly number[]>;
}

/**
 * Writes a Keras architecture with its weights as an ONNX graph (float32, open batch) that computes what
 * `model.predict` does.
 * @throws UnsupportedLayerError naming every layer that cannot be written, and where it stands
 * @throws ConvertError when an input's shape is open and not given
 */
export function kerasToOnnx(graph: LayerGraph, weights: WeightSource, options: KerasToOnnxOptions): OnnxModel {
  return convertKeras(graph, weights, options).onnx;
}

/** As `kerasToOnnx`, with what the model's normalizations know of its training data. */
export function convertKeras(
  graph: LayerGraph,
  weights: WeightSource,
  options: KerasToOnnxOptions,
): { onnx: OnnxModel; seenInTraining: readonly SeenInTraining[] } {
  const walk = new Walk(new GraphBuilder(options.name, 'N'), weights);
  const { builder } = walk;
  const inputs = graph.inputs.map((ref) => {
    const layer = find(graph, ref);
    const shape = inputShape(layer, graph, options.inputShapes);
    const name = builder.unique(layer.name);
    builder.graph.inputs.push({ name, type: 'float32', shape: builder.dims(name, shape) });
    return makeValue(shape, name);
  });
  const outputNames = graph.outputs.map(({ layer }) => builder.unique(layer));
  let outputs: readonly Value[] = [];
  let fault: unknown = null;
  try {
    outputs = walk.model(graph, inputs, '');
  } catch (error) {
    fault = error;
  }
  // Behind what cannot be converted shapes are guesses, and so is what goes wrong there.
  if (walk.problems.length > 0) {
    const known = [...Object.keys(CONVERTERS), 'TimeDistributed'].sort().join(', ');
    const unknown = walk.unknownClass ? `\nLayers that can be converted: ${known}` : '';
    throw new UnsupportedLayerError(`${walk.problems.join('\n')}${unknown}`);
  }
  if (fault) throw fault;
  nameOutputs(builder, outputs, outputNames);
  foldBatchNorms(builder.graph);
  return { onnx: finishModel(builder.graph), seenInTraining: builder.seenInTraining };
}

function find(graph: LayerGraph, { layer }: TensorRef): GraphLayer {
  const found = graph.layers.find(({ name }) => name === layer);
  if (!found) throw new ConvertError(`the model '${graph.name}' refers to a layer '${layer}' that it does not have`);
  return found;
}

/** An hour of twelve leads at 500 Hz is less. */
const MAX_INPUT_VALUES = 2 ** 25;

function inputShape(layer: GraphLayer, graph: LayerGraph, given: KerasToOnnxOptions['inputShapes']): Size[] {
  const { config, name } = layer;
  if (config.dtype === 'string')
    throw new UnsupportedLayerError(`input '${name}' takes text; only numbers are supported`);
  if (config.sparse === true || config.ragged === true) {
    throw new UnsupportedLayerError(`input '${name}' is sparse or ragged, which is not supported`);
  }
  const told = given?.get(name) ?? (graph.inputs.length === 1 ? given?.get('') : undefined);
  const own = [config.batchInputShape, config.batchShape].find(Array.isArray) as unknown[] | undefined;
  if (!own && !told) {
    throw new ConvertError(
      `the model does not say the shape of its input '${name}': give it, for example --input-shape 128,1`,
    );
  }
  const shape = (own ?? [null, ...told!]).map((size) => (size === null ? null : Number(size)));
  if (told && told.length !== shape.length - 1) {
    throw new ConvertError(
      `input '${name}' has ${shape.length - 1} axes beside the batch, the shape given has ${told.length}`,
    );
  }
  const values = shape.slice(1).reduce<number>((a, b) => a * (b ?? 1), 1);
  if (!(values <= MAX_INPUT_VALUES)) {
    throw new ConvertError(`input '${name}' claims [${shape.slice(1).join(', ')}], more values than are taken here`);
  }
  return [
    null,
    ...shape.slice(1).map((size, i) => {
      if (size !== null && told && told[i] !== size) {
        throw new ConvertError(
          `input '${name}' is [${shape.slice(1).join(', ')}]; the shape given, [${told.join(', ')}], differs`,
        );
      }
      return size ?? told?.[i] ?? openSize(name, shape);
    }),
  ];
}

function openSize(name: string, shape: readonly Size[]): never {
  const example = shape.slice(1).map((size) => size ?? 128);
  throw new ConvertError(
    `input '${name}' leaves a size open ([${shape
      .slice(1)
      .map((size) => size ?? 'any')
      .join(', ')}]): a bundle has ` + `fixed shapes. Give it, for example --input-shape ${example.join(',')}`,
  );
}

/** Whether there is a conversion: of what there is none for, how it is called does not matter. */
const isKnown = (className: string) =>
  className === 'TimeDistributed' || className.startsWith(OPERATION) || Object.hasOwn(CONVERTERS, className);

/** Layers that use their activation at every step, so that it cannot follow them. */
const RECURRENT = new Set(['GRU', 'LSTM', 'SimpleRNN']);

/** Follows a model from its outputs back to its inputs. Problems are collected, so that all are told at once. */
class Walk {
  readonly problems: string[] = [];
  unknownClass = false;

  constructor(
    readonly builder: GraphBuilder,
    private readonly weights: WeightSource,
  ) {}

  model(graph: LayerGraph, inputs: readonly Value[], path: string): Value[] {
    const known = new Map<string, readonly Value[]>();
    graph.inputs.forEach((ref, i) => {
      known.set(`${ref.layer}:${ref.call}`, [inputs[i]!]);
    });
    const open = new Set<string>();
    const value = (ref: TensorRef): Value => {
      const key = `${ref.layer}:${ref.call}`;
      let outputs = known.get(key);
      if (!outputs) {
        if (open.has(key)) throw new ConvertError(`layer '${ref.layer}' takes its own output for input`);
        open.add(key);
        const layer = find(graph, ref);
        const call = layer.calls[ref.call];
        if (!call) throw new ConvertError(`layer '${layer.name}' has no call number ${ref.call}`);
        outputs = this.layer(layer, call.map(value), `${path}/${layer.name}`);
        known.set(key, outputs);
      }
      const output = outputs[ref.output];
      if (!output) throw new ConvertError(`layer '${ref.layer}' has no output number ${ref.output}`);
      return output;
    };
    return graph.outputs.map(value);
  }

  private layer(layer: GraphLayer, inputs: readonly Value[], path: string): readonly Value[] {
    if (layer.inner) return this.model(layer.inner, inputs, path);
    const everyStep = innerOf(layer);
    if (everyStep) return this.onEveryStep(layer, inputs, (flat) => this.model(everyStep, [flat], path));
    const shapes = this.shapes(
      layer,
      inputs.map(({ shape }) => shape),
    );
    try {
      return this.convert(layer, inputs, path, shapes);
    } catch (error) {
      if (!(error instanceof UnsupportedLayerError)) throw error;
      const nested = path.split('/').slice(1, -1).join(' / ');
      const text = `${error.message}${nested ? ` (in '${nested}')` : ''}`;
      if (!this.problems.includes(text)) this.problems.push(text);
      // Something of the right shape, so that the layers behind are looked at as well.
      return shapes.map((shape) => makeValue(shape, this.builder.unique('unsupported')));
    }
  }

  private shapes(layer: GraphLayer, inputs: readonly (readonly Size[])[]): readonly (readonly Size[])[] {
    const { className, config, wrapped, name } = layer;
    if (className === 'Bidirectional' && wrapped) {
      const half = (own: Readonly<Record<string, unknown>>) => outputShapes(wrapped.className, own, inputs, name);
      const backward = config.backward as typeof config | undefined;
      return bidirectionalShapes(half(wrapped.config), half(backward ?? wrapped.config), config.mergeMode);
    }
    if (className === 'TimeDistributed' && wrapped) {
      const step = inputs.map((shape) => [shape[0]!, ...shape.slice(2)]);
      return this.shapes({ ...wrapped, name }, step).map((s) => [s[0]!, inputs[0]![1]!, ...s.slice(1)]);
    }
    return outputShapes(className, config, inputs, name);
  }

  private convert(
    layer: GraphLayer,
    inputs: readonly Value[],
    path: string,
    shapes: readonly (readonly Size[])[],
    own?: readonly Weight[],
  ): readonly Value[] {
    const { name, className } = layer;
    if (layer.obstacle && isKnown(className))
      throw new UnsupportedLayerError(`layer '${name}' (${className}): ${layer.obstacle}`);
    const weights = own ?? this.checked(layer, this.weights(path, layer));
    if (className === 'TimeDistributed' && layer.wrapped) {
      const wrapped = { ...layer.wrapped, name: `${name}/${layer.wrapped.name}` };
      return this.onEveryStep(layer, inputs, (flat) =>
        this.convert(wrapped, [flat], path, this.shapes(wrapped, [flat.shape]), weights),
      );
    }
    const { config } = layer.wrapped
      ? { config: { ...layer.config, innerClass: layer.wrapped.className, ...halves(layer, layer.wrapped) } }
      : layer;
    return this.call(name, className, config, inputs, shapes, weights);
  }

  /** Converts one layer; an activation that is a layer of its own follows it. */
  private call(
    name: string,
    className: string,
    config: Readonly<Record<string, unknown>>,
    inputs: readonly Value[],
    shapes: readonly (readonly Size[])[],
    weights: readonly Weight[],
  ): readonly Value[] {
    const isOperation = className.startsWith(OPERATION);
    const table = isOperation ? OPERATIONS : CONVERTERS;
    const own = isOperation ? className.slice(OPERATION.length) : className;
    const convert = Object.hasOwn(table, own) ? table[own] : undefined;
    if (!convert) {
      if (isOperation) {
        const others = Object.keys(OPERATIONS).sort().join(', ');
        throw new UnsupportedLayerError(
          `layer '${name}': the operation ${own} of keras.ops is not supported; these are: ${others}`,
        );
      }
      this.unknownClass = true;
      throw new UnsupportedLayerError(`layer '${name}': ${className} layers are not supported`);
    }
    const wrong =
      this.problems.length === 0 && inputs[0] ? wrongShape(className, config, inputs[0].shape, weights) : null;
    if (wrong) throw new UnsupportedLayerError(`layer '${name}' (${className}): ${wrong}: is the file whole?`);
    const activation = config.activation as ActivationLayer | string | null | undefined;
    const separate = typeof activation === 'object' && activation !== null ? activation : null;
    if (separate && RECURRENT.has(className)) {
      throw new UnsupportedLayerError(
        `layer '${name}' (${className}): has the layer ${separate.className} for an activation, which is not supported within a loop`,
      );
    }
    const call: LayerCall = {
      ...{ name, className, weights, inputs, outputShapes: shapes, builder: this.builder },
      config: separate ? { ...config, activation: 'linear' } : config,
    };
    const outputs = convert(call);
    if (!separate) return outputs;
    return outputs.flatMap((output) =>
      this.call(`${name}/activation`, separate.className, separate.config, [output], [output.shape], []),
    );
  }

  /** What a TimeDistributed layer does to each step: time joins the batch, and leaves it again. */
  private onEveryStep(
    layer: GraphLayer,
    inputs: readonly Value[],
    apply: (flat: Value) => readonly Value[],
  ): readonly Value[] {
    const { builder } = this;
    const { name } = layer;
    const [input] = inputs;
    if (!input || inputs.length !== 1) throw new UnsupportedLayerError(`layer '${name}': expects one input`);
    const sizes = (shape: readonly Size[]) =>
      shape.map((size) => {
        if (size === null) throw new UnsupportedLayerError(`layer '${name}': needs to know its sizes before it runs`);
        return size;
      });
    const step: Size[] = [null, ...input.shape.slice(2)];
    const folded = builder.int64s(`${name}/fold`, [-1, ...sizes(step.slice(1))]);
    const flat = builder.node('Reshape', name, [builder.native(input), folded], {}, step);
    return apply(makeValue(step, flat)).map((made) => {
      const shape: Size[] = [null, input.shape[1]!, ...made.shape.slice(1)];
      const unfolded = builder.int64s(`${name}/unfold`, [-1, ...sizes(shape.slice(1))]);
      return makeValue(shape, builder.node('Reshape', name, [builder.native(made), unfolded], {}, shape));
    });
  }

  private checked(layer: GraphLayer, weights: readonly Weight[]): readonly Weight[] {
    const slots = weightSlots(layer);
    if (weights.length !== slots.length) {
      throw new UnsupportedLayerError(
        `layer '${layer.name}' (${layer.className}): the file holds ${weights.length} weights for it, ${slots.length} are expected (${slots.map(({ name }) => name).join(', ')})`,
      );
    }
    for (const { name, data } of weights) {
      const bad = data.findIndex((value) => !Number.isFinite(value));
      if (bad >= 0) {
        throw new UnsupportedLayerError(
          `layer '${layer.name}' (${layer.className}): weight '${name}' holds ${data[bad]} at place ${bad}`,
        );
      }
    }
    return weights;
  }
}

/** Options of both directions of a Bidirectional layer; the backward one is the forward one turned unless it has its own. */
function halves(layer: GraphLayer, wrapped: GraphLayer) {
  if (layer.className !== 'Bidirectional') return {};
  const forward = wrapped.config;
  const backward = (layer.config.backward as typeof forward | undefined) ?? {
    ...forward,
    goBackwards: forward.goBackwards !== true,
  };
  return { forward, backward };
}

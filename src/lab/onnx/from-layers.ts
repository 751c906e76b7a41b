import type { LayersModel, SymbolicTensor } from '@tensorflow/tfjs-layers';
import { GraphBuilder, makeValue, type Size, type Value } from './builder.js';
import { foldBatchNorms } from './fold.js';
import type { OnnxGraph, OnnxModel } from './ir.js';
import { type LayerCall, UnsupportedLayerError, type Weight } from './layer.js';
import { CONVERTERS } from './layers/index.js';

/** Operator set of the files we write: the newest that all runtimes of the last three years read. */
export const OPSET = 17;
/** The IR version that belongs to it (https://github.com/onnx/onnx/blob/main/docs/Versioning.md). */
const IR_VERSION = 8;

export interface ToOnnxOptions {
  /** Name of the graph. */
  readonly name: string;
  /** Name of the batch dimension, 'N' unless told. */
  readonly batch?: string;
  /** Names for the inputs, in the model's order; the input layers' own names unless told. */
  readonly inputNames?: readonly string[];
  /** Names for the outputs, in the model's order; the last layers' own names unless told. */
  readonly outputNames?: readonly string[];
}

type SourceLayer = SymbolicTensor['sourceLayer'];

/**
 * Writes a TensorFlow.js layers model as an ONNX graph (float32, dynamic batch) that computes what `model.predict`
 * does: dropout and noise are gone, batch normalizations are merged into the layer before them where possible.
 * The model is only read; any backend will do.
 *
 * @throws UnsupportedLayerError naming the layer that cannot be written, or whose weights are not finite
 */
export function layersModelToOnnx(model: LayersModel, options: ToOnnxOptions): OnnxModel {
  const builder = new GraphBuilder(options.name, options.batch ?? 'N');
  const values = new Map<number, Value>();
  model.inputs.forEach((tensor, i) => {
    const name = builder.unique(options.inputNames?.[i] ?? tensor.sourceLayer.name);
    if (tensor.dtype !== 'float32') {
      throw new UnsupportedLayerError(`input '${name}' is ${tensor.dtype}; only float32 inputs are supported`);
    }
    const shape = [null, ...tensor.shape.slice(1)];
    builder.graph.inputs.push({ name, type: 'float32', shape: builder.dims(name, shape) });
    values.set(tensor.id, makeValue(shape, name));
  });
  // Output names are taken before any node can have them.
  const outputNames = model.outputs.map((tensor, i) =>
    builder.unique(options.outputNames?.[i] ?? tensor.sourceLayer.name),
  );
  const walk = new Walk(builder);
  const results = model.outputs.map((tensor) => builder.native(walk.value(tensor, values)));
  nameResults(
    builder,
    results,
    outputNames,
    model.outputs.map(({ shape }) => shape),
  );
  foldBatchNorms(builder.graph);
  return finishModel(builder.graph);
}

/** Makes values the graph's outputs under these names. */
export function nameOutputs(builder: GraphBuilder, values: readonly Value[], names: readonly string[]): void {
  const results = values.map((value) => builder.native(value));
  nameResults(
    builder,
    results,
    names,
    values.map(({ shape }) => shape),
  );
}

function nameResults(
  builder: GraphBuilder,
  results: readonly string[],
  names: readonly string[],
  shapes: readonly (readonly Size[])[],
): void {
  results.forEach((result, i) => {
    const once = results.indexOf(result) === results.lastIndexOf(result);
    nameOutput(builder, result, names[i]!, once);
    const shape = builder.dims(names[i]!, [null, ...shapes[i]!.slice(1)]);
    builder.graph.outputs.push({ name: names[i]!, type: 'float32', shape });
  });
}

/** A graph as a model of ours. */
export function finishModel(graph: OnnxGraph): OnnxModel {
  return {
    irVersion: IR_VERSION,
    opsets: new Map([['', OPSET]]),
    producerName: 'slothd',
    producerVersion: '1',
    docString: '',
    metadata: new Map(),
    graph,
  };
}

/** Gives `result` its output name: in place, or by an Identity where it is an input, is read again or is given twice. */
function nameOutput(builder: GraphBuilder, result: string, name: string, once: boolean): void {
  const { graph } = builder;
  const producer = graph.nodes.find((node) => node.outputs.includes(result));
  if (once && producer && !graph.nodes.some((node) => node.inputs.includes(result))) {
    producer.outputs = producer.outputs.map((output) => (output === result ? name : output));
    graph.valueInfo.delete(result);
    return;
  }
  const node = builder.unique(`${name}/Identity`);
  graph.nodes.push({ name: node, op: 'Identity', domain: '', inputs: [result], outputs: [name], attributes: {} });
}

/** Follows a model's symbolic tensors from its outputs back to its inputs, one layer call at a time. */
class Walk {
  constructor(private readonly builder: GraphBuilder) {}

  /** @param known values by tensor id: the model's inputs at first, then everything met on the way */
  value(tensor: SymbolicTensor, known: Map<number, Value>): Value {
    const found = known.get(tensor.id);
    if (found) return found;
    const layer = tensor.sourceLayer;
    const node = layer.inboundNodes[tensor.nodeIndex];
    const inputTensors = node?.inputTensors ?? [];
    if (!node || inputTensors.length === 0) {
      throw new UnsupportedLayerError(`layer '${layer.name}' (${layer.getClassName()}): has no input in this model`);
    }
    const inputs = inputTensors.map((input) => this.value(input, known));
    const outputs = isModel(layer) ? this.nested(layer, inputs) : this.convert(layer, inputs, node.outputTensors);
    node.outputTensors.forEach((output, i) => {
      known.set(output.id, outputs[i]!);
    });
    return known.get(tensor.id)!;
  }

  /** A model used as a layer: its own graph, with the outer values in the place of its inputs. */
  private nested(model: LayersModel, inputs: readonly Value[]): Value[] {
    const inner = new Map<number, Value>();
    model.inputs.forEach((tensor, i) => {
      inner.set(tensor.id, inputs[i]!);
    });
    return model.outputs.map((tensor) => this.value(tensor, inner));
  }

  private convert(layer: SourceLayer, inputs: readonly Value[], outputs: readonly SymbolicTensor[]): Value[] {
    const className = layer.getClassName();
    const convert = Object.hasOwn(CONVERTERS, className) ? CONVERTERS[className] : undefined;
    const call: LayerCall = {
      name: layer.name,
      className,
      config: layer.getConfig() as Record<string, unknown>,
      weights: weightsOf(layer),
      inputs,
      outputShapes: outputs.map((tensor) => [null, ...tensor.shape.slice(1)]),
      builder: this.builder,
    };
    if (!convert) {
      const names = Object.keys(CONVERTERS).sort().join(', ');
      throw new UnsupportedLayerError(
        `layer '${layer.name}': ${className} layers are not supported; these are: ${names}`,
      );
    }
    return convert(call);
  }
}

function isModel(layer: unknown): layer is LayersModel {
  return typeof layer === 'object' && layer !== null && 'layers' in layer && 'outputs' in layer && 'inputs' in layer;
}

function weightsOf(layer: SourceLayer): Weight[] {
  const variables = layer.weights;
  return layer.getWeights().map((tensor, i) => {
    const data = Float32Array.from(tensor.dataSync());
    const name = variables[i]?.originalName ?? `weight ${i}`;
    const bad = data.findIndex((value) => !Number.isFinite(value));
    if (bad >= 0) {
      throw new UnsupportedLayerError(
        `layer '${layer.name}' (${layer.getClassName()}): weight '${name}' holds ${data[bad]} at place ${bad}`,
      );
    }
    return { name, shape: tensor.shape, data };
  });
}

import { dropUnusedInitializers } from '../onnx/fold.js';
import {
  cloneModel,
  floatAttribute,
  floatTensor,
  int,
  intAttribute,
  type OnnxGraph,
  type OnnxModel,
  type OnnxNode,
  type OnnxTensor,
} from '../onnx/ir.js';
import { magnitudes, quantizeWeight, SCALE_OF_ZEROS, weightOf } from './weights.js';

export interface DynamicOptions {
  /**
   * What happens to activations. 'float' (the default): weights are int8 in the file and turned back to float32 once, at
   * load; the speed is that of the float model and an answer does not depend on what else is in the batch. 'dynamic':
   * Gemm and MatMul also quantize their input at run time, with one scale for the whole batch, as
   * onnxruntime.quantization.quantize_dynamic does; worth it for large matrices only. Convolutions stay with float
   * activations in both: onnxruntime's ConvInteger is slower than its float convolution.
   */
  readonly activations?: 'float' | 'dynamic';
  /** One scale per output channel (default) or one per tensor. */
  readonly perChannel?: boolean;
  /** Names of nodes whose weights stay float32. */
  readonly nodesToExclude?: readonly string[];
}

const INT8_LIMIT = 127;

/** Dynamic-range quantization: int8 weights, no calibration data needed. */
export function quantizeDynamic(model: OnnxModel, options: DynamicOptions = {}): OnnxModel {
  const result = cloneModel(model);
  const { graph } = result;
  const excluded = new Set(options.nodesToExclude);
  const perChannel = options.perChannel ?? true;
  const nodes: OnnxNode[] = [];
  const restored = new Map<string, string>();
  const axes = new Map<string, number>();
  for (const node of graph.nodes) {
    const weights = excluded.has(node.name) ? [] : weightsOf(graph, node);
    const rewritten = { ...node, inputs: [...node.inputs] };
    let replaced = false;
    for (const weight of weights) {
      const scales = magnitudes(weight.tensor, weight.axis, perChannel).map((m) => m / INT8_LIMIT || SCALE_OF_ZEROS);
      const { data } = quantizeWeight(weight.tensor, weight.axis, scales, INT8_LIMIT);
      // A weight that two nodes take along different axes is kept once for each.
      const known = axes.get(weight.name) ?? weight.axis;
      axes.set(weight.name, known);
      const base = known === weight.axis ? weight.name : `${weight.name}:${weight.axis}`;
      const name = `${base}:q8`;
      graph.initializers.set(name, { type: 'int8', dims: weight.tensor.dims, data });
      if (options.activations === 'dynamic' && isPlainProduct(node)) {
        nodes.push(...integerProduct(graph, node, name, scales));
        replaced = true;
        continue;
      }
      let float32 = restored.get(base);
      if (!float32) {
        const dims = weight.tensor.dims.map((size, i) => (i === weight.axis && perChannel ? size : 1));
        graph.initializers.set(`${base}:scale`, floatTensor(dims, scales));
        float32 = `${base}:restored`;
        nodes.push(...restoring(base, name, float32));
        restored.set(base, float32);
      }
      rewritten.inputs[weight.input] = float32;
    }
    if (!replaced) nodes.push(weights.length > 0 ? rewritten : node);
  }
  graph.nodes = nodes;
  dropUnusedInitializers(graph);
  return result;
}

/**
 * Cast and Mul rather than DequantizeLinear: onnxruntime computes these once at load, but keeps DequantizeLinear in the
 * graph for its own fusions and would then run it for every beat.
 */
function restoring(weight: string, from: string, to: string): OnnxNode[] {
  const make = (op: string, inputs: string[], output: string, attributes: OnnxNode['attributes']): OnnxNode => ({
    ...{ name: `${weight}/${op}`, op, domain: '', inputs, outputs: [output], attributes },
  });
  const cast = `${weight}:cast`;
  return [make('Cast', [from], cast, { to: int(1) }), make('Mul', [cast, `${weight}:scale`], to, {})];
}

interface NodeWeight {
  /** Which input of the node it is. */
  readonly input: number;
  readonly name: string;
  readonly tensor: OnnxTensor;
  readonly axis: number;
}

const RECURRENT = new Set(['GRU', 'LSTM', 'RNN']);

/** The constant float32 weights of a node: one of a product, two ([directions, gates, inputs]) of a recurrent layer. */
function weightsOf(graph: OnnxGraph, node: OnnxNode): NodeWeight[] {
  if (node.domain !== '' || !RECURRENT.has(node.op)) {
    const weight = weightOf(graph, node);
    return weight ? [{ input: 1, ...weight }] : [];
  }
  return [1, 2].flatMap((input) => {
    const name = node.inputs[input] ?? '';
    const tensor = graph.initializers.get(name);
    return tensor?.type === 'float32' ? [{ input, name, tensor, axis: 1 }] : [];
  });
}

/** A matrix product that MatMulInteger can stand for: nothing transposed or scaled. */
function isPlainProduct(node: OnnxNode): boolean {
  if (node.op === 'MatMul') return true;
  if (node.op !== 'Gemm') return false;
  const plain = intAttribute(node, 'transA', 0) === 0 && intAttribute(node, 'transB', 0) === 0;
  return plain && floatAttribute(node, 'alpha', 1) === 1 && floatAttribute(node, 'beta', 1) === 1;
}

/** The pattern of nodes that onnxruntime fuses into its DynamicQuantizeMatMul kernel. */
function integerProduct(graph: OnnxGraph, node: OnnxNode, weight: string, scales: Float32Array): OnnxNode[] {
  const { name } = node;
  const at = (part: string) => `${name}:${part}`;
  const scaleName = at('weight_scale');
  graph.initializers.set(scaleName, floatTensor([scales.length], scales));
  const make = (op: string, part: string, inputs: string[], outputs: string[], attributes = {}): OnnxNode => ({
    name: `${name}/${part}`,
    op,
    domain: '',
    inputs,
    outputs,
    attributes,
  });
  const bias = node.inputs[2];
  const product = bias ? at('product') : node.outputs[0]!;
  const zero = at('weight_zero');
  graph.initializers.set(zero, { type: 'int8', dims: [scales.length], data: new Int8Array(scales.length) });
  const nodes = [
    make('DynamicQuantizeLinear', 'quantize', [node.inputs[0]!], [at('q'), at('scale'), at('zero')]),
    make('MatMulInteger', 'multiply', [at('q'), weight, at('zero'), zero], [at('int32')]),
    make('Cast', 'cast', [at('int32')], [at('float')], { to: int(1) }),
    make('Mul', 'scales', [at('scale'), scaleName], [at('scales')]),
    make('Mul', 'rescale', [at('float'), at('scales')], [product]),
  ];
  if (bias) nodes.push(make('Add', 'bias', [product, bias], [node.outputs[0]!]));
  return nodes;
}

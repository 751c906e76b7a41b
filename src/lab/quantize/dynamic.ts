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
  for (const node of graph.nodes) {
    const weight = excluded.has(node.name) ? null : weightOf(graph, node);
    if (!weight) {
      nodes.push(node);
      continue;
    }
    const scales = magnitudes(weight.tensor, weight.axis, perChannel).map((m) => m / INT8_LIMIT || SCALE_OF_ZEROS);
    const { data } = quantizeWeight(weight.tensor, weight.axis, scales, INT8_LIMIT);
    const name = `${weight.name}:q8`;
    graph.initializers.set(name, { type: 'int8', dims: weight.tensor.dims, data });
    if (options.activations === 'dynamic' && isPlainProduct(node)) {
      nodes.push(...integerProduct(graph, node, name, scales));
      continue;
    }
    let float32 = restored.get(weight.name);
    if (!float32) {
      const dims = weight.tensor.dims.map((size, i) => (i === weight.axis && perChannel ? size : 1));
      graph.initializers.set(`${weight.name}:scale`, floatTensor(dims, scales));
      // Cast and Mul rather than DequantizeLinear: onnxruntime computes these once at load, but keeps DequantizeLinear
      // in the graph for its own fusions and would then run it for every beat.
      const cast = `${weight.name}:cast`;
      float32 = `${weight.name}:restored`;
      nodes.push(
        {
          name: `${weight.name}/Cast`,
          op: 'Cast',
          domain: '',
          inputs: [name],
          outputs: [cast],
          attributes: { to: int(1) },
        },
        {
          name: `${weight.name}/Mul`,
          op: 'Mul',
          domain: '',
          inputs: [cast, `${weight.name}:scale`],
          outputs: [float32],
          attributes: {},
        },
      );
      restored.set(weight.name, float32);
    }
    nodes.push({ ...node, inputs: [node.inputs[0]!, float32, ...node.inputs.slice(2)] });
  }
  graph.nodes = nodes;
  dropUnusedInitializers(graph);
  return result;
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

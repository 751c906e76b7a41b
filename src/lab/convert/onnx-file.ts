import { OnnxFormatError, readModelFile } from '../onnx/index.js';
import type { OnnxGraph, ValueInfo } from '../onnx/ir.js';
import { ConvertError } from './error.js';
import type { SourceModel, SourceOptions } from './source.js';

/** A float ONNX model, to be quantized. @throws ConvertError: not one, quantized already, other types than float32 */
export async function readOnnxSource(path: string, name: string, options: SourceOptions): Promise<SourceModel> {
  const onnx = await readModelFile(path).catch((error: Error) => {
    if (error instanceof OnnxFormatError) throw new ConvertError(error.message);
    throw error;
  });
  const { graph } = onnx;
  const quantized = graph.nodes.find(({ op }) => /QuantizeLinear|Integer$|^QLinear/.test(op));
  if (quantized) {
    throw new ConvertError(`${path}: is quantized already (${quantized.op}); convert takes float models`);
  }
  const bad = [...graph.inputs, ...graph.outputs].find(({ type }) => type !== 'float32');
  if (bad) {
    throw new ConvertError(`${path}: '${bad.name}' is ${bad.type}; only float32 inputs and outputs are supported`);
  }
  for (const [weight, { type, data }] of graph.initializers) {
    if (type !== 'float32') continue;
    const at = (data as Float32Array).findIndex((value) => Number.isNaN(value));
    if (at >= 0) throw new ConvertError(`${path}: weight '${weight}' holds NaN at place ${at}`);
  }
  graph.inputs = graph.inputs.map((input) => withShape(path, input, graph, options));
  takeConstants(graph);
  return {
    description: `ONNX model (opset ${onnx.opsets.get('') ?? '?'}, by ${onnx.producerName || 'unknown'})`,
    name,
    onnx,
    reference: async () => {
      throw new Error('the ONNX file is the source itself');
    },
  };
}

/** The input with every size beside the batch known. */
function withShape(path: string, input: ValueInfo, graph: OnnxGraph, { inputShapes }: SourceOptions): ValueInfo {
  const { name } = input;
  const told = inputShapes?.get(name) ?? (graph.inputs.length === 1 ? inputShapes?.get('') : undefined);
  const own = input.shape ?? (told ? ['N', ...told] : null);
  if (!own) throw new ConvertError(`${path}: input '${name}' has no shape: give it, for example --input-shape 128,1`);
  if (told && told.length !== own.length - 1) {
    throw new ConvertError(
      `input '${name}' has ${own.length - 1} axes beside the batch, the shape given has ${told.length}`,
    );
  }
  const shape = own.map((size, axis) => (axis > 0 && typeof size === 'string' ? (told?.[axis - 1] ?? size) : size));
  if (shape.slice(1).some((size) => typeof size === 'string')) {
    const example = own.slice(1).map((size) => (typeof size === 'string' ? 128 : size));
    throw new ConvertError(
      `${path}: input '${name}' leaves sizes open ([${own.join(', ')}]); a bundle has fixed shapes: give them, for example --input-shape ${example.join(',')}`,
    );
  }
  return { ...input, shape };
}

/** Weights that stand in Constant nodes become initializers, which is where the quantizer looks for them. */
function takeConstants(graph: OnnxGraph): void {
  graph.nodes = graph.nodes.filter((node) => {
    const value = node.op === 'Constant' ? node.attributes.value : undefined;
    if (value?.kind !== 'tensor') return true;
    graph.initializers.set(node.outputs[0]!, value.value);
    return false;
  });
}

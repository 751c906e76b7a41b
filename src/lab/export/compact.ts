import { cloneModel, type OnnxModel } from '../onnx/ir.js';

/**
 * The same model with short names for what lies between its inputs and outputs, and without the shapes that any runtime
 * works out again. In a small quantized model the names are a third of the file. Names of nodes with weights stay, so
 * that a viewer still shows which layer is which.
 */
export function compactModel(model: OnnxModel): OnnxModel {
  const result = cloneModel(model);
  const { graph } = result;
  const names = new Map<string, string>([['', '']]);
  for (const { name } of [...graph.inputs, ...graph.outputs]) names.set(name, name);
  const fixed = new Set(names.keys());
  let count = 0;
  const short = (name: string): string => {
    let found = names.get(name);
    if (found === undefined) {
      do found = (count++).toString(36);
      while (fixed.has(found));
      names.set(name, found);
    }
    return found;
  };
  for (const node of graph.nodes) {
    node.inputs = node.inputs.map(short);
    node.outputs = node.outputs.map(short);
    if (!WEIGHTED.has(node.op)) node.name = '';
  }
  graph.initializers = new Map([...graph.initializers].map(([name, tensor]) => [short(name), tensor]));
  graph.valueInfo.clear();
  return result;
}

const WEIGHTED = new Set(['Conv', 'ConvTranspose', 'Gemm', 'MatMul', 'MatMulInteger', 'GRU', 'LSTM']);

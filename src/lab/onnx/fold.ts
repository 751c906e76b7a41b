import {
  consumersOf,
  elementCount,
  floatAttribute,
  floatTensor,
  intAttribute,
  type OnnxGraph,
  type OnnxNode,
  producersOf,
} from './ir.js';

/**
 * Merges each BatchNormalization into the Conv, ConvTranspose or Gemm before it, where nothing else reads that node's
 * output: w' = w * gamma / sqrt(variance + epsilon), b' = (b - mean) * gamma / sqrt(variance + epsilon) + beta.
 * Computed in double precision. Others stay as they are. Changes `graph` in place.
 *
 * @returns how many were merged
 */
export function foldBatchNorms(graph: OnnxGraph): number {
  const producers = producersOf(graph);
  const consumers = consumersOf(graph);
  const outputs = new Set(graph.outputs.map((output) => output.name));
  const gone = new Set<OnnxNode>();
  for (const norm of graph.nodes) {
    if (norm.op !== 'BatchNormalization') continue;
    const before = producers.get(norm.inputs[0]!);
    if (!before || !['Conv', 'ConvTranspose', 'Gemm'].includes(before.op)) continue;
    const middle = before.outputs[0]!;
    if (outputs.has(middle) || consumers.get(middle)!.length !== 1) continue;
    if (!merge(graph, before, norm, consumers)) continue;
    before.outputs[0] = norm.outputs[0]!;
    producers.set(norm.outputs[0]!, before);
    graph.valueInfo.delete(middle);
    gone.add(norm);
  }
  graph.nodes = graph.nodes.filter((node) => !gone.has(node));
  dropUnusedInitializers(graph);
  return gone.size;
}

function merge(graph: OnnxGraph, node: OnnxNode, norm: OnnxNode, consumers: Map<string, OnnxNode[]>): boolean {
  const data = (name: string | undefined) => {
    const tensor = name ? graph.initializers.get(name) : undefined;
    return tensor?.type === 'float32' ? (tensor.data as Float32Array) : undefined;
  };
  const kernelName = node.inputs[1]!;
  const kernel = graph.initializers.get(kernelName);
  const weights = data(kernelName);
  const [gamma, beta, mean, variance] = norm.inputs.slice(1).map(data);
  const bias = node.inputs[2] ? data(node.inputs[2]) : undefined;
  if (!kernel || !weights || !gamma || !beta || !mean || !variance || (node.inputs[2] && !bias)) return false;
  if (bias && bias.length !== mean.length) return false;
  if (node.op === 'Gemm' && (floatAttribute(node, 'alpha', 1) !== 1 || floatAttribute(node, 'beta', 1) !== 1))
    return false;
  // Which axis of the kernel is the output channel.
  const axis = node.op === 'Conv' || (node.op === 'Gemm' && intAttribute(node, 'transB', 0) === 1) ? 0 : 1;
  if (node.op === 'ConvTranspose' && intAttribute(node, 'group', 1) !== 1) return false;
  if (kernel.dims[axis] !== mean.length) return false;

  const epsilon = floatAttribute(norm, 'epsilon', 1e-5);
  const inner = elementCount(kernel.dims.slice(axis + 1));
  const folded = new Float32Array(weights.length);
  const offset = new Float32Array(mean.length);
  const factors = Array.from(gamma, (g, c) => g / Math.sqrt(variance[c]! + epsilon));
  for (let i = 0; i < weights.length; i++) folded[i] = weights[i]! * factors[Math.floor(i / inner) % mean.length]!;
  for (let c = 0; c < mean.length; c++) offset[c] = ((bias?.[c] ?? 0) - mean[c]!) * factors[c]! + beta[c]!;

  // A layer called twice shares its weights: each call then gets merged weights of its own.
  // A name that no node had before was made by an earlier merge, for this node alone.
  const ownName = (name: string) => ((consumers.get(name)?.length ?? 1) === 1 ? name : `${name}:${norm.name}`);
  const newKernel = ownName(kernelName);
  graph.initializers.set(newKernel, floatTensor(kernel.dims, folded));
  const newBias = node.inputs[2] ? ownName(node.inputs[2]) : `${node.name}:bias`;
  graph.initializers.set(newBias, floatTensor([mean.length], offset));
  node.inputs = [node.inputs[0]!, newKernel, newBias];
  return true;
}

/** Removes weights that no node reads any more. */
export function dropUnusedInitializers(graph: OnnxGraph): void {
  const used = new Set(graph.nodes.flatMap((node) => node.inputs));
  for (const output of graph.outputs) used.add(output.name);
  for (const name of [...graph.initializers.keys()]) if (!used.has(name)) graph.initializers.delete(name);
}

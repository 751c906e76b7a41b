import { LabError } from '../error.js';
import { elementCount, intAttribute, type OnnxGraph, type OnnxNode, type OnnxTensor } from '../onnx/ir.js';

export interface QuantizedWeight {
  readonly data: Int8Array;
  /** One scale per channel along `axis`, or a single one. */
  readonly scales: Float32Array;
  readonly axis: number;
}

/** The float32 weight of a Conv, Gemm, MatMul or ConvTranspose node, if it is a constant. */
export function weightOf(graph: OnnxGraph, node: OnnxNode): { name: string; tensor: OnnxTensor; axis: number } | null {
  if (node.domain !== '') return null;
  const name = node.inputs[1];
  const tensor = name ? graph.initializers.get(name) : undefined;
  if (!name || tensor?.type !== 'float32') return null;
  switch (node.op) {
    case 'Conv':
      return { name, tensor, axis: 0 };
    case 'ConvTranspose':
      return intAttribute(node, 'group', 1) === 1 ? { name, tensor, axis: 1 } : null;
    case 'Gemm':
      return { name, tensor, axis: intAttribute(node, 'transB', 0) === 1 ? 0 : 1 };
    case 'MatMul':
      return tensor.dims.length === 2 ? { name, tensor, axis: 1 } : null;
    default:
      return null;
  }
}

/** Largest magnitude of each channel along `axis` (or of the whole tensor, as a list of one). */
export function magnitudes(tensor: OnnxTensor, axis: number, perChannel: boolean): Float32Array {
  const channels = perChannel ? tensor.dims[axis]! : 1;
  const inner = elementCount(tensor.dims.slice(axis + 1));
  const largest = new Float32Array(channels);
  for (let i = 0; i < tensor.data.length; i++) {
    const c = perChannel ? Math.floor(i / inner) % channels : 0;
    const magnitude = Math.abs(Number(tensor.data[i]));
    if (!Number.isFinite(magnitude)) throw new LabError(`a weight holds ${tensor.data[i]} at place ${i}`);
    if (magnitude > largest[c]!) largest[c] = magnitude;
  }
  return largest;
}

/**
 * Scale for values that are all zero. Any would do for them, but the bias behind them is counted in its units: 1 would
 * round every bias to a whole number.
 */
export const SCALE_OF_ZEROS = 1 / 255;

/** Symmetric int8 (zero stays exactly zero, so pruned weights stay pruned) with the given scales. */
export function quantizeWeight(tensor: OnnxTensor, axis: number, scales: Float32Array, limit: number): QuantizedWeight {
  const inner = elementCount(tensor.dims.slice(axis + 1));
  const data = new Int8Array(tensor.data.length);
  for (let i = 0; i < data.length; i++) {
    const scale = scales.length === 1 ? scales[0]! : scales[Math.floor(i / inner) % scales.length]!;
    data[i] = Math.max(-limit, Math.min(limit, roundHalfEven(Number(tensor.data[i]) / scale)));
  }
  return { data, scales, axis };
}

/** Rounds as ONNX's QuantizeLinear does: halves go to the even neighbour. */
export function roundHalfEven(value: number): number {
  const floor = Math.floor(value);
  const rest = value - floor;
  if (rest !== 0.5) return Math.round(value);
  return floor % 2 === 0 ? floor : floor + 1;
}

import { LabError } from '../error.js';
import { cloneModel, int, type OnnxModel, type OnnxNode } from '../onnx/ir.js';

/** Largest finite half-precision number. */
const MAX_HALF = 65504;
/** Smaller ones have fewer digits, and none in the end. */
const MIN_NORMAL_HALF = 2 ** -14;

const f32 = new Float32Array(1);
const u32 = new Uint32Array(f32.buffer);

/** The half-precision bit pattern nearest to `value` (ties to even); beyond the range, the largest finite one. */
export function toHalf(value: number): number {
  f32[0] = Math.max(-MAX_HALF, Math.min(MAX_HALF, value));
  const bits = u32[0]!;
  const sign = (bits >>> 16) & 0x8000;
  const exponent = ((bits >>> 23) & 0xff) - 112;
  const mantissa = bits & 0x7fffff;
  if (exponent > 0) {
    const rounded = (exponent << 10) | (mantissa >>> 13);
    const rest = mantissa & 0x1fff;
    // A carry out of the mantissa runs into the exponent, which is just what is needed.
    return sign | (rounded + (rest > 0x1000 || (rest === 0x1000 && (rounded & 1) === 1) ? 1 : 0));
  }
  if (exponent < -10) return sign;
  const full = mantissa | 0x800000;
  const shift = 14 - exponent;
  const rounded = full >>> shift;
  const rest = full & ((1 << shift) - 1);
  const half = 1 << (shift - 1);
  return sign | (rounded + (rest > half || (rest === half && (rounded & 1) === 1) ? 1 : 0));
}

/** The number a half-precision bit pattern stands for. */
export function fromHalf(bits: number): number {
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = (bits >>> 10) & 0x1f;
  const mantissa = bits & 0x3ff;
  if (exponent === 0x1f) return mantissa ? Number.NaN : sign * Number.POSITIVE_INFINITY;
  return exponent === 0 ? sign * mantissa * 2 ** -24 : sign * (1 + mantissa / 1024) * 2 ** (exponent - 15);
}

/**
 * The model with its weights stored as float16 and cast back to float32 in the graph. Weights that are all too large or too
 * small for half precision stay float32.
 *
 * onnxruntime computes the casts once, when it loads the model, so that half the bytes cost nothing at run time. A
 * graph that also computes in float16 would be slower on a CPU: it has no such kernels for most operators and puts
 * casts around them.
 *
 * @throws LabError for a weight that is not finite
 */
export function quantizeFloat16(model: OnnxModel): OnnxModel {
  const result = cloneModel(model);
  const { graph } = result;
  const casts: OnnxNode[] = [];
  for (const [name, tensor] of graph.initializers) {
    // Single numbers cost more as a cast than they save, and often are tiny ones that must not become 0.
    if (tensor.type !== 'float32' || tensor.data.length === 1) continue;
    let largest = 0;
    for (let i = 0; i < tensor.data.length; i++) {
      const value = Number(tensor.data[i]);
      if (!Number.isFinite(value)) throw new LabError(`weight '${name}' holds ${value} at place ${i}`);
      largest = Math.max(largest, Math.abs(value));
    }
    // What half precision has no numbers for stays as it is.
    if (largest > MAX_HALF || (largest > 0 && largest < MIN_NORMAL_HALF)) continue;
    const data = Uint16Array.from(tensor.data as Float32Array, toHalf);
    graph.initializers.delete(name);
    graph.initializers.set(`${name}:f16`, { type: 'float16', dims: tensor.dims, data });
    const attributes = { to: int(1) };
    casts.push({ name: `${name}/Cast`, op: 'Cast', domain: '', inputs: [`${name}:f16`], outputs: [name], attributes });
  }
  graph.nodes = [...casts, ...graph.nodes];
  return result;
}

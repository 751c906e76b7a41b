import { dropUnusedInitializers } from '../onnx/fold.js';
import {
  cloneModel,
  consumersOf,
  floatAttribute,
  int,
  type OnnxGraph,
  type OnnxModel,
  type OnnxNode,
  producersOf,
  scalar,
} from '../onnx/ir.js';
import type { Range } from './histogram.js';
import { magnitudes, quantizeWeight, roundHalfEven, SCALE_OF_ZEROS, weightOf } from './weights.js';

/** Names and defaults are those of onnxruntime.quantization.quantize_static where it has the same option. */
export interface StaticOptions {
  /** Names of nodes that stay float. */
  readonly nodesToExclude?: readonly string[];
  /** One weight scale per output channel (default here; onnxruntime's default is one per tensor). */
  readonly perChannel?: boolean;
  /**
   * 7-bit weights (default here; onnxruntime's default is 8). On x64 machines with AVX2 but without VNNI, onnxruntime
   * adds pairs of uint8 x int8 products in 16 bits, which overflow with 8-bit weights: the same file then answers
   * differently from one machine to the next, and on the one this was measured on it was less exact than with 7 bits.
   */
  readonly reduceRange?: boolean;
  /**
   * Scales keep only so many significant bits: of weights to the nearest, of activations upwards and half as many, so that no
   * range shrinks. Their bytes, which compress to nothing otherwise, are a good part of a small model's file. 24 unless told.
   */
  readonly scaleBits?: number;
}

/** Operators with a constant weight, computed in integers. */
const PRODUCTS = new Set(['Conv', 'Gemm', 'MatMul']);
/** Operators that onnxruntime has 8-bit kernels for, when all their inputs are 8-bit. */
const EIGHT_BIT = new Set(['Add', 'Mul', 'Concat', 'Sigmoid', 'LeakyRelu', 'AveragePool', 'GlobalAveragePool']);
/** Operators that only move values or pick among them: they keep the scale of their input. */
const MOVERS = new Set(['Flatten', 'Reshape', 'Transpose', 'Squeeze', 'Unsqueeze', 'MaxPool']);

/** A model that cannot be quantized as asked; the message says why. */
export class QuantizationError extends Error {
  override name = 'QuantizationError';
}

/** The nodes of a float model that `quantizeStatic` computes in integers and that carry its weights. */
export function quantizableNodes(model: OnnxModel): string[] {
  return model.graph.nodes.filter((node) => isProduct(model.graph, node)).map((node) => node.name);
}

/**
 * Static int8 in the QDQ form: uint8 activations (asymmetric, ranges from calibration), int8 weights (symmetric), int32
 * biases with scale input x weight. The pairs of QuantizeLinear and DequantizeLinear stand where onnxruntime fuses them
 * with their node into one integer kernel. A ReLU behind a quantized node disappears: a zero point of 0 does its work.
 * A Gemm or MatMul that only float nodes or the caller read gives its result in float, so logits keep their precision.
 *
 * @param ranges by tensor name, from `calibrate(model, ...).ranges(...)` on this very model
 * @throws QuantizationError when a range is missing or a name in `nodesToExclude` is unknown
 */
export function quantizeStatic(
  model: OnnxModel,
  ranges: ReadonlyMap<string, Range>,
  options: StaticOptions = {},
): OnnxModel {
  const names = new Set(model.graph.nodes.map((node) => node.name));
  for (const name of options.nodesToExclude ?? []) {
    if (!names.has(name)) {
      const known = quantizableNodes(model).join(', ');
      throw new QuantizationError(`there is no node '${name}' to exclude; nodes with weights: ${known}`);
    }
  }
  const result = cloneModel(model);
  new StaticQuantizer(result.graph, ranges, options).run();
  dropUnusedInitializers(result.graph);
  const made = producersOf(result.graph);
  for (const name of [...result.graph.valueInfo.keys()]) if (!made.has(name)) result.graph.valueInfo.delete(name);
  return result;
}

interface Scale {
  readonly scale: number;
  readonly zeroPoint: number;
}

class StaticQuantizer {
  private readonly excluded: ReadonlySet<string>;
  /** Nodes computed in integers. */
  private readonly integer = new Set<OnnxNode>();
  private readonly scales = new Map<string, Scale>();
  private readonly quantizedWeights = new Map<string, string>();
  /** Tensors that have a dequantized twin, `tensor:dq`. */
  private readonly paired = new Set<string>();

  constructor(
    private readonly graph: OnnxGraph,
    private readonly ranges: ReadonlyMap<string, Range>,
    private readonly options: StaticOptions,
  ) {
    this.excluded = new Set(options.nodesToExclude);
  }

  run(): void {
    this.mergeClamps();
    this.chooseNodes();
    this.leaveEndsInFloat();
    this.absorbActivations();
    this.rewrite();
  }

  /** Makes one of two clamps in a row, so that the one left can be absorbed (onnxruntime 1.27 breaks such a pair itself). */
  private mergeClamps(): void {
    const { graph } = this;
    const producers = producersOf(graph);
    const outputs = new Set(graph.outputs.map((output) => output.name));
    const gone = new Set<OnnxNode>();
    const highest = (node: OnnxNode) =>
      node.op === 'Clip' && node.inputs[2]
        ? Number(graph.initializers.get(node.inputs[2])!.data[0])
        : Number.POSITIVE_INFINITY;
    for (const node of graph.nodes) {
      const before = producers.get(node.inputs[0]!);
      if (!before || !isClampAtZero(graph, node) || !isClampAtZero(graph, before)) continue;
      const middle = before.outputs[0]!;
      if (outputs.has(middle) || graph.nodes.some((other) => other !== node && other.inputs.includes(middle))) continue;
      // The lower of the two upper ends is what counts.
      if (highest(before) < highest(node)) {
        node.op = before.op;
        node.inputs = [...before.inputs];
      } else node.inputs[0] = before.inputs[0]!;
      gone.add(before);
      before.inputs = [];
    }
    graph.nodes = graph.nodes.filter((node) => !gone.has(node));
  }

  /** A tensor that carries 8-bit values once it is rewritten: an integer node made it. */
  private chooseNodes(): void {
    const { graph } = this;
    const producers = producersOf(graph);
    const outputs = new Set(graph.outputs.map((output) => output.name));
    const eightBit = new Set<string>();
    for (const node of graph.nodes) {
      if (this.excluded.has(node.name) || node.domain !== '') continue;
      const dynamic = node.inputs.filter((name) => name && !graph.initializers.has(name));
      const first = node.inputs[0]!;
      const all8 = dynamic.every((name) => eightBit.has(name));
      if (isProduct(graph, node)) this.integer.add(node);
      else if (isClampAtZero(graph, node) && this.absorbable(node, producers, outputs)) {
        // Follows the node before it; see absorbActivations.
        if (eightBit.has(first)) eightBit.add(node.outputs[0]!);
        continue;
      } else if (EIGHT_BIT.has(node.op) && all8 && dynamic.length === node.inputs.length) this.integer.add(node);
      else if (MOVERS.has(node.op) && eightBit.has(first)) this.integer.add(node);
      else continue;
      eightBit.add(node.outputs[0]!);
    }
  }

  /**
   * A node without weights is worth 8 bits only between integer nodes: at the model's end it would round the answer and
   * gain nothing.
   */
  private leaveEndsInFloat(): void {
    const consumers = consumersOf(this.graph);
    for (const node of this.graph.nodes.toReversed()) {
      if (!this.integer.has(node) || PRODUCTS.has(node.op)) continue;
      if (!this.readByInteger(node.outputs[0]!, consumers)) this.integer.delete(node);
    }
  }

  /** Whether an integer node reads `name`, directly or behind a ReLU that will be absorbed. */
  private readByInteger(name: string, consumers: Map<string, OnnxNode[]>): boolean {
    return (consumers.get(name) ?? []).some(
      (node) =>
        this.integer.has(node) ||
        (isClampAtZero(this.graph, node) &&
          (consumers.get(node.outputs[0]!) ?? []).some((next) => this.integer.has(next))),
    );
  }

  /** Whether nothing but this ReLU reads what an integer node gives. */
  private absorbable(node: OnnxNode, producers: Map<string, OnnxNode>, outputs: ReadonlySet<string>): boolean {
    const input = node.inputs[0]!;
    const before = producers.get(input);
    const output = node.outputs[0]!;
    return (
      before !== undefined &&
      this.integer.has(before) &&
      !MOVERS.has(before.op) &&
      !outputs.has(input) &&
      !outputs.has(output) &&
      this.graph.nodes.filter((other) => other.inputs.includes(input)).length === 1 &&
      this.rangeOf(output).min >= 0
    );
  }

  /** Takes out each ReLU (or Clip from 0) whose work the quantization of its result does. */
  private absorbActivations(): void {
    const { graph } = this;
    const producers = producersOf(graph);
    const outputs = new Set(graph.outputs.map((output) => output.name));
    const consumers = consumersOf(graph);
    const gone = new Set<OnnxNode>();
    for (const node of graph.nodes) {
      if (this.excluded.has(node.name) || !isClampAtZero(graph, node)) continue;
      if (!this.absorbable(node, producers, outputs)) continue;
      const before = producers.get(node.inputs[0]!)!;
      // A Gemm may give float to float readers, and then nothing clamps.
      const readers = consumers.get(node.outputs[0]!) ?? [];
      if (before.op !== 'Conv' && !readers.some((reader) => this.integer.has(reader))) continue;
      before.outputs = [node.outputs[0]!];
      producers.set(node.outputs[0]!, before);
      gone.add(node);
    }
    graph.nodes = graph.nodes.filter((node) => !gone.has(node));
  }

  private rewrite(): void {
    const { graph } = this;
    const consumers = consumersOf(graph);
    const outputs = new Set(graph.outputs.map((output) => output.name));
    const producers = producersOf(graph);
    const readByInteger = (name: string) => (consumers.get(name) ?? []).some((node) => this.integer.has(node));
    const nodes: OnnxNode[] = [];
    for (const { name } of graph.inputs) if (readByInteger(name)) nodes.push(...this.pair(name, name));
    for (const node of graph.nodes) {
      const output = node.outputs[0]!;
      const isInteger = this.integer.has(node);
      if (isInteger && MOVERS.has(node.op)) this.scales.set(output, this.scaleOf(node.inputs[0]!));
      const rewritten = { ...node, inputs: node.inputs.map((name, i) => this.inputFor(node, name, i, producers)) };
      const quantized = isInteger ? this.leavesInteger(node, readByInteger(output)) : readByInteger(output);
      if (isInteger && PRODUCTS.has(node.op)) nodes.push(...this.weights(rewritten, node.inputs[0]!));
      if (quantized && isInteger && outputs.has(output)) {
        // The caller's output comes from behind the pair, so that the node still fuses.
        const raw = `${output}:raw`;
        rewritten.outputs = [raw];
        nodes.push(rewritten, ...this.pair(raw, output, output));
      } else {
        nodes.push(rewritten);
        if (quantized) nodes.push(...this.pair(output, output));
      }
    }
    graph.nodes = nodes;
  }

  /** Whether the node's result is quantized: always, but for a product read by float nodes or the caller alone. */
  private leavesInteger(node: OnnxNode, readByInteger: boolean): boolean {
    return readByInteger || !PRODUCTS_TO_FLOAT.has(node.op);
  }

  /** Which name a node reads for its input: the dequantized one where the node or its source works in integers. */
  private inputFor(node: OnnxNode, name: string, index: number, producers: Map<string, OnnxNode>): string {
    if (!name || this.graph.initializers.has(name)) return name;
    const source = producers.get(name);
    if (this.integer.has(node)) return MOVERS.has(node.op) && index > 0 ? name : `${name}:dq`;
    return source !== undefined && this.integer.has(source) && this.paired.has(name) ? `${name}:dq` : name;
  }

  /** QuantizeLinear and DequantizeLinear behind `from`, with the scale of `tensor`; the result is `to` or `tensor:dq`. */
  private pair(from: string, tensor: string, to = `${tensor}:dq`): OnnxNode[] {
    const { scale, zeroPoint } = this.scaleOf(tensor);
    this.paired.add(tensor);
    const [scaleName, zeroName] = [`${tensor}:scale`, `${tensor}:zero_point`];
    this.graph.initializers.set(scaleName, scalar('float32', scale));
    this.graph.initializers.set(zeroName, scalar('uint8', zeroPoint));
    const pair: OnnxNode[] = [
      node('QuantizeLinear', `${tensor}/QuantizeLinear`, [from, scaleName, zeroName], `${tensor}:q`),
      node('DequantizeLinear', `${tensor}/DequantizeLinear`, [`${tensor}:q`, scaleName, zeroName], to),
    ];
    // Nodes inside the graph that read this tensor do so by its usual name.
    if (to !== `${tensor}:dq`) {
      pair.push(
        node(
          'DequantizeLinear',
          `${tensor}/DequantizeLinear_inner`,
          [`${tensor}:q`, scaleName, zeroName],
          `${tensor}:dq`,
        ),
      );
    }
    return pair;
  }

  /** uint8 over the calibrated range, which always holds 0 so that padding and ReLU's zero are exact. */
  private scaleOf(tensor: string): Scale {
    const known = this.scales.get(tensor);
    if (known) return known;
    const range = this.rangeOf(tensor);
    const min = Math.min(0, range.min);
    const max = Math.max(0, range.max);
    const { scaleBits } = this.options;
    const exact = Math.fround((max - min) / 255) || SCALE_OF_ZEROS;
    const scale = scaleBits === undefined ? exact : significant(exact, Math.ceil(scaleBits / 2), Math.ceil);
    const found = { scale, zeroPoint: Math.max(0, Math.min(255, roundHalfEven(-min / scale))) };
    this.scales.set(tensor, found);
    return found;
  }

  private rangeOf(tensor: string): Range {
    const range = this.ranges.get(tensor);
    if (!range)
      throw new QuantizationError(`calibration has no range for tensor '${tensor}': was it made on another model?`);
    return range;
  }

  /** Quantizes a product's weight and bias, points its inputs at them, and returns their DequantizeLinear nodes. */
  private weights(rewritten: OnnxNode, input: string): OnnxNode[] {
    const { graph, options } = this;
    const { name, tensor, axis } = weightOf(graph, rewritten)!;
    // onnxruntime: int8 symmetric is -127..127, with reduce_range -64..64.
    const limit = (options.reduceRange ?? true) ? 64 : 127;
    const perChannel = options.perChannel ?? true;
    const inputScale = this.scaleOf(input).scale;
    const biasName = rewritten.inputs[2];
    const bias = biasName ? (graph.initializers.get(biasName)!.data as Float32Array) : undefined;
    const scales = magnitudes(tensor, axis, perChannel).map((m) => m / limit || SCALE_OF_ZEROS);
    // A channel of tiny weights and a large bias would overflow the 32-bit bias: such a channel takes a coarser scale.
    bias?.forEach((value, c) => {
      const at = perChannel ? c : 0;
      scales[at] = Math.max(scales[at]!, Math.abs(value) / (inputScale * 2 ** 30));
    });
    if (options.scaleBits !== undefined) {
      scales.forEach((scale, c) => {
        scales[c] = significant(scale, options.scaleBits!, Math.round);
      });
    }
    const result: OnnxNode[] = [];
    const key = `${name}|${scales.join()}`;
    let dequantized = this.quantizedWeights.get(key);
    if (!dequantized) {
      const base =
        this.quantizedWeights.size > 0 && graph.initializers.has(`${name}:q8`) ? `${name}:${rewritten.name}` : name;
      const { data } = quantizeWeight(tensor, axis, scales, limit);
      const zeros = new Int8Array(scales.length);
      const scaleDims = perChannel ? [scales.length] : [];
      graph.initializers.set(`${base}:q8`, { type: 'int8', dims: tensor.dims, data });
      graph.initializers.set(`${base}:scale`, { type: 'float32', dims: scaleDims, data: scales });
      graph.initializers.set(`${base}:zero_point`, { type: 'int8', dims: scaleDims, data: zeros });
      dequantized = `${base}:dq`;
      const inputs = [`${base}:q8`, `${base}:scale`, `${base}:zero_point`];
      const attributes: OnnxNode['attributes'] = perChannel ? { axis: int(axis) } : {};
      result.push({ ...node('DequantizeLinear', `${base}/DequantizeLinear`, inputs, dequantized), attributes });
      this.quantizedWeights.set(key, dequantized);
    }
    rewritten.inputs[1] = dequantized;
    if (bias) {
      const base = `${rewritten.name}:bias`;
      const biasScales = perChannel ? scales.map((s) => s * inputScale) : Float32Array.of(scales[0]! * inputScale);
      const data = Int32Array.from(bias, (value, c) => roundHalfEven(value / biasScales[perChannel ? c : 0]!));
      graph.initializers.set(`${base}:q32`, { type: 'int32', dims: [bias.length], data });
      graph.initializers.set(`${base}:scale`, {
        type: 'float32',
        dims: perChannel ? [bias.length] : [],
        data: biasScales,
      });
      const inputs = [`${base}:q32`, `${base}:scale`];
      const attributes: OnnxNode['attributes'] = perChannel ? { axis: int(0) } : {};
      result.push({ ...node('DequantizeLinear', `${base}/DequantizeLinear`, inputs, `${base}:dq`), attributes });
      rewritten.inputs[2] = `${base}:dq`;
    }
    return result;
  }
}

/** Products whose integer kernel can give a float result. */
const PRODUCTS_TO_FLOAT = new Set(['Gemm', 'MatMul']);

function node(op: string, name: string, inputs: string[], output: string): OnnxNode {
  return { name, op, domain: '', inputs, outputs: [output], attributes: {} };
}

function isProduct(graph: OnnxGraph, node: OnnxNode): boolean {
  const weight = PRODUCTS.has(node.op) ? weightOf(graph, node) : null;
  if (!weight || graph.initializers.has(node.inputs[0]!)) return false;
  if (node.op === 'Gemm' && (floatAttribute(node, 'alpha', 1) !== 1 || floatAttribute(node, 'beta', 1) !== 1))
    return false;
  const biasName = node.inputs[2];
  if (!biasName) return true;
  const bias = graph.initializers.get(biasName);
  return bias?.type === 'float32' && bias.dims.length === 1 && bias.dims[0] === weight.tensor.dims[weight.axis];
}

/** A positive number with so many significant binary digits. */
function significant(value: number, bits: number, round: (x: number) => number): number {
  const unit = 2 ** (Math.floor(Math.log2(value)) + 1 - bits);
  return round(value / unit) * unit;
}

/** A ReLU, or a Clip that begins at 0. */
function isClampAtZero(graph: OnnxGraph, node: OnnxNode): boolean {
  if (node.op === 'Relu') return true;
  if (node.op !== 'Clip') return false;
  const low = node.inputs[1] ? graph.initializers.get(node.inputs[1]) : undefined;
  const high = node.inputs[2];
  return low !== undefined && Number(low.data[0]) === 0 && (!high || graph.initializers.has(high));
}

import {
  type Attribute,
  type Dim,
  floatTensor,
  int64Tensor,
  ints,
  type OnnxGraph,
  type OnnxTensor,
  type TensorType,
} from './ir.js';

/** A size, or null where it is only known at run time. */
export type Size = number | null;

/**
 * A tensor of the source model on its way through the ONNX graph. TensorFlow keeps channels last, ONNX convolutions
 * want them first; a value is therefore known under up to two names, and the other one is made only when asked for.
 * So a plain stack of convolutions has one transpose where it begins and one, or none, where it ends.
 */
export interface Value {
  /** Shape in the source model, batch included. */
  readonly shape: readonly Size[];
  /** Name in the source model's own order. */
  native?: string;
  /** Name with the last axis moved behind the batch axis. Rank 3 and up. */
  first?: string;
  /**
   * A rank-2 value whose columns stand in another order: column i of `name` is column `order[i]` of the source
   * model's value. Flattening a channels-first tensor gives this; a dense layer absorbs it into its weights.
   */
  shuffled?: { readonly name: string; readonly order: Int32Array };
}

/** Which of the two axis orders a node was given, and the name of its input there. */
export interface Ordered {
  readonly name: string;
  readonly first: boolean;
}

/** What a model's training left of its data: how a value behind a normalization was spread there, by channel. */
export interface SeenInTraining {
  readonly layer: string;
  /** Name of the value. */
  readonly value: string;
  /** Where its channels lie. */
  readonly axis: number;
  readonly mean: Float32Array;
  readonly deviation: Float32Array;
}

/** Builds an ONNX graph node by node, with unique names. */
export class GraphBuilder {
  readonly graph: OnnxGraph;
  readonly seenInTraining: SeenInTraining[] = [];
  private readonly taken = new Set<string>();

  constructor(
    name: string,
    /** Name of the batch dimension, for example 'N'. */
    private readonly batch: string,
  ) {
    this.graph = { name, nodes: [], initializers: new Map(), inputs: [], outputs: [], valueInfo: new Map() };
  }

  /** `wanted`, or `wanted_2`, `wanted_3` ... when it is taken. */
  unique(wanted: string): string {
    let name = wanted;
    for (let i = 2; this.taken.has(name); i++) name = `${wanted}_${i}`;
    this.taken.add(name);
    return name;
  }

  constant(name: string, tensor: OnnxTensor): string {
    const unique = this.unique(name);
    this.graph.initializers.set(unique, tensor);
    return unique;
  }

  floats(name: string, dims: readonly number[], data: ArrayLike<number>): string {
    return this.constant(name, floatTensor(dims, data instanceof Float32Array ? data : Float32Array.from(data)));
  }

  int64s(name: string, values: readonly number[]): string {
    return this.constant(name, int64Tensor(values));
  }

  /**
   * Adds a node with one output and returns the output's name.
   * @param shape the output's shape in ONNX order, recorded for later passes; null where it is not known.
   */
  node(
    op: string,
    name: string,
    inputs: readonly string[],
    attributes: Record<string, Attribute>,
    shape: readonly Size[] | null,
  ): string {
    return this.nodes(op, name, inputs, attributes, [shape])[0]!;
  }

  /** Like `node`, with several outputs; an output whose shape is undefined is left out (named ''). */
  nodes(
    op: string,
    name: string,
    inputs: readonly string[],
    attributes: Record<string, Attribute>,
    shapes: readonly (readonly Size[] | null | undefined)[],
  ): string[] {
    const nodeName = this.unique(`${name}/${op}`);
    const outputs = shapes.map((shape, i) => {
      if (shape === undefined) return '';
      const output = this.unique(i === 0 ? `${nodeName}:out` : `${nodeName}:out${i}`);
      if (shape) this.describe(output, 'float32', shape);
      return output;
    });
    this.graph.nodes.push({ name: nodeName, op, domain: '', inputs: [...inputs], outputs, attributes });
    return outputs;
  }

  describe(name: string, type: TensorType, shape: readonly Size[]): void {
    this.graph.valueInfo.set(name, { name, type, shape: this.dims(name, shape) });
  }

  /** Shape for a file: the batch by its name, other unknown sizes by the value's own. */
  dims(name: string, shape: readonly Size[]): Dim[] {
    return shape.map((size, axis) => size ?? (axis === 0 ? this.batch : `${name}.${axis}`));
  }

  /** The value's name in the source model's axis order. */
  native(value: Value): string {
    if (value.native !== undefined) return value.native;
    if (value.first !== undefined) {
      const rank = value.shape.length;
      const perm = [0, ...range(2, rank), 1];
      value.native = this.node('Transpose', 'to_channels_last', [value.first], { perm: ints(perm) }, value.shape);
    } else {
      const { name, order } = value.shuffled!;
      const back = new Array<number>(order.length);
      order.forEach((source, at) => {
        back[source] = at;
      });
      const indices = this.int64s('column_order', back);
      value.native = this.node(
        'Gather',
        'to_source_order',
        [name, indices],
        { axis: { kind: 'int', value: 1 } },
        value.shape,
      );
    }
    return value.native;
  }

  /** The value's name with channels behind the batch axis. */
  first(value: Value): string {
    if (value.first !== undefined) return value.first;
    const rank = value.shape.length;
    const perm = [0, rank - 1, ...range(1, rank - 1)];
    const shape = firstShape(value.shape);
    value.first = this.node('Transpose', 'to_channels_first', [this.native(value)], { perm: ints(perm) }, shape);
    return value.first;
  }

  /** Whichever order the value already has, so that a node that does not care costs no transpose. */
  either(value: Value): Ordered {
    if (value.first !== undefined) return { name: value.first, first: true };
    return { name: this.native(value), first: false };
  }
}

/** A value that is known in the given order. */
export function makeValue(shape: readonly Size[], name: string, first = false): Value {
  return first ? { shape, first: name } : { shape, native: name };
}

/** The shape with the last axis moved behind the batch axis. */
export function firstShape(shape: readonly Size[]): Size[] {
  return [shape[0]!, shape[shape.length - 1]!, ...shape.slice(1, -1)];
}

/** Where axis `axis` of the source model lies once the last axis has moved behind the batch axis. */
export function firstAxis(axis: number, rank: number): number {
  return axis === 0 ? 0 : axis === rank - 1 ? 1 : axis + 1;
}

export function range(from: number, to: number): number[] {
  return Array.from({ length: Math.max(0, to - from) }, (_, i) => from + i);
}

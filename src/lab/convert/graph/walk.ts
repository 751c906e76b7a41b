import { GraphBuilder, makeValue, type Size, type Value } from '../../onnx/builder.js';
import { UnsupportedLayerError } from '../../onnx/layer.js';
import { ConvertError } from '../error.js';
import { OPS } from './ops.js';
import type { TfFunction, TfGraph, TfNode, TfTensor } from './proto.js';

/**
 * What an edge of a TensorFlow graph carries. Constants are worked out while the graph is read; the sizes that depend on
 * the batch are NaN in them.
 */
export type Edge =
  | { readonly kind: 'constant'; readonly tensor: TfTensor }
  | { readonly kind: 'value'; readonly value: Value }
  /** A value with an axis of one in front of its other axes (a 1-D convolution as TensorFlow spells it). */
  | { readonly kind: 'expanded'; readonly inner: Edge; readonly axis: number }
  /** A value between SpaceToBatchND and BatchToSpaceND: what lies between is a dilated convolution. */
  | {
      readonly kind: 'dilated';
      readonly value: Value;
      readonly block: readonly number[];
      readonly pads: readonly number[];
    }
  | { readonly kind: 'pending'; readonly shape: readonly Size[]; finish(crops: readonly number[]): Value }
  | { readonly kind: 'resource'; readonly name: string };

interface Scope {
  readonly path: string;
  readonly nodes: ReadonlyMap<string, TfNode>;
  readonly argument: (name: string) => Edge | undefined;
  readonly done: Map<string, readonly Edge[]>;
}

/** Follows a TensorFlow graph from its outputs to its inputs, function calls included, and builds the ONNX graph. */
export class TfWalk {
  readonly builder: GraphBuilder;
  readonly unsupported = new Map<string, string>();
  private readonly open = new Set<TfNode>();

  constructor(
    name: string,
    private readonly graph: Pick<TfGraph, 'nodes' | 'functions'>,
    /** A variable's values by the name of the node that holds it. */
    private readonly variable: (node: string) => TfTensor | undefined,
  ) {
    this.builder = new GraphBuilder(name, 'N');
  }

  /** @param tensors names as `node:0`; @param inputs edges for the placeholders by node name */
  run(tensors: readonly string[], inputs: ReadonlyMap<string, Edge>): Value[] {
    const scope: Scope = {
      path: '',
      nodes: new Map(this.graph.nodes.map((node) => [node.name, node])),
      argument: (name) => inputs.get(name),
      done: new Map(),
    };
    const edges = tensors.map((tensor) => this.edge(tensor, scope));
    if (this.unsupported.size > 0) {
      const list = [...this.unsupported].map(([what, where]) => `${what} (at '${where}')`).join('\n');
      throw new UnsupportedLayerError(
        `the graph holds operations that cannot be converted:\n${list}\nOperations that can: ${Object.keys(OPS).sort().join(', ')}`,
      );
    }
    return edges.map((edge) => this.value(edge));
  }

  /** The edge as an ONNX value in the source's axis order. */
  value(edge: Edge): Value {
    const { builder } = this;
    switch (edge.kind) {
      case 'value':
        return edge.value;
      case 'constant': {
        const { shape, data } = edge.tensor;
        return makeValue([...shape], builder.floats('constant', shape, Float32Array.from(data)));
      }
      case 'expanded': {
        const inner = this.value(edge.inner);
        const shape = [...inner.shape.slice(0, edge.axis), 1, ...inner.shape.slice(edge.axis)];
        const axes = builder.int64s('axes', [edge.axis]);
        return makeValue(shape, builder.node('Unsqueeze', 'expand', [builder.native(inner), axes], {}, shape));
      }
      case 'pending':
        return edge.finish([]);
      case 'dilated':
        throw new UnsupportedLayerError('SpaceToBatchND is supported around a convolution only');
      case 'resource':
        throw new UnsupportedLayerError(`'${edge.name}' is a resource where a value is expected`);
    }
  }

  private edge(ref: string, scope: Scope): Edge {
    const [name = '', ...rest] = ref.split(':');
    const given = scope.argument(name);
    if (given) return given;
    const node = scope.nodes.get(name);
    if (!node) throw new ConvertError(`the graph refers to '${ref}', which it does not have`);
    // Function bodies name the output as well; for the operations known here its number says all.
    const at = Number(rest.at(-1) ?? 0);
    const output = node.op === 'FusedBatchNormV3' && rest.length > 1 ? (rest[0] === 'y' ? 0 : 1) : at;
    let edges = scope.done.get(name);
    if (!edges) {
      if (this.open.has(node)) throw new ConvertError(`the graph has a cycle at '${name}'`);
      this.open.add(node);
      edges = this.node(node, scope);
      this.open.delete(node);
      scope.done.set(name, edges);
    }
    const edge = edges[output];
    if (!edge) throw new ConvertError(`'${name}' (${node.op}) has no output number ${output}`);
    return edge;
  }

  private node(node: TfNode, scope: Scope): readonly Edge[] {
    const { op, attrs } = node;
    const where = `${scope.path}${node.name}`;
    if (op === 'PartitionedCall' || op === 'StatefulPartitionedCall') {
      const { f } = attrs;
      const called = typeof f === 'object' && 'func' in f ? this.graph.functions.get(f.func) : undefined;
      if (!called) throw new ConvertError(`'${where}' calls a function that the file does not hold`);
      return this.call(called, node, scope, where);
    }
    if (op === 'VarHandleOp') return [{ kind: 'resource', name: node.name }];
    if (op === 'ReadVariableOp' || op === 'ResourceGather') {
      const source = this.edge(node.inputs[0]!, scope);
      if (source.kind === 'constant') return [source];
      const tensor = source.kind === 'resource' ? this.variable(source.name) : undefined;
      if (!tensor) throw new ConvertError(`the checkpoint holds no variable for '${where}'`);
      const bad = Array.from(tensor.data).findIndex((value) => !Number.isFinite(value));
      if (bad >= 0)
        throw new UnsupportedLayerError(
          `variable '${source.kind === 'resource' ? source.name : where}' holds ${tensor.data[bad]} at place ${bad}`,
        );
      if (op === 'ReadVariableOp') return [{ kind: 'constant', tensor }];
      return this.apply(
        { ...node, op: 'GatherV2' },
        [{ kind: 'constant', tensor }, this.edge(node.inputs[1]!, scope), scalar(0)],
        where,
      );
    }
    if (!Object.hasOwn(OPS, op)) {
      // Recurrent layers are loops over lists; what a loop holds is of no use to the person who reads the list.
      const isLoop = /^(Stateless)?While$|^TensorList|^TensorArray/.test(op);
      const advice = ': a recurrent layer; save the model as .keras or .h5, where GRU and LSTM are layers';
      this.unsupported.set(op, isLoop ? where + advice : where);
      // What feeds it is looked at too: all that cannot be converted is told at once.
      if (!isLoop) for (const input of node.inputs) if (!input.startsWith('^')) this.edge(input, scope);
      return [placeholder()];
    }
    return this.apply(
      node,
      node.inputs.map((input) => this.edge(input, scope)),
      where,
    );
  }

  private apply(node: TfNode, inputs: readonly Edge[], where: string): readonly Edge[] {
    // Something unknown lies behind: its shape is not known, so nothing can be said of this node.
    if (inputs.some(isPlaceholder)) return [placeholder()];
    try {
      return OPS[node.op]!({ walk: this, node, inputs, name: where });
    } catch (error) {
      if (!(error instanceof UnsupportedLayerError)) throw error;
      this.unsupported.set(`${node.op}: ${error.message}`, where);
      return [placeholder()];
    }
  }

  private call(called: TfFunction, node: TfNode, outer: Scope, where: string): readonly Edge[] {
    const places = new Map(called.args.map((name, i) => [name, node.inputs[i]]));
    const scope: Scope = {
      path: `${where}/`,
      nodes: new Map(called.nodes.map((inner) => [inner.name, inner])),
      argument: (name) => {
        const input = places.get(name);
        return input === undefined ? undefined : this.edge(input, outer);
      },
      done: new Map(),
    };
    return called.outputs.map((output) => this.edge(called.returns.get(output) ?? output, scope));
  }
}

export const scalar = (value: number): Edge => ({ kind: 'constant', tensor: { shape: [], data: [value] } });

const UNKNOWN = '?';
const placeholder = (): Edge => ({ kind: 'resource', name: UNKNOWN });
const isPlaceholder = (edge: Edge) => edge.kind === 'resource' && edge.name === UNKNOWN;

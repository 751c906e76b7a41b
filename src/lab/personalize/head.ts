/** The last layer of a model, taken out, trained on a person's own beats, and put back. No TensorFlow is needed for it. */
import { dropUnusedInitializers } from '../onnx/fold.js';
import { cloneModel, floatTensor, type OnnxModel, producersOf } from '../onnx/ir.js';
import { type ModelItem, Runner } from '../quantize/runtime.js';
import { PersonalizeError } from './error.js';

/** logits = hidden x kernel + bias; `kernel` is [hidden, classes], row-major. */
export interface Head {
  readonly kernel: Float64Array;
  readonly bias: Float64Array;
}

/** What the layers before the head say of some items, and the head that the model came with. */
export interface HiddenLayer {
  /** items x width, row-major. */
  readonly hidden: Float32Array;
  readonly width: number;
  readonly classes: number;
  readonly head: Head;
}

function lastGemm(model: OnnxModel) {
  const { graph } = model;
  const node = producersOf(graph).get(graph.outputs[0]?.name ?? '');
  if (node?.op !== 'Gemm' || !node.inputs[2] || node.attributes.transB || node.attributes.transA) {
    throw new PersonalizeError(
      `the model does not end in a dense layer with a bias (${node?.op ?? 'nothing'}), so it has no head to train`,
    );
  }
  return node;
}

/** Runs a model's items up to its head. */
export async function hiddenLayer(model: OnnxModel, items: readonly ModelItem[]): Promise<HiddenLayer> {
  const watched = cloneModel(model);
  const gemm = lastGemm(watched);
  const [input, kernelName, biasName] = gemm.inputs as [string, string, string];
  const { graph } = watched;
  const logits = graph.outputs[0]!;
  const made = producersOf(graph);
  // Weights that the graph restores from int8 or float16 are read as the runtime restores them.
  const wanted = [input, kernelName, biasName].filter((name) => made.has(name));
  graph.outputs = [logits, ...wanted.map((name) => ({ name, type: 'unknown' as const, shape: null }))];
  const runner = await Runner.load(watched, { graphOptimizationLevel: 'basic' });
  const parts: Float32Array[] = [];
  const constants = new Map<string, Float32Array>();
  try {
    await runner.runAll(items, (outputs) => {
      wanted.forEach((name, i) => {
        if (name === input) parts.push(outputs[i + 1]!);
        else constants.set(name, outputs[i + 1]!);
      });
    });
  } finally {
    await runner.release();
  }
  const constant = (name: string) =>
    Float64Array.from(constants.get(name) ?? (graph.initializers.get(name)!.data as Float32Array));
  const [kernel, bias] = [constant(kernelName), constant(biasName)];
  const classes = bias.length;
  const hidden = new Float32Array(parts.reduce((sum, part) => sum + part.length, 0));
  parts.reduce((at, part) => {
    hidden.set(part, at);
    return at + part.length;
  }, 0);
  return { hidden, width: kernel.length / classes, classes, head: { kernel, bias } };
}

/** The model with another head, in float32 whatever the rest is computed in: a few hundred products cost nothing. */
export function withHead(model: OnnxModel, head: Head): OnnxModel {
  const result = cloneModel(model);
  const { graph } = result;
  const gemm = lastGemm(result);
  const classes = head.bias.length;
  graph.initializers.set(
    'personal:kernel',
    floatTensor([head.kernel.length / classes, classes], Float32Array.from(head.kernel)),
  );
  graph.initializers.set('personal:bias', floatTensor([classes], Float32Array.from(head.bias)));
  gemm.inputs = [gemm.inputs[0]!, 'personal:kernel', 'personal:bias'];
  // What restored the former head's weights is of no use any more.
  for (let before = -1; before !== graph.nodes.length; ) {
    before = graph.nodes.length;
    const read = new Set([...graph.nodes.flatMap(({ inputs }) => inputs), ...graph.outputs.map(({ name }) => name)]);
    graph.nodes = graph.nodes.filter(({ outputs }) => outputs.some((name) => read.has(name)));
  }
  dropUnusedInitializers(graph);
  return result;
}

/** logits of all items: items x classes. */
export function logitsOf(
  { hidden, width, classes }: Pick<HiddenLayer, 'hidden' | 'width' | 'classes'>,
  head: Head,
): Float32Array {
  const items = hidden.length / width;
  const logits = new Float32Array(items * classes);
  for (let i = 0; i < items; i++) {
    for (let c = 0; c < classes; c++) {
      let sum = head.bias[c]!;
      for (let h = 0; h < width; h++) sum += hidden[i * width + h]! * head.kernel[h * classes + c]!;
      logits[i * classes + c] = sum;
    }
  }
  return logits;
}

export interface HeadTraining {
  /** Class of each item; those of other classes than the head's are left out. */
  readonly truth: ArrayLike<number>;
  /** Pull towards the head that the model came with: larger trusts the person's beats less. */
  readonly pull: number;
  /** Added to the logits before the decision; the head is trained with them in place. */
  readonly offsets: readonly number[];
  /** Which items to train on. */
  readonly items: readonly number[];
}

const STEPS = 200;
const RATE = 0.04;

/**
 * Softmax regression on the hidden layer from the model's own head, by Adam over all items at once: cross-entropy, each
 * class weighted by the root of its share, plus `pull` times the squared distance from the former head.
 */
export function trainHead(layer: HiddenLayer, training: HeadTraining): Head {
  const { hidden, width, classes, head: from } = layer;
  const { truth, pull, offsets } = training;
  const items = training.items.filter((i) => truth[i]! < classes);
  const counts = new Array<number>(classes).fill(0);
  for (const i of items) counts[truth[i]!]!++;
  // Rare beats count more than their share, but not as much as the frequent ones together.
  const weights = counts.map((count) => (count > 0 ? 1 / Math.sqrt(count * items.length) : 0));
  const size = (width + 1) * classes;
  const start = Float64Array.from([...from.kernel, ...from.bias]);
  const values = start.slice();
  const [mean, square, gradient] = [new Float64Array(size), new Float64Array(size), new Float64Array(size)];
  const scores = new Float64Array(classes);
  for (let step = 1; step <= STEPS; step++) {
    for (let p = 0; p < size; p++) gradient[p] = 2 * pull * (values[p]! - start[p]!);
    for (const i of items) {
      const row = i * width;
      const label = truth[i]!;
      for (let c = 0; c < classes; c++) scores[c] = values[width * classes + c]! + (offsets[c] ?? 0);
      for (let h = 0, p = 0; h < width; h++) {
        const x = hidden[row + h]!;
        // Half of the values behind a ReLU are 0.
        if (x === 0) p += classes;
        else for (let c = 0; c < classes; c++) scores[c]! += x * values[p++]!;
      }
      let most = scores[0]!;
      for (let c = 1; c < classes; c++) if (scores[c]! > most) most = scores[c]!;
      let total = 0;
      for (let c = 0; c < classes; c++) total += scores[c] = Math.exp(scores[c]! - most);
      for (let c = 0; c < classes; c++) {
        scores[c] = weights[label]! * (scores[c]! / total - (label === c ? 1 : 0));
        gradient[width * classes + c]! += scores[c]!;
      }
      for (let h = 0, p = 0; h < width; h++) {
        const x = hidden[row + h]!;
        if (x === 0) p += classes;
        else for (let c = 0; c < classes; c++) gradient[p++]! += scores[c]! * x;
      }
    }
    for (let p = 0; p < size; p++) {
      mean[p] = 0.9 * mean[p]! + 0.1 * gradient[p]!;
      square[p] = 0.999 * square[p]! + 0.001 * gradient[p]! ** 2;
      values[p]! -= (RATE * (mean[p]! / (1 - 0.9 ** step))) / (Math.sqrt(square[p]! / (1 - 0.999 ** step)) + 1e-8);
    }
  }
  return { kernel: values.slice(0, width * classes), bias: values.slice(width * classes) };
}

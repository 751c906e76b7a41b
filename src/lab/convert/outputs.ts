import { dropUnusedInitializers } from '../onnx/fold.js';
import { cloneModel, type OnnxModel, producersOf } from '../onnx/ir.js';
import { ConvertError } from './error.js';

/**
 * The model with its output `name` first, or with that output alone.
 * @throws ConvertError when it has no such output
 */
export function chooseOutput(model: OnnxModel, name: string | undefined): OnnxModel {
  if (name === undefined) return model;
  const chosen = model.graph.outputs.find((output) => output.name === name);
  if (!chosen) {
    const names = model.graph.outputs.map((output) => output.name).join(', ');
    throw new ConvertError(`the model has no output '${name}'; it has ${names}`);
  }
  const result = cloneModel(model);
  const { graph } = result;
  graph.outputs = [chosen];
  const producers = producersOf(graph);
  const needed = new Set<unknown>();
  const visit = (value: string): void => {
    const node = producers.get(value);
    if (!node || needed.has(node)) return;
    needed.add(node);
    node.inputs.forEach(visit);
  };
  visit(name);
  graph.nodes = graph.nodes.filter((node) => needed.has(node));
  dropUnusedInitializers(graph);
  const read = new Set(graph.nodes.flatMap(({ inputs }) => inputs));
  graph.inputs = graph.inputs.filter((input) => read.has(input.name));
  return result;
}

/** Names of the classes: those given, or `0`, `1` ... @throws ConvertError when there are more or fewer than the output has */
export function labelsFor(count: number, given: readonly string[] | undefined, output: string): readonly string[] {
  if (!given) return Array.from({ length: count }, (_, i) => (count === 1 ? 'score' : `class-${i}`));
  if (given.length !== count) {
    throw new ConvertError(
      `${given.length} labels were given (${given.join(', ')}); output '${output}' has ${count} values`,
    );
  }
  const twice = given.find((label, i) => given.indexOf(label) !== i);
  if (twice !== undefined) throw new ConvertError(`the label '${twice}' is given twice`);
  return given;
}

/** How an answer becomes a decision. One value decides at a half where it is a probability, else at nought. */
export function decider(model: OnnxModel): (values: ArrayLike<number>) => number {
  const output = model.graph.outputs[0]!.name;
  const last = producersOf(model.graph).get(output)?.op;
  const middle = last === 'Sigmoid' || last === 'HardSigmoid' ? 0.5 : 0;
  return (values) => {
    if (values.length === 1) return values[0]! > middle ? 1 : 0;
    let best = 0;
    for (let i = 1; i < values.length; i++) if (values[i]! > values[best]!) best = i;
    return best;
  };
}

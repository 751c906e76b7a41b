/** Shapes that the operations of keras.ops make, as NumPy has them. Batch included, null = open. */
import type { Size } from '../../onnx/builder.js';
import { keyOf } from '../../onnx/layers/operation.js';

type Config = Readonly<Record<string, unknown>>;
type Shape = readonly Size[];
type Rule = (inputs: readonly Shape[], config: Config) => readonly Shape[];

const list = (value: unknown): number[] =>
  Array.isArray(value) ? value.map(Number) : value == null ? [] : [Number(value)];
const same: Rule = ([shape]) => [shape!];

/** Shapes are aligned at their ends. */
const broadcast: Rule = (inputs) => {
  const rank = Math.max(...inputs.map((shape) => shape.length));
  const at = (shape: Shape, axis: number): Size => {
    const own = axis - (rank - shape.length);
    return own < 0 ? 1 : shape[own]!;
  };
  return [
    Array.from({ length: rank }, (_, axis) =>
      inputs.map((shape) => at(shape, axis)).reduce((a, b) => (a === 1 ? b : b === 1 ? a : (a ?? b))),
    ),
  ];
};

const reduced: Rule = ([shape], config) => {
  const axes = list(config.axis).map((axis) => (axis < 0 ? axis + shape!.length : axis));
  if (config.keepdims === true) return [shape!.map((size, i) => (axes.includes(i) ? 1 : size))];
  return [shape!.filter((_, i) => !axes.includes(i))];
};

const expanded: Rule = ([shape], config) => {
  const rank = shape!.length + 1;
  const [axis = -1] = list(config.axis);
  const at = axis < 0 ? axis + rank : axis;
  return [[...shape!.slice(0, at), 1, ...shape!.slice(at)]];
};

const squeezed: Rule = ([shape], config) => {
  const axes = list(config.axis).map((axis) => (axis < 0 ? axis + shape!.length : axis));
  return [shape!.filter((size, i) => (axes.length > 0 ? !axes.includes(i) : i === 0 || size !== 1))];
};

const reshaped: Rule = ([shape], config) => {
  const [, ...rest] = Array.isArray(config.newshape) ? config.newshape : [];
  const all = shape!.slice(1).reduce<Size>((a, b) => (a === null || b === null ? null : a * b), 1);
  const told = rest.filter((n) => n !== -1 && n !== null).reduce((a, b) => a * Number(b), 1);
  return [
    [shape![0]!, ...rest.map((n): Size => (n === -1 || n === null ? (all === null ? null : all / told) : Number(n)))],
  ];
};

const transposed: Rule = ([shape], config) => {
  const axes = config.axes == null ? shape!.map((_, i) => shape!.length - 1 - i) : list(config.axes);
  return [axes.map((axis) => shape![axis]!)];
};

const joined: Rule = (inputs, config) => {
  const rank = inputs[0]!.length;
  const [axis = 0] = list(config.axis);
  const at = axis < 0 ? axis + rank : axis;
  const sum = inputs.reduce<Size>((a, s) => (a === null || s[at] == null ? null : a + s[at]!), 0);
  return [inputs[0]!.map((size, i) => (i === at ? sum : size))];
};

/** Sizes of what `x[key]` takes; ends are counted from the back where they are negative. */
const taken: Rule = ([shape], config) => {
  const parts = keyOf(config.operands);
  return [
    shape!.flatMap((size, axis): Size[] => {
      const part = parts[axis];
      if (!part || size === null) return [size];
      if (part.at !== undefined) return [];
      const place = (n: number) => Math.max(0, Math.min(size, n < 0 ? n + size : n));
      const length = place(part.stop ?? size) - place(part.start ?? 0);
      return [Math.max(0, Math.ceil(length / (part.step ?? 1)))];
    }),
  ];
};

const product: Rule = ([a, b]) => [[...a!.slice(0, -1), b!.at(-1)!]];

export const OPERATION_RULES: Readonly<Record<string, Rule>> = {
  ...Object.fromEntries(
    'Add Subtract Multiply Divide TrueDivide Maximum Minimum Power'.split(' ').map((name) => [name, broadcast]),
  ),
  ...Object.fromEntries('Mean Max Min Sum'.split(' ').map((name) => [name, reduced])),
  Matmul: product,
  ExpandDims: expanded,
  Squeeze: squeezed,
  Reshape: reshaped,
  Transpose: transposed,
  Concatenate: joined,
  GetItem: taken,
};

/** The rule of an operation; those without one keep their input's shape. */
export function operationShapes(name: string, inputs: readonly Shape[], config: Config): readonly Shape[] {
  return (Object.hasOwn(OPERATION_RULES, name) ? OPERATION_RULES[name]! : same)(inputs, config);
}

import type { Size } from '../../onnx/builder.js';
import type { Weight } from '../../onnx/layer.js';

type Config = Readonly<Record<string, unknown>>;
type Sizes = readonly (Size | undefined)[];

const number = (value: unknown): number | undefined => (typeof value === 'number' ? value : undefined);
const times = (a: Size | undefined, b: number | undefined) =>
  typeof a === 'number' && b !== undefined ? a * b : undefined;

/** Gates of the recurrent layers. */
const GATES: Readonly<Record<string, number>> = { GRU: 3, LSTM: 4, SimpleRNN: 1 };

/** Shapes that the options of a layer ask of its weights; undefined where they do not tell. */
function expected(className: string, config: Config, input: readonly Size[]): readonly Sizes[] {
  const last = input.at(-1);
  const [, axes] = /^(?:Depthwise|Separable)?Conv(\d)D(?:Transpose)?$/.exec(className) ?? [];
  if (className === 'Dense') return [[last, number(config.units)], [number(config.units)]];
  if (className === 'Embedding') return [[number(config.inputDim), number(config.outputDim)]];
  const gates = GATES[className];
  if (gates !== undefined) {
    const units = number(config.units);
    return [
      [last, times(units, gates)],
      [units, times(units, gates)],
    ];
  }
  if (axes === undefined) return [];
  const channels = config.dataFormat === 'channelsFirst' ? input[1] : last;
  const size = [config.kernelSize].flat().map(number);
  const places = size.length === 1 ? new Array<number | undefined>(Number(axes)).fill(size[0]) : size;
  const filters = number(config.filters);
  const spread = times(channels, number(config.depthMultiplier) ?? 1);
  if (className.startsWith('Depthwise')) return [[...places, channels, undefined], [spread]];
  if (className.startsWith('Separable')) {
    return [[...places, channels, undefined], [...places.map(() => 1), spread, filters], [filters]];
  }
  if (className.endsWith('Transpose')) return [[...places, filters, channels], [filters]];
  const groups = number(config.groups) ?? 1;
  return [[...places, typeof channels === 'number' ? channels / groups : undefined, filters], [filters]];
}

/** What is wrong with the shapes of a layer's weights; null where they are as its options ask. */
export function wrongShape(
  className: string,
  config: Config,
  input: readonly Size[],
  weights: readonly Weight[],
): string | null {
  for (const [i, wanted] of expected(className, config, input).entries()) {
    const weight = weights[i];
    if (!weight) continue;
    const fits =
      weight.shape.length === wanted.length &&
      wanted.every((size, axis) => size === undefined || size === null || size === weight.shape[axis]);
    if (!fits) {
      const asked = wanted.map((size) => size ?? 'any').join(', ');
      return `weight '${weight.name}' is [${weight.shape.join(', ')}], its options and input ask for [${asked}]`;
    }
  }
  return null;
}

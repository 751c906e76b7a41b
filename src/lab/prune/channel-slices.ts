import type { Call } from './channel-graph.js';

interface Weight {
  readonly shape: number[];
  readonly data: Float32Array;
}

const all = (count: number) => Int32Array.from({ length: count }, (_, i) => i);

/** Which channels of a carrier's output are left, given those of its inputs; undefined when all are. */
export function slicedOutput(call: Call, kept: ReadonlyMap<number, Int32Array>): Int32Array | undefined {
  const { className, inputs, output } = call;
  if (!inputs.some((input) => kept.has(input.id))) return undefined;
  const channelsOf = (i: number) => kept.get(inputs[i]!.id) ?? all(inputs[i]!.shape.at(-1)!);
  switch (className) {
    case 'Dense':
    case 'Conv1D':
    case 'Conv2D':
    case 'SeparableConv2D':
      return undefined;
    case 'Concatenate': {
      const joined: number[] = [];
      let offset = 0;
      inputs.forEach((input, i) => {
        for (const channel of channelsOf(i)) joined.push(offset + channel);
        offset += input.shape.at(-1)!;
      });
      return Int32Array.from(joined);
    }
    case 'Flatten': {
      const channels = inputs[0]!.shape.at(-1)!;
      const places = output.shape.at(-1)! / channels;
      const left = channelsOf(0);
      return Int32Array.from({ length: places * left.length }, (_, i) => {
        const place = Math.floor(i / left.length);
        return place * channels + left[i % left.length]!;
      });
    }
    case 'DepthwiseConv2D': {
      const multiplier = output.shape.at(-1)! / inputs[0]!.shape.at(-1)!;
      return Int32Array.from([...channelsOf(0)].flatMap((c) => Array.from(all(multiplier), (m) => c * multiplier + m)));
    }
    default:
      return channelsOf(0);
  }
}

/** A layer's weights with the rows of missing input channels, and the columns of its own missing filters, taken out. */
export function sliceWeights(
  call: Call,
  weights: readonly Weight[],
  kept: ReadonlyMap<number, Int32Array>,
  keepOut: Int32Array | undefined,
): Weight[] {
  const keepIn = call.inputs.length === 1 ? kept.get(call.inputs[0]!.id) : undefined;
  switch (call.className) {
    case 'Dense':
    case 'Conv1D':
    case 'Conv2D':
      return weights.map((weight, i) => {
        if (i > 0) return slice(weight, 0, keepOut);
        return slice(slice(weight, weight.shape.length - 2, keepIn), weight.shape.length - 1, keepOut);
      });
    case 'SeparableConv2D': {
      const [depthwise, pointwise, ...bias] = weights as [Weight, Weight, ...Weight[]];
      const multiplier = depthwise.shape[3]!;
      const rows =
        keepIn && Int32Array.from([...keepIn].flatMap((c) => Array.from(all(multiplier), (m) => c * multiplier + m)));
      return [slice(depthwise, 2, keepIn), slice(pointwise, 2, rows), ...bias];
    }
    case 'DepthwiseConv2D': {
      const [kernel, ...bias] = weights as [Weight, ...Weight[]];
      return [slice(kernel, 2, keepIn), ...bias.map((weight) => slice(weight, 0, kept.get(call.output.id)))];
    }
    case 'BatchNormalization':
      return weights.map((weight) => slice(weight, 0, keepIn));
    default:
      return [...weights];
  }
}

/** `weight` with only the places `keep` of one axis; all of them when `keep` is undefined. */
function slice(weight: Weight, axis: number, keep: Int32Array | undefined): Weight {
  if (!keep) return weight;
  const { shape, data } = weight;
  const inner = shape.slice(axis + 1).reduce((a, b) => a * b, 1);
  const outer = shape.slice(0, axis).reduce((a, b) => a * b, 1);
  const size = shape[axis]!;
  const sliced = new Float32Array(outer * keep.length * inner);
  for (let o = 0; o < outer; o++) {
    keep.forEach((place, at) => {
      const from = (o * size + place) * inner;
      sliced.set(data.subarray(from, from + inner), (o * keep.length + at) * inner);
    });
  }
  return { shape: shape.map((n, i) => (i === axis ? keep.length : n)), data: sliced };
}

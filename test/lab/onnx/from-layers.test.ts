import * as tf from '@tensorflow/tfjs';
import fc from 'fast-check';
import { beforeAll, describe, expect, it } from 'vitest';
import { layersModelToOnnx, UnsupportedLayerError } from '../../../src/lab/onnx/index.js';
import { seededRandom } from '../../../src/lab/random.js';
import { beatModel, difference, predict, randomInputs, randomizeWeights, runOnnx } from './support.js';

type Layer = tf.layers.Layer;
const apply = (layer: Layer, x: tf.SymbolicTensor | tf.SymbolicTensor[]) => layer.apply(x) as tf.SymbolicTensor;

async function sameAsTensorFlow(
  model: tf.LayersModel,
  seed = 7,
  batch = 3,
): Promise<ReturnType<typeof layersModelToOnnx>> {
  randomizeWeights(model, seed);
  const onnx = layersModelToOnnx(model, { name: 'test' });
  const inputs = randomInputs(model, batch, seed + 1);
  expect(difference(await runOnnx(onnx, inputs, batch), predict(model, inputs, batch))).toBeLessThan(1e-5);
  return onnx;
}

const sequential = (inputShape: number[], layers: ((options: { inputShape?: number[] }) => Layer)[]) => {
  const model = tf.sequential();
  layers.forEach((layer, i) => {
    model.add(layer(i === 0 ? { inputShape } : {}));
  });
  return model;
};

beforeAll(async () => {
  await tf.setBackend('cpu');
});

describe('the beat model', () => {
  it('is computed by onnxruntime as by TensorFlow.js, in one transpose and no batch normalization', async () => {
    const model = beatModel(1);
    const onnx = await sameAsTensorFlow(model);
    const ops = onnx.graph.nodes.map((node) => node.op);
    expect(ops.filter((op) => op === 'Transpose')).toHaveLength(1);
    expect(ops).not.toContain('BatchNormalization');
    expect(ops).toHaveLength(1 + 3 * 2 + 1 + 2 + 2 + 1 + 2 + 1);
    expect(onnx.graph.inputs.map((input) => [input.name, input.shape])).toEqual([
      ['signal', ['N', 128, 2]],
      ['features', ['N', 61]],
    ]);
    expect(onnx.graph.outputs).toEqual([{ name: 'logits', type: 'float32', shape: ['N', 3] }]);
  });

  it('has the parameters of the folded network', () => {
    const onnx = layersModelToOnnx(beatModel(1), { name: 'beat' });
    const count = [...onnx.graph.initializers.values()].reduce((sum, tensor) => sum + tensor.data.length, 0);
    expect(count).toBe(15_011);
  });

  it('gives the same answer for a beat alone and in a batch', async () => {
    const model = beatModel(2);
    const onnx = layersModelToOnnx(model, { name: 'beat' });
    const inputs = randomInputs(model, 4, 5);
    const together = (await runOnnx(onnx, inputs, 4))[0]!;
    const alone = (await runOnnx(onnx, [inputs[0]!.slice(256, 512), inputs[1]!.slice(61, 122)], 1))[0]!;
    expect(difference([alone], [together.slice(3, 6)])).toBeLessThan(1e-6);
  });
});

describe('single layers', () => {
  for (const activation of [
    'relu',
    'relu6',
    'elu',
    'selu',
    'sigmoid',
    'hardSigmoid',
    'softplus',
    'softsign',
    'tanh',
    'softmax',
    'swish',
    'mish',
    'linear',
    'gelu',
    'gelu_new',
  ] as const) {
    it(`activation ${activation}, inside a convolution, inside a dense layer and alone`, async () => {
      const option = { activation: activation as 'relu' };
      await sameAsTensorFlow(
        sequential(
          [12, 3],
          [
            (o) => tf.layers.conv1d({ ...o, filters: 4, kernelSize: 3, ...option }),
            () => tf.layers.activation(option),
            () => tf.layers.flatten(),
            () => tf.layers.activation(option),
            () => tf.layers.dense({ units: 5, ...option }),
          ],
        ),
      );
    });
  }

  for (const padding of ['same', 'valid'] as const) {
    for (const [size, kernelSize, strides] of [
      [17, 5, 3],
      [16, 4, 2],
      [7, 3, 1],
      [9, 2, 4],
      [5, 1, 3],
    ] as const) {
      it(`conv1d and pools of ${kernelSize} by ${strides} on ${size}, ${padding}`, async () => {
        await sameAsTensorFlow(
          sequential([size, 2], [(o) => tf.layers.conv1d({ ...o, filters: 3, kernelSize, strides, padding })]),
        );
        await sameAsTensorFlow(
          sequential([size, 2], [(o) => tf.layers.maxPooling1d({ ...o, poolSize: kernelSize, strides, padding })]),
        );
        await sameAsTensorFlow(
          sequential([size, 2], [(o) => tf.layers.averagePooling1d({ ...o, poolSize: kernelSize, strides, padding })]),
        );
      });
    }
  }

  it('dilated convolution', async () => {
    await sameAsTensorFlow(
      sequential(
        [20, 2],
        [
          (o) => tf.layers.conv1d({ ...o, filters: 3, kernelSize: 3, dilationRate: 3, padding: 'same' }),
          () => tf.layers.conv1d({ filters: 3, kernelSize: 3, dilationRate: 2, useBias: false }),
        ],
      ),
    );
  });

  it('two-dimensional convolutions of every kind', async () => {
    await sameAsTensorFlow(
      sequential(
        [9, 11, 3],
        [
          (o) =>
            tf.layers.zeroPadding2d({
              ...o,
              padding: [
                [1, 0],
                [2, 1],
              ],
            }),
          () => tf.layers.conv2d({ filters: 4, kernelSize: [3, 2], strides: [2, 1], padding: 'same' }),
          () => tf.layers.batchNormalization(),
          () => tf.layers.leakyReLU({ alpha: 0.2 }),
          () => tf.layers.depthwiseConv2d({ kernelSize: 3, depthMultiplier: 2, padding: 'same', activation: 'relu' }),
          () => tf.layers.batchNormalization({ scale: false }),
          () => tf.layers.separableConv2d({ filters: 6, kernelSize: 3, padding: 'valid', depthMultiplier: 2 }),
          () => tf.layers.conv2dTranspose({ filters: 3, kernelSize: 3, strides: 2, padding: 'same' }),
          () => tf.layers.upSampling2d({ size: [2, 3] }),
          () =>
            tf.layers.cropping2D({
              cropping: [
                [1, 2],
                [0, 1],
              ],
            }),
          () => tf.layers.averagePooling2d({ poolSize: [2, 3], strides: [2, 2], padding: 'same' }),
          () => tf.layers.globalMaxPooling2d({ dataFormat: 'channelsLast' }),
        ],
      ),
    );
  });

  it('shape layers', async () => {
    await sameAsTensorFlow(
      sequential(
        [24],
        [
          (o) => tf.layers.dense({ ...o, units: 6 }),
          () => tf.layers.repeatVector({ n: 4 }),
          () => tf.layers.permute({ dims: [2, 1] }),
          () => tf.layers.conv1d({ filters: 5, kernelSize: 2 }),
          () => tf.layers.permute({ dims: [2, 1] }),
          () => tf.layers.layerNormalization(),
          () => tf.layers.dense({ units: 4 }),
          () => tf.layers.reshape({ targetShape: [2, 10] }),
          () => tf.layers.prelu(),
          () => tf.layers.thresholdedReLU({ theta: 0.1 }),
          () => tf.layers.globalAveragePooling1d(),
          () => tf.layers.batchNormalization({ center: false }),
          () => tf.layers.softmax({ axis: -1 }),
        ],
      ),
    );
  });

  it('layers that see the columns of a flattened convolution in another order', async () => {
    const input = tf.input({ shape: [10, 3] });
    const conv = apply(tf.layers.conv1d({ filters: 4, kernelSize: 3 }), input);
    const flat = apply(tf.layers.flatten(), conv);
    const normed = apply(tf.layers.batchNormalization(), apply(tf.layers.reLU({ maxValue: 1 }), flat));
    const joined = apply(tf.layers.concatenate(), [normed, flat, apply(tf.layers.globalMaxPooling1d({}), conv)]);
    const model = tf.model({
      inputs: input,
      outputs: [
        apply(tf.layers.dense({ units: 2 }), joined),
        joined,
        apply(tf.layers.softmax({ axis: -1 }), flat),
        apply(tf.layers.add(), [flat, normed]),
        apply(tf.layers.reshape({ targetShape: [4, 8] }), flat),
      ],
    });
    await sameAsTensorFlow(model);
  });

  it('merges, also of unequal rank, and a residual stack that never leaves channels-first', async () => {
    const input = tf.input({ shape: [12, 4] });
    const a = apply(tf.layers.conv1d({ filters: 4, kernelSize: 3, padding: 'same' }), input);
    const b = apply(tf.layers.add(), [
      a,
      apply(tf.layers.batchNormalization(), apply(tf.layers.activation({ activation: 'tanh' }), a)),
    ]);
    const c = apply(tf.layers.conv1d({ filters: 4, kernelSize: 3, padding: 'same' }), b);
    const d = apply(tf.layers.maximum(), [c, b]);
    const onnx = await sameAsTensorFlow(
      tf.model({ inputs: input, outputs: apply(tf.layers.concatenate({ axis: 2 }), [d, a]) }),
    );
    expect(onnx.graph.nodes.filter((node) => node.op === 'Transpose')).toHaveLength(2);

    const gate = apply(
      tf.layers.dense({ units: 4, activation: 'sigmoid' }),
      apply(tf.layers.globalAveragePooling1d({}), a),
    );
    const more = [
      apply(tf.layers.multiply(), [a, gate]),
      apply(tf.layers.average(), [a, b, input]),
      apply(tf.layers.minimum(), [a, b]),
      apply(tf.layers.concatenate({ axis: 1 }), [a, input]),
    ];
    await sameAsTensorFlow(tf.model({ inputs: input, outputs: more }));
  });

  it('a shared layer, a nested model, an input that is an output, and one value given twice', async () => {
    const encoder = sequential(
      [6, 2],
      [
        (o) => tf.layers.conv1d({ ...o, filters: 3, kernelSize: 2 }),
        () => tf.layers.batchNormalization(),
        () => tf.layers.flatten(),
      ],
    );
    const left = tf.input({ shape: [6, 2] });
    const right = tf.input({ shape: [6, 2] });
    const l = encoder.apply(left) as tf.SymbolicTensor;
    const r = encoder.apply(right) as tf.SymbolicTensor;
    const shared = tf.layers.dense({ units: 2 });
    const first = apply(shared, l);
    const same = apply(tf.layers.activation({ activation: 'linear' }), first);
    const model = tf.model({ inputs: [left, right], outputs: [first, apply(shared, r), right, same] });
    await sameAsTensorFlow(model);
  });

  it('channelsFirst layers', async () => {
    await sameAsTensorFlow(
      sequential(
        [8, 8, 2],
        [
          (o) => tf.layers.permute({ ...o, dims: [3, 1, 2] }),
          () => tf.layers.maxPooling2d({ poolSize: 2, strides: 2, dataFormat: 'channelsFirst' }),
          () => tf.layers.flatten({ dataFormat: 'channelsFirst' }),
          () => tf.layers.dense({ units: 2 }),
        ],
      ),
    );
  });

  for (const kind of ['gru', 'lstm', 'simpleRNN'] as const) {
    it(`${kind}: its last state, its sequence, its states, backwards, on a convolution`, async () => {
      const rnn = (options: object) => (tf.layers[kind] as (args: unknown) => Layer)(options);
      const input = tf.input({ shape: [9, 3] });
      const conv = apply(tf.layers.conv1d({ filters: 4, kernelSize: 2, activation: 'relu' }), input);
      const sequence = apply(
        rnn({ units: 5, returnSequences: true, recurrentActivation: 'sigmoid', dropout: 0.3 }),
        conv,
      );
      const states = rnn({ units: 3, returnState: true }).apply(sequence) as tf.SymbolicTensor[];
      const outputs = [
        apply(rnn({ units: 2 }), sequence),
        sequence,
        ...states,
        apply(rnn({ units: 3, goBackwards: true, useBias: false, activation: 'relu' }), input),
        apply(tf.layers.conv1d({ filters: 2, kernelSize: 3 }), sequence),
      ];
      await sameAsTensorFlow(tf.model({ inputs: input, outputs }));
      const turned = tf.sequential();
      turned.add(rnn({ inputShape: [4, 2], units: 2, goBackwards: true, returnSequences: true }));
      await sameAsTensorFlow(turned);
    });
  }

  it('two batch normalizations in a row, after a convolution without bias', async () => {
    const onnx = await sameAsTensorFlow(
      sequential(
        [8, 2],
        [
          (o) => tf.layers.conv1d({ ...o, filters: 3, kernelSize: 3, useBias: false }),
          () => tf.layers.batchNormalization(),
          () => tf.layers.batchNormalization(),
        ],
      ),
    );
    expect(onnx.graph.nodes.map((node) => node.op)).toEqual(['Transpose', 'Conv', 'Transpose']);
  });

  it('batch normalization over an axis that is not the last, as Keras defines it', async () => {
    // Not compared with predict: the plain CPU backend of TensorFlow.js walks such statistics along the last axis.
    for (const [inputShape, axis] of [
      [[2, 3], 1],
      [[3, 2, 2], 2],
    ] as const) {
      const model = sequential([...inputShape], [(o) => tf.layers.batchNormalization({ ...o, axis, epsilon: 0.5 })]);
      const channels = [
        [1.5, -2],
        [0.25, 1],
        [3, -1],
        [0.5, 2],
      ];
      model.setWeights(channels.map((values) => tf.tensor1d(values)));
      const inputs = randomInputs(model, 1, 3);
      const inner = inputShape.slice(axis).reduce((a, b) => a * b, 1);
      const expected = inputs[0]!.map((x, i) => {
        const c = Math.floor(i / inner) % 2;
        const [gamma, beta, mean, variance] = channels.map((values) => values[c]!) as [number, number, number, number];
        return (gamma * (x - mean)) / Math.sqrt(variance + 0.5) + beta;
      });
      const onnx = layersModelToOnnx(model, { name: 'norm' });
      expect(difference(await runOnnx(onnx, inputs, 1), [expected])).toBeLessThan(1e-6);
    }
  });
});

describe('random stacks', () => {
  const steps: ((x: tf.SymbolicTensor, random: () => number) => tf.SymbolicTensor | null)[] = [
    (x, r) =>
      x.rank === 3
        ? apply(
            tf.layers.conv1d({
              filters: 1 + Math.floor(r() * 6),
              kernelSize: 1 + Math.floor(r() * 5),
              strides: 1 + Math.floor(r() * 3),
              padding: 'same',
              useBias: r() < 0.7,
              activation: r() < 0.5 ? 'relu' : 'linear',
            }),
            x,
          )
        : null,
    (x, r) =>
      x.rank === 4
        ? apply(
            tf.layers.conv2d({
              filters: 1 + Math.floor(r() * 4),
              kernelSize: [1 + Math.floor(r() * 3), 1 + Math.floor(r() * 3)],
              strides: [1 + Math.floor(r() * 2), 1],
              padding: 'same',
            }),
            x,
          )
        : null,
    (x, r) =>
      x.rank === 4
        ? apply(
            tf.layers.depthwiseConv2d({
              kernelSize: 1 + Math.floor(r() * 3),
              depthMultiplier: 1 + Math.floor(r() * 2),
              padding: 'same',
            }),
            x,
          )
        : null,
    (x, r) => apply(tf.layers.batchNormalization({ scale: r() < 0.8, center: r() < 0.8 }), x),
    (x, r) =>
      apply(
        tf.layers.activation({
          activation: (['relu', 'tanh', 'elu', 'sigmoid', 'relu6'] as const)[Math.floor(r() * 5)]!,
        }),
        x,
      ),
    (x) => apply(tf.layers.dropout({ rate: 0.2 }), x),
    (x, r) =>
      x.rank === 3
        ? apply(
            tf.layers.maxPooling1d({
              poolSize: 1 + Math.floor(r() * 3),
              strides: 1 + Math.floor(r() * 3),
              padding: 'same',
            }),
            x,
          )
        : null,
    (x, r) =>
      x.rank === 3
        ? apply(
            tf.layers.averagePooling1d({
              poolSize: 1 + Math.floor(r() * 3),
              strides: 1 + Math.floor(r() * 3),
              padding: 'same',
            }),
            x,
          )
        : null,
    (x, r) =>
      x.rank === 4
        ? apply(tf.layers.averagePooling2d({ poolSize: 1 + Math.floor(r() * 3), strides: [1, 2], padding: 'same' }), x)
        : null,
    (x) =>
      x.rank === 3
        ? apply(tf.layers.add(), [
            x,
            apply(tf.layers.conv1d({ filters: x.shape[2]!, kernelSize: 3, padding: 'same' }), x),
          ])
        : null,
    (x, r) => apply(tf.layers.concatenate({ axis: r() < 0.5 ? -1 : 1 }), [x, apply(tf.layers.reLU(), x)]),
    (x, r) => (x.rank > 2 && r() < 0.5 ? apply(tf.layers.flatten(), x) : null),
    (x, r) =>
      x.rank > 2 && r() < 0.5
        ? apply(
            x.rank === 3
              ? tf.layers.globalAveragePooling1d({})
              : tf.layers.globalMaxPooling2d({ dataFormat: 'channelsLast' }),
            x,
          )
        : null,
    (x, r) =>
      x.shape.at(-1)! <= 512
        ? apply(tf.layers.dense({ units: 1 + Math.floor(r() * 8), activation: r() < 0.5 ? 'relu' : 'linear' }), x)
        : null,
    (x) => apply(tf.layers.leakyReLU(), x),
    (x) => (x.rank === 3 ? apply(tf.layers.permute({ dims: [2, 1] }), x) : null),
  ];

  it('are computed by onnxruntime as by TensorFlow.js within 1e-5', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.constantFrom<number[]>([24, 3], [16, 1], [6, 7, 2], [20]),
        fc.array(fc.nat(steps.length - 1), { minLength: 1, maxLength: 9 }),
        fc.nat(),
        async (inputShape, choices, seed) => {
          const random = seededRandom(seed);
          const input = tf.input({ shape: inputShape });
          let x = input;
          for (const choice of choices) x = steps[choice]!(x, random) ?? x;
          if (x === input) return;
          const model = tf.model({ inputs: input, outputs: x });
          await sameAsTensorFlow(model, seed, 2);
          model.dispose();
        },
      ),
      { numRuns: 400 },
    );
  }, 60_000);
});

describe('what cannot be written', () => {
  it('names the layer and says which are supported', () => {
    const model = sequential(
      [2, 4, 4, 1],
      [(o) => tf.layers.convLstm2d({ ...o, filters: 1, kernelSize: 1, name: 'film' })],
    );
    expect(() => layersModelToOnnx(model, { name: 'x' })).toThrow(UnsupportedLayerError);
    expect(() => layersModelToOnnx(model, { name: 'x' })).toThrow(
      /'film': ConvLSTM2D layers are not supported; these are: .*Conv1D/,
    );
  });

  it('names the layer whose weights are not finite', () => {
    const model = sequential([4], [(o) => tf.layers.dense({ ...o, units: 2, name: 'broken' })]);
    model.layers[0]!.setWeights([tf.fill([4, 2], Number.NaN), tf.zeros([2])]);
    expect(() => layersModelToOnnx(model, { name: 'x' })).toThrow(
      /'broken' \(Dense\): weight 'broken\/kernel' holds NaN at place 0/,
    );
  });
});

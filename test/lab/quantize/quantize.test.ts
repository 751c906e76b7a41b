import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import * as tf from '@tensorflow/tfjs';
import fc from 'fast-check';
import * as ort from 'onnxruntime-node';
import { beforeAll, describe, expect, it } from 'vitest';
import { encodeModel, layersModelToOnnx, readModelFile } from '../../../src/lab/onnx/index.js';
import { cloneModel, floatTensor, type OnnxModel } from '../../../src/lab/onnx/ir.js';
import { fromHalf, toHalf } from '../../../src/lab/quantize/float16.js';
import {
  answers,
  calibrate,
  quantizableNodes,
  quantizeDynamic,
  quantizeFloat16,
  quantizeStatic,
  quantizeWithinLoss,
  rankSensitiveNodes,
} from '../../../src/lab/quantize/index.js';
import { Runner } from '../../../src/lab/quantize/runtime.js';
import { beatModel, randomInputs, randomizeWeights, SESSION } from '../onnx/support.js';

let source: tf.LayersModel;
let float: OnnxModel;
const items = (from: number, count: number, model = source) =>
  Array.from({ length: count }, (_, i) => randomInputs(model, 1, from + i));

beforeAll(async () => {
  await tf.setBackend('cpu');
  source = beatModel(1);
  float = layersModelToOnnx(source, { name: 'beat' });
});

/** The operators onnxruntime really runs, after its own fusions. */
async function optimizedOps(model: OnnxModel): Promise<string[]> {
  const folder = await mkdtemp(join(tmpdir(), 'slothd-test-'));
  try {
    const path = join(folder, 'optimized.onnx');
    const session = await ort.InferenceSession.create(encodeModel(model), { ...SESSION, optimizedModelFilePath: path });
    await session.release();
    return (await readModelFile(path)).graph.nodes.map((node) => node.op);
  } finally {
    await rm(folder, { recursive: true });
  }
}

const largest = (values: Float32Array) => values.indexOf(Math.max(...values));

async function compare(model: OnnxModel, reference: OnnxModel, test: Float32Array[][]) {
  const expected = await answers(reference, test);
  const got = await answers(model, test);
  let worst = 0;
  let agree = 0;
  let span = 0;
  expected.forEach((values, i) => {
    if (largest(values) === largest(got[i]!)) agree++;
    values.forEach((value, j) => {
      worst = Math.max(worst, Math.abs(value - got[i]![j]!));
      span = Math.max(span, Math.abs(value));
    });
  });
  return { agreement: agree / expected.length, error: worst / span };
}

describe('float16', () => {
  it('rounds every number to the nearest half-precision one', () => {
    for (let bits = 0; bits < 65536; bits++) {
      const value = fromHalf(bits);
      if (!Number.isFinite(value)) continue;
      expect(toHalf(value)).toBe(Object.is(value, 0) ? 0 : bits);
    }
    fc.assert(
      fc.property(fc.float({ min: -65504, max: 65504, noNaN: true }), (value) => {
        const bits = toHalf(value);
        const error = Math.abs(fromHalf(bits) - value);
        for (const next of [bits - 1, bits + 1]) {
          const other = fromHalf(next & 0xffff);
          if ((next & 0x8000) === (bits & 0x8000) && Number.isFinite(other)) {
            expect(error).toBeLessThanOrEqual(Math.abs(other - value));
          }
        }
      }),
    );
    expect(toHalf(1e9)).toBe(toHalf(65504));
    expect(toHalf(2049)).toBe(toHalf(2048));
    expect(toHalf(2051)).toBe(toHalf(2052));
  });

  it('halves the weights, and the casts are gone when the runtime has loaded it', async () => {
    const half = quantizeFloat16(float);
    expect(encodeModel(half).length).toBeLessThan(encodeModel(float).length * 0.56);
    expect(await optimizedOps(half)).toEqual(await optimizedOps(float));
    const { agreement, error } = await compare(half, float, items(5000, 100));
    expect(agreement).toBe(1);
    expect(error).toBeLessThan(1e-3);
  });
});

describe('what half precision has no numbers for', () => {
  it('stays float: values beyond its range, too small ones, and single constants', async () => {
    const half = cloneModel(float);
    const [name, tensor] = [...half.graph.initializers].find(([, { dims }]) => dims.length === 2)!;
    for (const factor of [1e6, 1e-6]) {
      half.graph.initializers.set(
        name,
        floatTensor(
          tensor.dims,
          Float32Array.from(tensor.data as Float32Array, (value) => value * factor),
        ),
      );
      half.graph.initializers.set('tiny', floatTensor([], Float32Array.of(1e-12)));
      const { initializers } = quantizeFloat16(half).graph;
      expect(initializers.get(name)?.type).toBe('float32');
      expect(initializers.get('tiny')?.data[0]).toBe(Math.fround(1e-12));
    }
  });
});

describe('dynamic-range int8', () => {
  it('runs as the float graph, with a quarter of the weight bytes', async () => {
    const dynamic = quantizeDynamic(float);
    expect(encodeModel(dynamic).length).toBeLessThan(encodeModel(float).length * 0.36);
    expect(await optimizedOps(dynamic)).toEqual(await optimizedOps(float));
    const { agreement, error } = await compare(dynamic, float, items(5000, 100));
    expect(agreement).toBeGreaterThanOrEqual(0.99);
    expect(error).toBeLessThan(0.02);
  });

  it('stores a recurrent layer in 8 bits too, and keeps its answer', async () => {
    for (const layer of [tf.layers.lstm, tf.layers.gru]) {
      const layers = [layer({ units: 24, inputShape: [12, 6] }), tf.layers.dense({ units: 3 })];
      const model = tf.sequential({ layers });
      randomizeWeights(model, 5);
      const recurrent = layersModelToOnnx(model, { name: 'recurrent' });
      const weights = quantizeDynamic(recurrent);
      expect(encodeModel(weights).length).toBeLessThan(0.5 * encodeModel(recurrent).length);
      const { agreement, error } = await compare(weights, recurrent, items(1, 60, model));
      expect(agreement).toBeGreaterThan(0.95);
      expect(error).toBeLessThan(0.03);
    }
  });

  it('with dynamic activations runs its matrices in integers', async () => {
    const dynamic = quantizeDynamic(float, { activations: 'dynamic' });
    const ops = await optimizedOps(dynamic);
    expect(ops.filter((op) => op === 'DynamicQuantizeMatMul')).toHaveLength(4);
    const { error } = await compare(dynamic, float, items(5000, 100));
    expect(error).toBeLessThan(0.05);
  });
});

describe('static int8', () => {
  it('is fused into integer kernels from the first convolution to the last dense layer, and agrees with float', async () => {
    const ranges = (await calibrate(float, items(0, 256))).ranges();
    for (const options of [{}, { reduceRange: false }, { perChannel: false }, { scaleBits: 8 }]) {
      const int8 = quantizeStatic(float, ranges, options);
      const ops = await optimizedOps(int8);
      expect(ops.filter((op) => op === 'QLinearConv')).toHaveLength(3);
      expect(ops.filter((op) => op === 'QGemm')).toHaveLength(4);
      expect(ops.filter((op) => op === 'QLinearConcat')).toHaveLength(1);
      expect(ops.filter((op) => op === 'QuantizeLinear')).toHaveLength(2);
      for (const op of ['Relu', 'DequantizeLinear', 'Conv', 'FusedConv', 'Gemm', 'FusedGemm', 'Concat'])
        expect(ops).not.toContain(op);
      const { agreement, error } = await compare(int8, float, items(5000, 200));
      expect(agreement).toBeGreaterThanOrEqual(0.97);
      expect(error).toBeLessThan(0.06);
    }
  });

  it('keeps as many bits of its scales as it is told, which makes a smaller file when compressed', async () => {
    const ranges = (await calibrate(float, items(0, 256))).ranges();
    const short = quantizeStatic(float, ranges, { scaleBits: 8 });
    const bits = new Uint32Array(1);
    for (const { type, data, dims } of short.graph.initializers.values()) {
      if (type !== 'float32') continue;
      for (const scale of data as Float32Array) {
        new Float32Array(bits.buffer)[0] = scale;
        // A bias has the product of a weight's scale (8 bits) and an activation's (4).
        expect(bits[0]! % 2 ** (dims.length === 0 ? 20 : 12)).toBe(0);
      }
    }
    const gzipped = (model: OnnxModel) => gzipSync(encodeModel(model)).length;
    expect(gzipped(short)).toBeLessThan(gzipped(quantizeStatic(float, ranges)) - 300);
  });

  it('answers the same fused and unfused: its 7-bit weights overflow no kernel', async () => {
    const data = items(5000, 200);
    const ranges = (await calibrate(float, data)).ranges();
    const apart = async () => {
      const model = quantizeStatic(float, ranges);
      const fused = await Runner.load(model);
      const unfused = await Runner.load(model, { graphOptimizationLevel: 'disabled' });
      const [a] = await fused.run(data);
      const [b] = await unfused.run(data);
      await fused.release();
      await unfused.release();
      return Math.max(...a!.map((value, i) => Math.abs(value - b![i]!))) / Math.max(...b!.map(Math.abs));
    };
    expect(await apart()).toBeLessThan(0.01);
  });

  it('gives logits in float: more than 256 different answers', async () => {
    const int8 = quantizeStatic(float, (await calibrate(float, items(0, 64))).ranges());
    const all = await answers(int8, items(100, 400));
    expect(new Set(all.flatMap((values) => [...values])).size).toBeGreaterThan(800);
  });

  it('keeps pruned weights exactly zero', async () => {
    const pruned = beatModel(3);
    const conv = pruned.layers.find((layer) => layer.getClassName() === 'Conv1D')!;
    const [kernel, bias] = conv.getWeights() as [tf.Tensor, tf.Tensor];
    conv.setWeights([kernel.where(kernel.abs().greater(0.2), 0), bias]);
    const model = layersModelToOnnx(pruned, { name: 'pruned' });
    const zerosIn = (m: OnnxModel, name: string) =>
      [...m.graph.initializers.get(name)!.data].filter((value) => Number(value) === 0).length;
    const name = model.graph.nodes.find((node) => node.op === 'Conv')!.inputs[1]!;
    const before = zerosIn(model, name);
    expect(before).toBeGreaterThan(100);
    const int8 = quantizeStatic(model, (await calibrate(model, items(0, 32))).ranges());
    expect(zerosIn(int8, `${name}:q8`)).toBeGreaterThanOrEqual(before);
  });

  it('survives channels of zeros, tensors that are always zero, and a huge bias on tiny weights', async () => {
    const model = beatModel(4);
    const onnx = layersModelToOnnx(model, { name: 'odd' });
    const [first, second] = onnx.graph.nodes.filter((node) => node.op === 'Conv');
    const kernel = onnx.graph.initializers.get(first!.inputs[1]!)!;
    const bias = onnx.graph.initializers.get(first!.inputs[2]!)!;
    const weights = (kernel.data as Float32Array).map((v, i) => (i < 16 ? 0 : i < 32 ? v * 1e-9 : v));
    onnx.graph.initializers.set(first!.inputs[1]!, floatTensor(kernel.dims, weights));
    const offsets = (bias.data as Float32Array).map((v, c) => (c === 0 ? -1 : c === 1 ? 3 : v));
    onnx.graph.initializers.set(first!.inputs[2]!, floatTensor(bias.dims, offsets));
    const dead = onnx.graph.initializers.get(second!.inputs[2]!)!;
    onnx.graph.initializers.set(second!.inputs[2]!, floatTensor(dead.dims, new Float32Array(24).fill(-1e4)));
    const data = items(0, 64);
    const int8 = quantizeStatic(onnx, (await calibrate(onnx, data)).ranges());
    const { error } = await compare(int8, onnx, data);
    expect(error).toBeLessThan(0.1);
  });

  it('leaves excluded nodes in float, and says which names there are', async () => {
    const ranges = (await calibrate(float, items(0, 64))).ranges();
    const names = quantizableNodes(float);
    expect(names).toHaveLength(7);
    const part = quantizeStatic(float, ranges, { nodesToExclude: names.slice(0, 3) });
    const ops = await optimizedOps(part);
    expect(ops).not.toContain('QLinearConv');
    expect(ops.filter((op) => op === 'QGemm')).toHaveLength(4);
    const none = quantizeStatic(float, ranges, { nodesToExclude: names });
    expect(await optimizedOps(none)).toEqual(await optimizedOps(float));
    expect(() => quantizeStatic(float, ranges, { nodesToExclude: ['nope'] })).toThrow(
      /no node 'nope' to exclude; nodes with weights: conv1d/,
    );
    expect(() => quantizeStatic(float, new Map())).toThrow(/no range for tensor/);
  });

  it('leaves a recurrent layer in float between integer ones', async () => {
    const { layers } = tf;
    const model = tf.sequential();
    model.add(layers.conv1d({ inputShape: [20, 2], filters: 6, kernelSize: 3, activation: 'relu' }));
    model.add(layers.lstm({ units: 5 }));
    model.add(layers.dense({ units: 8, activation: 'relu' }));
    model.add(layers.dense({ units: 3 }));
    randomizeWeights(model, 8);
    const onnx = layersModelToOnnx(model, { name: 'recurrent' });
    const data = items(0, 60, model);
    const int8 = quantizeStatic(onnx, (await calibrate(onnx, data)).ranges());
    const ops = await optimizedOps(int8);
    for (const op of ['QLinearConv', 'LSTM', 'QGemm']) expect(ops).toContain(op);
    expect((await compare(int8, onnx, data)).error).toBeLessThan(0.1);
  });

  it('of random networks loads, fuses its convolutions and stays near the float answer', async () => {
    const { layers } = tf;
    type Step = (x: tf.SymbolicTensor, n: number) => tf.SymbolicTensor;
    const steps: Step[] = [
      (x, n) =>
        layers
          .conv1d({ filters: 4 + n, kernelSize: 3, padding: 'same', activation: 'relu' })
          .apply(x) as tf.SymbolicTensor,
      (x, n) =>
        layers.conv1d({ filters: 3 + n, kernelSize: 2, strides: 2, padding: 'same' }).apply(x) as tf.SymbolicTensor,
      (x) => layers.reLU({ maxValue: 6 }).apply(x) as tf.SymbolicTensor,
      (x) => layers.maxPooling1d({ poolSize: 2, strides: 1, padding: 'same' }).apply(x) as tf.SymbolicTensor,
      (x) => layers.averagePooling1d({ poolSize: 2, strides: 1 }).apply(x) as tf.SymbolicTensor,
      (x) => layers.leakyReLU({ alpha: 0.1 }).apply(x) as tf.SymbolicTensor,
      (x) => layers.activation({ activation: 'sigmoid' }).apply(x) as tf.SymbolicTensor,
      (x) =>
        layers
          .add()
          .apply([
            x,
            layers.conv1d({ filters: x.shape[2]!, kernelSize: 3, padding: 'same' }).apply(x) as tf.SymbolicTensor,
          ]) as tf.SymbolicTensor,
      (x) => layers.concatenate().apply([x, layers.reLU().apply(x) as tf.SymbolicTensor]) as tf.SymbolicTensor,
      (x) => layers.batchNormalization().apply(x) as tf.SymbolicTensor,
      (x) => layers.permute({ dims: [2, 1] }).apply(x) as tf.SymbolicTensor,
      (x, n) => layers.dense({ units: 3 + n, activation: n % 2 ? 'relu' : 'linear' }).apply(x) as tf.SymbolicTensor,
    ];
    const tails: ((x: tf.SymbolicTensor) => tf.SymbolicTensor)[] = [
      (x) => layers.dense({ units: 3 }).apply(layers.flatten().apply(x) as tf.SymbolicTensor) as tf.SymbolicTensor,
      (x) =>
        layers
          .dense({ units: 2, activation: 'softmax' })
          .apply(layers.globalAveragePooling1d({}).apply(x) as tf.SymbolicTensor) as tf.SymbolicTensor,
      (x) => layers.globalMaxPooling1d({}).apply(x) as tf.SymbolicTensor,
      (x) => x,
      (x) => layers.reLU().apply(x) as tf.SymbolicTensor,
      (x) =>
        layers
          .activation({ activation: 'sigmoid' })
          .apply(
            layers.dense({ units: 1 }).apply(layers.flatten().apply(x) as tf.SymbolicTensor) as tf.SymbolicTensor,
          ) as tf.SymbolicTensor,
    ];
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.tuple(fc.nat(steps.length - 1), fc.nat(4)), { maxLength: 6 }),
        fc.nat(tails.length - 1),
        fc.nat(1e6),
        async (choices, tail, seed) => {
          const input = tf.input({ shape: [16, 3] });
          let x = steps[0]!(input, 2);
          for (const [choice, n] of choices) x = steps[choice]!(x, n);
          const model = tf.model({ inputs: input, outputs: tails[tail]!(x) });
          randomizeWeights(model, seed);
          const onnx = layersModelToOnnx(model, { name: 'random' });
          const data = items(seed, 40, model);
          const int8 = quantizeStatic(onnx, (await calibrate(onnx, data)).ranges());
          const { error } = await compare(int8, onnx, data);
          expect(error).toBeLessThan(0.2);
          expect(await optimizedOps(int8)).not.toContain('FusedConv');
          model.dispose();
        },
      ),
      { numRuns: 80 },
    );
  }, 60_000);
});

describe('a representative dataset', () => {
  it('is streamed, named by a hash, and refused when it is wrong', async () => {
    const data = items(0, 70);
    async function* stream() {
      yield* data;
    }
    const one = await calibrate(float, stream());
    expect(one.items).toBe(70);
    expect((await calibrate(float, data)).sha256).toBe(one.sha256);
    expect((await calibrate(float, data.slice(1))).sha256).not.toBe(one.sha256);
    const values = data.flatMap((item) => [...item[1]!]);
    expect(one.ranges().get('features')).toEqual({ min: Math.min(...values), max: Math.max(...values) });

    await expect(calibrate(float, [])).rejects.toThrow(/dataset is empty/);
    await expect(calibrate(float, [[new Float32Array(5), new Float32Array(61)]])).rejects.toThrow(
      /item 0 of the representative dataset has 5 and 61 values; the model's inputs take 256 and 61/,
    );
    await expect(calibrate(float, [[new Float32Array(256)]])).rejects.toThrow(/has 256 values/);
    const bad = [data[0]!, [data[0]![0]!, new Float32Array(61).fill(Number.NaN)]];
    await expect(calibrate(float, bad)).rejects.toThrow(/'features' holds NaN/);
  });
});

describe('accuracy-aware quantization', () => {
  it('finds the layer that 8 bits hurt and gives up that one alone', async () => {
    // One scale per tensor and one huge weight: the other weights of that layer become zero.
    const model = beatModel(5);
    const victim = model.layers.findLast((layer) => layer.getClassName() === 'Dense' && layer.name !== 'logits')!;
    const [kernel, bias] = victim.getWeights() as [tf.Tensor, tf.Tensor];
    const data = kernel.dataSync();
    // The weight of a column of zeros alone, so that the float answer does not see it.
    data.forEach((_, i) => {
      if (i % 32 === 31) data[i] = 0;
    });
    data[31] = 4000;
    const offsets = bias.dataSync();
    offsets[31] = -1e7;
    victim.setWeights([tf.tensor(data, kernel.shape), tf.tensor(offsets, bias.shape)]);
    const onnx = layersModelToOnnx(model, { name: 'hurt' });
    const ranges = (await calibrate(onnx, items(0, 100))).ranges();
    const test = items(7000, 100);
    const truth = (await answers(onnx, test)).map(largest);
    const evaluate = async (candidate: OnnxModel) =>
      (await answers(candidate, test)).filter((values, i) => largest(values) === truth[i]).length / test.length;

    const options = { perChannel: false };
    const ranked = await rankSensitiveNodes(onnx, ranges, evaluate, options);
    expect(ranked[0]!.node).toContain(victim.name);
    expect(ranked[0]!.loss).toBeGreaterThan(0.1);
    const chosen = await quantizeWithinLoss(onnx, ranges, evaluate, 0.05, options);
    expect(chosen.excluded).toEqual([ranked[0]!.node]);
    expect(chosen.floatMetric - chosen.metric).toBeLessThanOrEqual(0.05);
  });
});

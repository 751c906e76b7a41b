import { cpSync, mkdirSync, mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as tf from '@tensorflow/tfjs';
import fc from 'fast-check';
import * as ort from 'onnxruntime-node';
import { describe, expect, it } from 'vitest';
import { loadBundle } from '../../../src/inference/bundle/load.js';
import { NATIVE_RUNTIME } from '../../../src/inference/host/messages.js';
import { openModel } from '../../../src/inference/host/session.js';
import { convertModel, inputsOf, loadDataset, openSource } from '../../../src/lab/convert/index.js';
import { encodeModel, layersModelToOnnx } from '../../../src/lab/onnx/index.js';
import { seededRandom } from '../../../src/lab/random.js';
import { saveModel } from '../../../src/lab/train/model-files.js';
import { normalOf, predict, randomInputs, randomizeWeights } from '../onnx/support.js';
import { unpackModels } from './fixtures.js';

const { folder } = unpackModels();
const work = mkdtempSync(join(tmpdir(), 'slothd-convert-test-'));
let count = 0;
const fresh = () => join(work, String(count++));

/** A .npy file of float32. */
function npy(shape: readonly number[], data: Float32Array): Buffer {
  const header = `{'descr': '<f4', 'fortran_order': False, 'shape': (${shape.join(', ')},), }`.padEnd(117);
  const start = Buffer.alloc(10);
  start.write('\x93NUMPY\x01\x00', 'latin1');
  start.writeUInt16LE(118, 8);
  return Buffer.concat([start, Buffer.from(`${header}\n`), Buffer.from(data.buffer)]);
}

function noise(size: number, seed: number): Float32Array {
  const random = seededRandom(seed);
  return Float32Array.from({ length: size }, () => normalOf(random));
}

describe('a model that somebody brings', () => {
  const plain = join(folder, 'plain_cnn.v2.h5');

  it.each([
    ['none', 'float32', ['fp32']],
    ['float16', 'float16', ['fp32', 'fp16']],
    ['dynamic', 'int8', ['fp32', 'int8-dynamic']],
    ['static', 'int8', ['fp32', 'int8']],
  ] as const)('becomes a bundle that the daemon takes: %s, %s', async (strategy, dataType, ids) => {
    const source = await openSource(plain);
    const data = `${fresh()}.npy`;
    writeFileSync(data, npy([160, 48, 2], noise(160 * 96, 3)));
    const dataset = await loadDataset(data, inputsOf(source.onnx));
    const outDir = fresh();
    const labels = ['normal', 'early', 'wide'];
    const options = { outDir, name: 'plain', version: '1.0.0', labels, dataset };
    const { quantized } = await convertModel(source, { ...options, strategy, dataType });
    const { manifest } = await loadBundle(outDir);
    expect(manifest.variants.map(({ id }) => id)).toEqual(ids);
    expect(manifest.output.labels).toEqual(labels);
    if (strategy !== 'none') expect(quantized!.classes).toBeGreaterThanOrEqual(0.97);
    // As the daemon's host does: hashes, graph, golden vectors.
    const { runnable } = await openModel(ort, NATIVE_RUNTIME, { slot: 'm', dir: outDir, variant: ids.at(-1)! }, 0);
    expect(runnable.loaded.variant).toBe(ids.at(-1));
  });

  it('is told apart by what cannot be converted, all at once and where it stands', async () => {
    const inner = tf.sequential({ name: 'inner' });
    inner.add(tf.layers.convLstm2d({ inputShape: [2, 4, 4, 1], filters: 1, kernelSize: 1, name: 'film' }));
    const input = tf.input({ shape: [2, 4, 4, 1] });
    let x = inner.apply(input) as tf.SymbolicTensor;
    x = tf.layers.flatten().apply(x) as tf.SymbolicTensor;
    x = tf.layers.reshape({ targetShape: [4, 4] }).apply(x) as tf.SymbolicTensor;
    x = tf.layers.masking({ name: 'veil' }).apply(x) as tf.SymbolicTensor;
    const dir = fresh();
    await saveModel(tf.model({ inputs: input, outputs: x }), dir);
    const error = (await openSource(dir).catch((e: Error) => e)) as Error;
    expect(error.message).toMatch(/'film': ConvLSTM2D layers are not supported \(in 'inner'\)/);
    expect(error.message).toMatch(/'veil' \(Masking\): masks are not supported/);
    expect(error.message).toMatch(/Layers that can be converted: .*Conv1D/);
  });

  it('that answers with a sequence is judged by nearness, not by the place of its largest value', async () => {
    const layers = [
      tf.layers.conv1d({ inputShape: [24, 1], filters: 4, kernelSize: 3, padding: 'same' }),
      tf.layers.conv1d({ filters: 2, kernelSize: 3, padding: 'same', activation: 'tanh' }),
    ];
    const model = tf.sequential({ layers });
    randomizeWeights(model, 3);
    const dir = fresh();
    await saveModel(model, dir);
    const dataset = { items: Array.from({ length: 60 }, (_, i) => [noise(24, i)]), description: 'noise', warnings: [] };
    const options = {
      outDir: fresh(),
      name: 'x',
      version: '1',
      dataset,
      strategy: 'static',
      dataType: 'int8',
    } as const;
    const { quantized } = await convertModel(await openSource(dir), options);
    expect(quantized).toMatchObject({ classes: 1, measure: 'within 5 % of the range' });
  });

  it('is refused with NaN in its weights, naming the layer', async () => {
    const model = tf.sequential({ layers: [tf.layers.dense({ inputShape: [3], units: 2, name: 'sick' })] });
    model.layers[0]!.setWeights([tf.tensor2d([1, 2, Number.NaN, 4, 5, 6], [3, 2]), tf.tensor1d([0, 0])]);
    const dir = fresh();
    await saveModel(model, dir);
    await expect(openSource(dir)).rejects.toThrow(/layer 'sick' \(Dense\): weight '.*kernel' holds NaN at place 2/);
  });

  it('may be a float ONNX file, but no quantized one', async () => {
    const model = tf.sequential({ layers: [tf.layers.dense({ inputShape: [6], units: 3 })] });
    const file = `${fresh()}.onnx`;
    writeFileSync(file, encodeModel(layersModelToOnnx(model, { name: 'own' })));
    const outDir = fresh();
    const options = { outDir, name: 'own', version: '1', dataset: null };
    await convertModel(await openSource(file), { ...options, strategy: 'dynamic', dataType: 'int8-weights' });
    await expect(loadBundle(outDir)).resolves.toBeTruthy();
    const { manifest } = await loadBundle(join('models', 'beat-ecg'));
    const { file: quantized } = manifest.variants.find(({ id }) => id === 'int8')!;
    await expect(openSource(join('models', 'beat-ecg', quantized))).rejects.toThrow(/quantized already/);
  });

  it.each([
    ['nothing', null, /no such file or folder/],
    ['text.keras', 'hello', /not a readable \.keras archive/],
    ['text.h5', 'hello', /not a readable HDF5 file/],
    ['text.onnx', 'hello', /ONNX/],
    ['model.json', '{}', /not a TensorFlow\.js model/],
    ['model.bin', 'x', /is not a model that can be read/],
  ])('is refused when it is none: %s', async (name, content, message) => {
    const dir = fresh();
    mkdirSync(dir);
    if (content !== null) writeFileSync(join(dir, name), content);
    await expect(openSource(join(dir, name))).rejects.toThrow(message);
  });
});

describe('TensorFlow.js layers models of random layers', () => {
  const L = tf.layers;
  const steps = fc.array(fc.integer({ min: 0, max: 20 }), { minLength: 1, maxLength: 5 });
  it('answer as TensorFlow.js does', async () => {
    await fc.assert(
      fc.asyncProperty(steps, fc.integer({ min: 0, max: 1e6 }), async (choices, seed) => {
        const input = tf.input({ shape: [16, 3], name: `in_${seed}` });
        let x = input;
        for (const choice of choices) {
          const layer = [
            () => L.conv1d({ filters: 4, kernelSize: 3, padding: 'same', activation: 'relu' }),
            () => L.batchNormalization(),
            () => L.gru({ units: 3, returnSequences: true }),
            () => L.lstm({ units: 4, returnSequences: true }),
            () =>
              L.bidirectional({ layer: L.lstm({ units: 2, returnSequences: true }) as tf.RNN, mergeMode: 'concat' }),
            () => L.timeDistributed({ layer: L.dense({ units: 3, activation: 'tanh' }) }),
            () => L.layerNormalization(),
            () => L.prelu(),
            () => L.dense({ units: 5, activation: 'elu' }),
            () => L.averagePooling1d({ poolSize: 2, strides: 1, padding: 'same' }),
            () => L.dropout({ rate: 0.5 }),
            () => L.leakyReLU({ alpha: 0.2 }),
            () => L.conv1d({ filters: 3, kernelSize: 3, padding: 'same', dilationRate: 2, useBias: false }),
            () => L.conv1d({ filters: 4, kernelSize: 2, padding: 'same', strides: 2, activation: 'softmax' }),
            () => L.thresholdedReLU({ theta: 0.3 }),
            () => L.reLU({ maxValue: 0.7 }),
            () => L.elu(),
            () => L.gru({ units: 3, returnSequences: true, goBackwards: true, useBias: false }),
            () => L.bidirectional({ layer: L.gru({ units: 3, returnSequences: true }) as tf.RNN, mergeMode: 'ave' }),
            () => L.batchNormalization({ scale: false, center: false }),
            () => L.maxPooling1d({ poolSize: 3, strides: 2, padding: 'same' }),
          ][choice]!();
          x = layer.apply(x) as tf.SymbolicTensor;
        }
        const pooled = L.globalAveragePooling1d().apply(x) as tf.SymbolicTensor;
        const out = L.dense({ units: 3, activation: 'softmax' }).apply(
          L.concatenate().apply([pooled, L.globalMaxPooling1d().apply(x) as tf.SymbolicTensor]),
        ) as tf.SymbolicTensor;
        const model = tf.model({ inputs: input, outputs: out });
        randomizeWeights(model, seed);
        const dir = fresh();
        await saveModel(model, dir);
        const source = await openSource(dir);
        const inputs = randomInputs(model, 2, seed);
        const items = [0, 1].map((i) => [inputs[0]!.slice(i * 48, (i + 1) * 48)]);
        const wanted = predict(model, inputs, 2)[0]!;
        const { answers } = await import('../../../src/lab/quantize/index.js');
        const got = (await answers(source.onnx, items)).flatMap((values) => [...values]);
        got.forEach((value, i) => {
          expect(Math.abs(value - wanted[i]!)).toBeLessThan(1e-5);
        });
        model.dispose();
      }),
      { numRuns: 25 },
    );
  });
});

describe('a representative dataset', () => {
  const input = [{ name: 'signal', shape: [4, 1] }];
  const rows = (n: number, cell: (r: number, c: number) => string, columns = 4) =>
    Array.from({ length: n }, (_, r) => Array.from({ length: columns }, (_, c) => cell(r, c)).join(',')).join('\n');
  const write = (name: string, text: string | Buffer) => {
    const dir = fresh();
    mkdirSync(dir);
    writeFileSync(join(dir, name), text);
    return join(dir, name);
  };

  it.each([
    ['rows of items with a header', 'a.csv', `a,b,c,d\n${rows(12, (r, c) => String(r + c / 10))}`, 12],
    ['a signal of one column', 'a.csv', rows(50, (r) => String(Math.sin(r)), 1), 12],
    ['nested lists', 'a.json', JSON.stringify(Array.from({ length: 11 }, (_, r) => [[r], [1], [2], [3]])), 11],
    ['NumPy without the last axis', 'a.npy', npy([10, 4], noise(40, 1)), 10],
  ])('may be %s', async (_, name, text, items) => {
    expect((await loadDataset(write(name, text), input)).items).toHaveLength(items);
  });

  it.each([
    ['semicolons and decimal commas', 'a.csv', (r: number) => [0, 1, 2, 3].map((c) => `${r},${c}`).join(';'), ''],
    [
      'a header of column numbers, as pandas writes it',
      'a.csv',
      (r: number) => `${r}.0,${r}.1,${r}.2,${r}.3`,
      '0,1,2,3\n',
    ],
    ['tabs, CRLF and a byte order mark', 'a.tsv', (r: number) => `${r}.0\t${r}.1\t"${r}.2"\t${r}.3\r`, '\ufeff'],
    ['a time column', 'a.csv', (r: number) => `${r / 128},${r}.0,${r}.1,${r}.2,${r}.3`, '"time (s)",a,b,c,d\n'],
  ])('is read as what it means: %s', async (_, name, line, header) => {
    const text = header + Array.from({ length: 12 }, (_, r) => line(r)).join('\n');
    const { items } = await loadDataset(write(name, text), input);
    expect(items).toEqual(Array.from({ length: 12 }, (_, r) => [Float32Array.of(r, r + 0.1, r + 0.2, r + 0.3)]));
  });

  it('is refused where it would be mixed up: time for a signal, records of several rates', async () => {
    const two = [{ name: 'signals', shape: [4, 2] }];
    const clocked = rows(60, (r, c) => (c === 0 ? String(r / 100) : String(Math.sin(r))), 2);
    await expect(loadDataset(write('a.csv', clocked), two)).rejects.toThrow(/has 1 columns beside the time/);
    const dir = fresh();
    mkdirSync(dir);
    for (const [name, rateHz] of [
      ['100', 360],
      ['101', 250],
    ] as const) {
      const header = readFileSync(join('test', 'fixtures', 'wfdb', '100.hea'), 'latin1');
      writeFileSync(join(dir, `${name}.hea`), header.replace('360', String(rateHz)));
      cpSync(join('test', 'fixtures', 'wfdb', '100.dat'), join(dir, '100.dat'));
    }
    const windows = [{ name: 'x', shape: [128, 1] }];
    await expect(loadDataset(dir, windows)).rejects.toThrow(/has 250 Hz where the record before it has 360 Hz.*--rate/);
    expect((await loadDataset(dir, windows, { rateHz: 125 })).items.length).toBeGreaterThan(9);
  });

  it('in another unit than the training data is told of', async () => {
    const layers = [
      tf.layers.conv1d({ inputShape: [16, 1], filters: 3, kernelSize: 3 }),
      tf.layers.batchNormalization(),
    ];
    const model = tf.sequential({ layers: [...layers, tf.layers.flatten(), tf.layers.dense({ units: 2 })] });
    model.layers[1]!.setWeights([tf.ones([3]), tf.zeros([3]), tf.fill([3], 0.01), tf.fill([3], 1.1)]);
    const dir = fresh();
    await saveModel(model, dir);
    const source = await openSource(dir);
    const items = Array.from({ length: 40 }, (_, i) => [noise(16, i)]);
    const options = { name: 'x', version: '1', strategy: 'none', dataType: 'float32' } as const;
    const convert = async (scale: number) => {
      const scaled = items.map(([values]) => [values!.map((value) => value * scale)]);
      const dataset = { items: scaled, description: '40 items', warnings: [] };
      return (await convertModel(source, { ...options, outDir: fresh(), dataset })).warnings;
    };
    expect(await convert(1)).toEqual([]);
    expect(await convert(1000)).toEqual([
      expect.stringMatching(/deviates \S+ times as much as the model's training data/),
    ]);
  });

  it('may be a folder of items, in the order of their numbers', async () => {
    const dir = fresh();
    mkdirSync(dir);
    for (let i = 0; i < 12; i++) writeFileSync(join(dir, `item${i}.json`), JSON.stringify([i, 0, 0, 0]));
    const { items } = await loadDataset(dir, input);
    expect(items.map(([values]) => values![0])).toEqual(Array.from({ length: 12 }, (_, i) => i));
  });

  it('may be a WFDB record, resampled to the rate asked for', async () => {
    const record = join('test', 'fixtures', 'wfdb', '100');
    const { items, description } = await loadDataset(record, [{ name: 'x', shape: [128, 2] }], { rateHz: 128 });
    expect(items.length).toBeGreaterThan(9);
    expect(items[0]![0]).toHaveLength(256);
    expect(description).toMatch(/windows of the WFDB record/);
    await expect(loadDataset(record, [{ name: 'x', shape: [128, 3] }])).rejects.toThrow(/has 2 signals .* takes 3/);
  });

  it.each([
    ['another number of columns', 'a.csv', rows(12, () => '1', 5), /has 5 columns; input 'signal' takes 4 x 1/],
    ['another shape', 'a.npy', npy([20, 5], noise(100, 1)), /has the shape \[20, 5\]; input 'signal' takes 4 x 1/],
    ['NaN', 'a.csv', rows(12, (r, c) => (r === 3 && c === 2 ? 'nan' : String(r))), /row 4: value 3 .* is NaN/],
    ['a hole', 'a.csv', rows(12, (r, c) => (r === 3 && c === 2 ? '' : String(r))), /row 4: value 3 .* is NaN/],
    [
      'text',
      'a.csv',
      rows(12, (r, c) => (r === 3 && c === 2 ? 'x' : String(r))),
      /row 4, column 3: "x" is not a number/,
    ],
    ['always the same value', 'a.csv', rows(12, () => '7'), /every value .* is 7: a constant dataset/],
    ['too few items', 'a.csv', rows(5, (r) => String(r)), /holds only 5 items/],
    ['nothing', 'a.csv', '', /holds no items/],
    ['lists of different length', 'a.json', '[[1,2,3,4],[1,2,3]]', /different lengths/],
    ['no JSON', 'a.json', '{', /is not JSON/],
    ['a cut NumPy file', 'a.npy', npy([10, 4], noise(40, 1)).subarray(0, 200), /is cut off/],
    ['a picture', 'a.png', 'x', /cannot be read as a dataset/],
  ])('is refused with a word on what is wrong: %s', async (_, name, text, message) => {
    await expect(loadDataset(write(name, text), input)).rejects.toThrow(message);
  });

  it('is refused when there is none, and when several inputs are filled by one file', async () => {
    await expect(loadDataset(fresh(), input)).rejects.toThrow(/no such file, folder or WFDB record/);
    const two = [...input, { name: 'age', shape: [1] }];
    await expect(loadDataset(write('a.csv', rows(12, String)), two)).rejects.toThrow(/the model has 2 \(signal, age\)/);
  });
});

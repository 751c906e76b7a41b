import { mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as tf from '@tensorflow/tfjs';
import { afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { loadBundle } from '../../../src/inference/bundle/load.js';
import {
  type ExportOptions,
  ExportRefusedError,
  exportBundle,
  sizeOf,
  sparsityOf,
} from '../../../src/lab/export/index.js';
import { encodeModel, layersModelToOnnx } from '../../../src/lab/onnx/index.js';
import type { OnnxModel } from '../../../src/lab/onnx/ir.js';
import {
  answers,
  calibrate,
  quantizeDynamic,
  quantizeFloat16,
  quantizeStatic,
} from '../../../src/lab/quantize/index.js';
import { beatModel, randomInputs } from '../onnx/support.js';

let source: tf.LayersModel;
let float: OnnxModel;
let int8: OnnxModel;
let parent: string;
let outDir: string;
const items = (from: number, count: number) =>
  Array.from({ length: count }, (_, i) => randomInputs(source, 1, from + i));

beforeAll(async () => {
  await tf.setBackend('cpu');
  source = beatModel(11);
  float = layersModelToOnnx(source, { name: 'beat' });
  int8 = quantizeStatic(float, (await calibrate(float, items(0, 200))).ranges(), { reduceRange: true });
});

beforeEach(async () => {
  parent = await mkdtemp(join(tmpdir(), 'slothd-test-'));
  outDir = join(parent, 'beat-test');
});
afterEach(() => rm(parent, { recursive: true }));

const options = (more: Partial<ExportOptions> = {}): ExportOptions => ({
  outDir,
  name: 'beat-test',
  task: 'beat-class',
  version: '1.0.0',
  labels: ['N', 'S', 'V'],
  logitOffsets: [0, -0.5, -0.5],
  preprocessing: { rateHz: 128 },
  training: { data: 'random' },
  calibration: { items: 200 },
  variants: [
    { id: 'fp32', precision: 'float32', model: float },
    { id: 'fp16', precision: 'float16', model: quantizeFloat16(float) },
    { id: 'int8-weights', precision: 'int8', model: quantizeDynamic(float) },
    { id: 'int8', precision: 'int8', model: int8 },
  ],
  defaultVariant: 'int8',
  golden: items(3000, 4),
  evaluationItems: () => items(4000, 200),
  // What counts here is the bundle, not how random weights hold out in 8 bits or how busy this machine is.
  gate: { minAgreement: 0.95, maxSlowdown: 100 },
  latency: { rounds: 3, runsPerRound: 20 },
  ...more,
});

describe('exportBundle', () => {
  it('writes a bundle that the daemon loads, with a card that has every figure', async () => {
    const { manifest, fellBack } = await exportBundle(
      options({ about: 'A model of nothing.', evaluate: (all) => ({ positives: all.length / 200 }) }),
    );
    expect(fellBack).toBeNull();
    expect((await readdir(outDir)).sort()).toEqual([
      'CARD.md',
      'manifest.json',
      'model.fp16.onnx',
      'model.fp32.onnx',
      'model.int8-weights.onnx',
      'model.onnx',
    ]);
    expect(await readdir(parent)).toEqual(['beat-test']);
    expect((await stat(outDir)).mode & 0o777).toBe(0o755);

    const bundle = await loadBundle(outDir);
    expect(bundle.manifest).toEqual(manifest);
    expect(manifest.defaultVariant).toBe('int8');
    const [fp32, fp16, weights, whole] = manifest.variants;
    for (const variant of manifest.variants) {
      expect(variant.parameters).toBe(15_011);
      expect(variant.macs).toBe(67_328);
      expect(bundle.files.get(variant.id)!.length).toBe(variant.bytes);
    }
    expect(fp32!.metrics.agreement).toBe(1);
    expect(fp16!.bytes).toBeLessThan(0.54 * fp32!.bytes);
    expect(weights!.bytes).toBeLessThan(0.32 * fp32!.bytes);
    expect(whole!.bytes).toBeLessThan(0.36 * fp32!.bytes);
    expect(whole!.metrics.latency).toMatchObject({ p50Us: expect.any(Number), p99Us: expect.any(Number) });

    const card = await readFile(join(outDir, 'CARD.md'), 'utf8');
    expect(card).toContain('A model of nothing.');
    expect(card).toContain(
      '| variant | bytes | gzip bytes | sparsity | parameters | MACs | agreement | positives | p50 us | p99 us |',
    );
    expect(card).toContain(`| **int8** (default) | ${whole!.bytes} | ${whole!.gzipBytes} |`);
  });

  it('replaces the former bundle as a whole', async () => {
    await exportBundle(options());
    await exportBundle(options({ version: '2.0.0', variants: options().variants.slice(0, 1), defaultVariant: 'fp32' }));
    expect((await readdir(outDir)).sort()).toEqual(['CARD.md', 'manifest.json', 'model.onnx']);
    expect((await loadBundle(outDir)).manifest.version).toBe('2.0.0');
    expect(await readdir(parent)).toEqual(['beat-test']);
  });

  it('takes the place of nothing but a bundle', async () => {
    await mkdir(outDir);
    await writeFile(join(outDir, 'thesis.tex'), 'years of work');
    await expect(exportBundle(options())).rejects.toThrow(/is there already and is no bundle/);
    await rm(outDir, { recursive: true });
    await writeFile(outDir, 'a file');
    await expect(exportBundle(options())).rejects.toThrow(/is there already and is no bundle/);
    expect(await readFile(outDir, 'utf8')).toBe('a file');
  });

  it('makes float the default where the other is slower, and says why', async () => {
    const { manifest, fellBack } = await exportBundle(options({ gate: { minAgreement: 0.95, maxSlowdown: 0.01 } }));
    expect(fellBack).toMatch(/takes \d+\.\d+ times as long as fp32/);
    expect(manifest.defaultVariant).toBe('fp32');
    expect(manifest.variants.find((variant) => variant.id === 'fp32')!.file).toBe('model.onnx');
    expect(manifest.variants.find((variant) => variant.id === 'int8')!.metrics.notDefault).toBe(fellBack);
    expect(await readFile(join(outDir, 'CARD.md'), 'utf8')).toContain(`int8 is not the default: ${fellBack}`);
  });

  it('refuses a variant that disagrees, loses too much, gives no number or does not load, and leaves the former one', async () => {
    await exportBundle(options());
    const before = await readFile(join(outDir, 'manifest.json'), 'utf8');
    const bad = (model: OnnxModel) => [options().variants[0]!, { id: 'int8', precision: 'int8', model }];
    const other = layersModelToOnnx(beatModel(99), { name: 'other' });
    await expect(exportBundle(options({ variants: bad(other) }))).rejects.toThrow(
      /variant int8 of beat-test: agrees with its float model on \d+\.\d+ % of 200 items, 95.00 % is needed/,
    );

    let call = 0;
    const evaluate = () => ({ accuracy: call++ === 0 ? 0.95 : 0.94 });
    await expect(exportBundle(options({ variants: bad(int8), evaluate }))).rejects.toThrow(
      /its accuracy is 0.94, 0.0100 below fp32; 0.005 is allowed/,
    );

    const broken = { ...int8, graph: { ...int8.graph, nodes: int8.graph.nodes.slice(1) } };
    await expect(exportBundle(options({ variants: bad(broken) }))).rejects.toThrow(/does not run in onnxruntime/);
    await expect(exportBundle(options({ labels: ['N', 'V'], logitOffsets: [0, 0] }))).rejects.toThrow(
      /where 2 finite numbers are expected/,
    );
    await expect(exportBundle(options({ variants: options().variants.slice(1) }))).rejects.toThrow(ExportRefusedError);
    await expect(exportBundle(options({ evaluationItems: () => [] }))).rejects.toThrow(/nothing to evaluate/);

    expect(await readFile(join(outDir, 'manifest.json'), 'utf8')).toBe(before);
    expect(await readdir(parent)).toEqual(['beat-test']);
  });
});

describe('a gate that looks at other items than the figures', () => {
  it('judges on those alone, and tells the figures of the test whatever they are', async () => {
    let call = 0;
    const judgedOn = { items: () => items(6000, 100), metric: (all: readonly Float32Array[]) => all.length / 100 };
    const evaluate = () => ({ accuracy: call++ === 0 ? 0.95 : 0.5 });
    const { manifest } = await exportBundle(options({ evaluate, judgedOn }));
    expect(manifest.variants[1]!.metrics.accuracy).toEqual({ accuracy: 0.5 });

    let judged = 0;
    const metric = () => (judged++ === 0 ? 0.95 : 0.94);
    await expect(
      exportBundle(options({ evaluate: () => ({ accuracy: 0.9 }), judgedOn: { ...judgedOn, metric } })),
    ).rejects.toThrow(/its accuracy is 0.94, 0.0100 below fp32/);
  });

  it('may hold each file against its own float model, where pruning is judged elsewhere', async () => {
    // What fp32 remembers of these items is no measure: metrics in turn of fp32, of a file, of its float model.
    const metrics = (own: number) => {
      const said = [0.99, own, 0.95];
      return { items: () => items(6000, 100), metric: () => said.shift() ?? 0.95, againstOwnFloat: true };
    };
    const evaluate = () => ({ accuracy: 0.9 });
    await exportBundle(options({ evaluate, judgedOn: metrics(0.948) }));
    await expect(exportBundle(options({ evaluate, judgedOn: metrics(0.94) }))).rejects.toThrow(
      /its accuracy is 0.94, 0.0100 below its float model/,
    );
  });

  it('the card leaves to the manifest what nobody reads', async () => {
    const training = { data: 'random', trainedOn: Array.from({ length: 60 }, (_, i) => `mitdb/${100 + i}`), seed: 3 };
    const { manifest } = await exportBundle(options({ training: { ...training, recipe: { text: 'x'.repeat(300) } } }));
    const card = await readFile(join(outDir, 'CARD.md'), 'utf8');
    expect(card).toContain('- trainedOn: 60 entries, in manifest.json');
    expect(card).toContain('- recipe: in manifest.json');
    expect(card).toContain('- seed: 3');
    expect(Math.max(...card.split('\n').map((line) => line.length))).toBeLessThan(400);
    expect(manifest.training.trainedOn).toEqual(training.trainedOn);
  });
});

describe('what is counted', () => {
  it('zeros in weights of every precision, biases left out', async () => {
    const pruned = beatModel(12);
    for (const layer of pruned.layers) {
      const weights = layer.getWeights();
      if (weights.length < 2 || weights[0]!.rank < 2) continue;
      const kernel = weights[0]!;
      const mask = tf.tensor(
        Float32Array.from({ length: kernel.size }, (_, i) => i % 2),
        kernel.shape,
      );
      layer.setWeights([kernel.mul(mask), ...weights.slice(1)]);
    }
    const model = layersModelToOnnx(pruned, { name: 'half' });
    const exact = sparsityOf(model);
    expect(exact).toBeCloseTo(0.5, 2);
    const quantized = quantizeStatic(model, (await calibrate(model, items(0, 20))).ranges());
    // Small weights become zero as well.
    for (const variant of [
      quantizeFloat16(model),
      quantizeDynamic(model),
      quantizeDynamic(model, { activations: 'dynamic' }),
      quantized,
    ]) {
      expect(sparsityOf(variant)).toBeGreaterThanOrEqual(exact);
      expect(sparsityOf(variant)).toBeLessThan(exact + 0.02);
    }
    expect(await sizeOf(model, items(0, 1)[0]!)).toEqual({ parameters: 15_011, macs: 67_328 });
  });

  it('a bundle file answers as the model it was made from', async () => {
    const { manifest } = await exportBundle(options());
    const fresh = await answers(int8, options().golden);
    expect(fresh.map((values) => [...values])).toEqual(manifest.golden.outputs.int8);
    expect(encodeModel(float)).toEqual(new Uint8Array((await loadBundle(outDir)).files.get('fp32')!));
  });
});

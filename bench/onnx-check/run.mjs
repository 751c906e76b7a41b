// Our ONNX files in the hands of others: onnx.checker and Python's onnxruntime, on all shipped models and on random graphs
// as the lab writes them. Usage: npm run bench:onnx [-- --graphs 60]. Needs Python 3; the environment is made on first use.
import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import * as tf from '@tensorflow/tfjs';
import * as ort from 'onnxruntime-node';
import { encodeModel, layersModelToOnnx } from '../../dist/lab/onnx/index.js';
import { calibrate, quantizeDynamic, quantizeFloat16, quantizeStatic } from '../../dist/lab/quantize/index.js';
import { seededRandom } from '../../dist/lab/random.js';
import { save, table } from '../lib/report.mjs';

const { values } = parseArgs({ options: { graphs: { type: 'string', default: '60' } } });
const ENV = 'bench/peers/env';
const python = join(ENV, 'bin', 'python');
const has = (packages) => spawnSync(python, ['-c', `import ${packages}`]).status === 0;
if (!existsSync(python) || !has('onnx, onnxruntime, numpy')) {
  if (spawnSync('python3', ['--version']).status !== 0) {
    console.log('skipped: there is no python3 here');
    process.exit(0);
  }
  console.error(`making ${ENV} (onnx, onnxruntime, numpy)`);
  if (!existsSync(python)) execFileSync('python3', ['-m', 'venv', ENV]);
  execFileSync(python, ['-m', 'pip', 'install', '-q', 'onnx', 'onnxruntime', 'numpy'], { stdio: 'inherit' });
}

const folder = mkdtempSync(join(tmpdir(), 'slothd-onnx-check-'));
const cases = [];
const add = (name, group, bytes, inputs, outputs, tolerance) => {
  const file = join(folder, `${cases.length}.onnx`);
  writeFileSync(file, bytes);
  cases.push({ name, group, file, inputs, outputs, tolerance });
};

for (const model of readdirSync('models')) {
  const manifest = JSON.parse(readFileSync(join('models', model, 'manifest.json'), 'utf8'));
  for (const { id, file } of manifest.variants) {
    const n = manifest.golden.inputs.length;
    const inputs = Object.fromEntries(
      manifest.inputs.map(({ name, shape }, i) => [
        name,
        { shape: [n, ...shape], data: manifest.golden.inputs.flatMap((item) => item[i]) },
      ]),
    );
    const outputs = [manifest.golden.outputs[id].flat()];
    add(
      `${model} ${id}`,
      'shipped',
      readFileSync(join('models', model, file)),
      inputs,
      outputs,
      manifest.golden.tolerance[id],
    );
  }
}

// Random graphs: every layer that the writer knows, in random order.
await tf.setBackend('cpu');
const L = tf.layers;
const LAYERS = [
  () => L.conv1d({ filters: 4, kernelSize: 3, padding: 'same', activation: 'relu' }),
  () => L.conv1d({ filters: 6, kernelSize: 2, strides: 2, padding: 'same', useBias: false }),
  () => L.batchNormalization(),
  () => L.layerNormalization(),
  () => L.gru({ units: 3, returnSequences: true }),
  () => L.lstm({ units: 4, returnSequences: true }),
  () => L.simpleRNN({ units: 3, returnSequences: true, goBackwards: true }),
  () => L.prelu(),
  () => L.leakyReLU({ alpha: 0.2 }),
  () => L.dense({ units: 5, activation: 'elu' }),
  () => L.activation({ activation: 'hardSigmoid' }),
  () => L.activation({ activation: 'swish' }),
  () => L.maxPooling1d({ poolSize: 2, strides: 1, padding: 'same' }),
  () => L.averagePooling1d({ poolSize: 3, strides: 1, padding: 'same' }),
  () => L.dropout({ rate: 0.5 }),
];
const BATCH = 4;
for (let seed = 1; seed <= Number(values.graphs); seed++) {
  const random = seededRandom(seed);
  const normal = () => Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random());
  const input = tf.input({ shape: [16, 3], name: `in${seed}` });
  let x = input;
  for (let i = 0; i < 1 + Math.floor(random() * 6); i++) x = LAYERS[Math.floor(random() * LAYERS.length)]().apply(x);
  const pooled = [L.globalAveragePooling1d().apply(x), L.globalMaxPooling1d().apply(x), L.flatten().apply(x)];
  const model = tf.model({ inputs: input, outputs: L.dense({ units: 3 }).apply(L.concatenate().apply(pooled)) });
  const float = layersModelToOnnx(model, { name: `graph${seed}` });
  const items = Array.from({ length: 60 }, () => [Float32Array.from({ length: 48 }, normal)]);
  const ranges = (await calibrate(float, items)).ranges();
  const variants = {
    fp32: float,
    fp16: quantizeFloat16(float),
    int8: quantizeStatic(float, ranges),
    'int8-weights': quantizeDynamic(float),
    'int8-dynamic': quantizeDynamic(float, { activations: 'dynamic' }),
  };
  const data = items.slice(0, BATCH).flatMap(([item]) => [...item]);
  for (const [id, variant] of Object.entries(variants)) {
    const bytes = encodeModel(variant);
    const session = await ort.InferenceSession.create(bytes, { intraOpNumThreads: 1, logSeverityLevel: 3 });
    const { name } = variant.graph.inputs[0];
    const result = await session.run({ [name]: new ort.Tensor('float32', Float32Array.from(data), [BATCH, 16, 3]) });
    const expected = [...result[variant.graph.outputs[0].name].data];
    await session.release();
    const span = Math.max(1, ...expected.map(Math.abs));
    // Float kernels differ in the last bits from version to version; an 8-bit step may fall the other way.
    const tolerance = id.startsWith('fp') || id === 'int8-weights' ? 1e-4 * span : 0.02 * span;
    add(
      `graph ${seed} ${id}`,
      `random ${id}`,
      bytes,
      { [name]: { shape: [BATCH, 16, 3], data } },
      [expected],
      tolerance,
    );
  }
  model.dispose();
}

const list = join(folder, 'cases.json');
writeFileSync(list, JSON.stringify(cases));
const lines = execFileSync(python, ['bench/onnx-check/check.py', list], { maxBuffer: 1e8 })
  .toString()
  .trim()
  .split('\n')
  .map((line) => JSON.parse(line));
rmSync(folder, { recursive: true });
const [versions, ...results] = lines;
const groups = {};
results.forEach((result, i) => {
  const name = cases[i].group;
  groups[name] ??= { files: 0, good: 0, worstDifference: 0, failures: [] };
  const group = groups[name];
  group.files++;
  if (result.ok) group.good++;
  else group.failures.push(result);
  group.worstDifference = Math.max(group.worstDifference, result.difference ?? 0);
});
save('onnx-check', { versions, groups });
table(
  ['files', 'checked', 'good', 'worst difference from onnxruntime-node'],
  Object.entries(groups).map(([name, g]) => [name, g.files, g.good, g.worstDifference.toPrecision(2)]),
);
for (const { name, error, difference } of Object.values(groups).flatMap((g) => g.failures))
  console.log(`FAILED ${name}: ${error ?? `differs by ${difference}`}`);
if (results.some(({ ok }) => !ok)) process.exit(1);

// One call of each shipped model: in slothd's host process (native and WASM), in this process, in tfjs-node, in onnxruntime
// for Python and in LiteRT (TensorFlow Lite) on the same models converted. Usage: npm run bench:inference -- [--seconds 3] [--models a,b] [--no-peers]
// Peers: node bench/peers/setup.mjs --tensorflow
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import ort from 'onnxruntime-node';
import { benchModel } from '../dist/cli/model/bench.js';
import { loadBundle } from '../dist/inference/bundle/load.js';
import { percentile } from './lib/processes.mjs';
import { save, table } from './lib/report.mjs';

const { values: options } = parseArgs({
  options: {
    seconds: { type: 'string', default: '3' },
    models: { type: 'string', default: 'beat-ecg,rhythm-rr,shockable-ecg,anomaly-rr' },
    'no-peers': { type: 'boolean', default: false },
  },
});
const seconds = Number(options.seconds);
const here = (path) => fileURLToPath(new URL(path, import.meta.url));
const PYTHON = process.env.BENCH_PYTHON ?? here('./peers/env/venv/bin/python');
const TFLITE = here('./peers/env/tflite');
const us = (value) => Math.round(value * 10) / 10;

const rows = [];
for (const name of options.models.split(',')) {
  const folder = here(`../models/${name}`);
  if (!existsSync(join(folder, 'manifest.json'))) continue;
  for (const row of await benchModel(folder, { runtimes: ['native', 'wasm'], timeMs: seconds * 1000 })) {
    if (row.refused) continue;
    const { model, variant, runtime } = row;
    rows.push({
      model,
      engine: `slothd host, ${runtime}, in the model`,
      variant,
      p50Us: row.modelP50Us,
      p99Us: row.modelP99Us,
    });
    rows.push({
      model,
      engine: `slothd host, ${runtime}, question to answer`,
      variant,
      p50Us: row.answerP50Us,
      p99Us: row.answerP99Us,
    });
  }
  rows.push(...(await inProcess(name, folder)));
  if (!options['no-peers']) rows.push(...tfjs(folder), ...python(folder));
}
save('inference', { seconds, rows });
table(
  ['model', 'variant', 'engine', 'p50 us', 'p99 us'],
  rows.map(({ model, variant, engine, p50Us, p99Us }) => [model, variant, engine, p50Us, p99Us]),
);
process.exit(0);

/** onnxruntime-node without a host: what the process boundary costs. */
async function inProcess(model, folder) {
  const { manifest } = await loadBundle(folder);
  const feeds = Object.fromEntries(
    manifest.inputs.map(({ name, shape }, i) => [
      name,
      new ort.Tensor('float32', Float32Array.from(manifest.golden.inputs[0][i]), [1, ...shape]),
    ]),
  );
  const out = [];
  for (const { id, file } of manifest.variants) {
    const session = await ort.InferenceSession.create(join(folder, file), {
      intraOpNumThreads: 1,
      interOpNumThreads: 1,
    });
    const times = [];
    for (let i = 0; i < 200; i++) await session.run(feeds);
    const end = performance.now() + seconds * 1000;
    while (performance.now() < end) {
      const start = performance.now();
      await session.run(feeds);
      times.push((performance.now() - start) * 1000);
    }
    out.push({
      model,
      engine: 'onnxruntime-node, in process',
      variant: id,
      p50Us: us(percentile(times, 0.5)),
      p99Us: us(percentile(times, 0.99)),
    });
    await session.release();
  }
  return out;
}

/** In a process of its own: TensorFlow's threads and memory are not to stand beside the other engines'. */
function tfjs(folder) {
  const run = spawnSync(process.execPath, [here('./peers/tfjs.mjs'), folder, String(seconds)], { encoding: 'utf8' });
  if (run.status === 0) return [JSON.parse(run.stdout)];
  console.log(`tfjs-node is skipped: ${run.stderr.trim().split('\n').at(-1)}`);
  return [];
}

function python(folder) {
  if (!existsSync(PYTHON)) {
    console.log('Python peers are skipped: run `node bench/peers/setup.mjs --tensorflow`');
    return [];
  }
  const convert = spawnSync(process.env.BENCH_TENSORFLOW ?? PYTHON, [here('./peers/to_tflite.py'), folder, TFLITE], {
    encoding: 'utf8',
  });
  if (convert.status !== 0) console.log(`LiteRT is skipped: ${convert.stderr.trim().split('\n').at(-1)}`);
  const run = spawnSync(PYTHON, [here('./peers/inference.py'), folder, TFLITE, String(seconds)], {
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  return run.status === 0 ? run.stdout.trim().split('\n').map(JSON.parse) : [];
}

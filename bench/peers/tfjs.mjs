// One call of a bundle's float model in tfjs-node (TensorFlow's kernels behind tfjs), in this process. One JSON line.
// Usage: tfjs.mjs BUNDLE_FOLDER SECONDS       bench/inference.mjs calls it; exit 3 where tfjs-node does not work here
import { join } from 'node:path';
import * as tf from '@tensorflow/tfjs';
import { loadBundle } from '../../dist/inference/bundle/load.js';
import { openBackend } from '../../dist/lab/backend.js';
import { readModelFile } from '../../dist/lab/onnx/decode.js';
import { percentile } from '../lib/processes.mjs';

process.env.TF_CPP_MIN_LOG_LEVEL ??= '3';
process.env.TF_NUM_INTRAOP_THREADS = process.env.TF_NUM_INTEROP_THREADS = '1';
await openBackend('native').catch((error) => {
  console.error(error.message);
  process.exit(3);
});

const [folder, seconds] = [process.argv[2], Number(process.argv[3])];
const { manifest } = await loadBundle(folder);
const { file } = manifest.variants.find(({ id }) => id === 'fp32');
const { graph } = await readModelFile(join(folder, file));
const weights = new Map(
  [...graph.initializers]
    .filter(([, { type }]) => type === 'float32')
    .map(([name, { dims, data }]) => [name, tf.tensor(data, [...dims])]),
);
// Kernels as tfjs wants them, once: O, I, K becomes K, I, O.
const kernels = new Map(
  graph.nodes
    .filter(({ op }) => op === 'Conv')
    .map(({ inputs }) => [inputs[1], weights.get(inputs[1]).transpose([2, 1, 0])]),
);

const value = (node, name, fallback) => node.attributes[name]?.value ?? fallback;
/** ONNX is N, C, T, tfjs N, T, C. */
const inTime = (x, run) => run(x.transpose([0, 2, 1])).transpose([0, 2, 1]);
const OPS = {
  Transpose: (node, [x]) => x.transpose([...value(node, 'perm')]),
  Conv: (node, [x, , bias]) =>
    inTime(x, (t) => {
      const [before, after] = value(node, 'pads', [0, 0]);
      const padded =
        before + after > 0
          ? t.pad([
              [0, 0],
              [before, after],
              [0, 0],
            ])
          : t;
      const y = tf.conv1d(padded, kernels.get(node.inputs[1]), value(node, 'strides', [1])[0], 'valid');
      return bias ? y.add(bias) : y;
    }),
  MaxPool: (node, [x]) =>
    inTime(x, (t) => {
      const [size, stride] = [value(node, 'kernel_shape')[0], value(node, 'strides', [1])[0]];
      return tf.maxPool(t.expandDims(2), [size, 1], [stride, 1], 'valid').squeeze([2]);
    }),
  GlobalAveragePool: (_, [x]) => x.mean(2, true),
  GlobalMaxPool: (_, [x]) => x.max(2, true),
  Flatten: (_, [x]) => x.reshape([1, -1]),
  Gemm: (node, [x, w, bias]) => {
    const y = tf.matMul(x, w, false, value(node, 'transB', 0) === 1);
    return bias ? y.add(bias) : y;
  },
  Concat: (node, inputs) => tf.concat(inputs, value(node, 'axis')),
  Relu: (_, [x]) => x.relu(),
};

/** From arrays to array, as every engine here is asked. */
function call(inputs) {
  return tf.tidy(() => {
    const values = new Map(weights);
    for (const [i, { name, shape }] of manifest.inputs.entries()) values.set(name, tf.tensor(inputs[i], [1, ...shape]));
    for (const node of graph.nodes) {
      const run = OPS[node.op];
      if (!run) throw new Error(`operation ${node.op} is not known here`);
      values.set(
        node.outputs[0],
        run(
          node,
          node.inputs.map((name) => values.get(name)),
        ),
      );
    }
    return values.get(graph.outputs[0].name).dataSync();
  });
}

// The rebuilt graph must be the model.
for (const [i, inputs] of manifest.golden.inputs.entries()) {
  const truth = manifest.golden.outputs.fp32[i];
  const off = Math.max(...call(inputs.map((input) => Float32Array.from(input))).map((y, k) => Math.abs(y - truth[k])));
  if (off > 1e-3) throw new Error(`the rebuilt graph differs from the model by ${off}`);
}
const inputs = manifest.golden.inputs[0].map((input) => Float32Array.from(input));
const times = [];
for (let i = 0; i < 200; i++) call(inputs);
for (const end = performance.now() + seconds * 1000; performance.now() < end; ) {
  const start = performance.now();
  call(inputs);
  times.push((performance.now() - start) * 1000);
}
const us = (time) => Math.round(time * 10) / 10;
console.log(
  JSON.stringify({
    model: manifest.name,
    engine: 'tfjs-node, in process',
    variant: 'fp32',
    p50Us: us(percentile(times, 0.5)),
    p99Us: us(percentile(times, 0.99)),
  }),
);
process.exit(0);

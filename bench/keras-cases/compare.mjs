#!/usr/bin/env node
// Converts the models of cases.py and holds their answers against Keras': node bench/keras-cases/compare.mjs FOLDER [FILTER]
// Prints what is refused, with the reason, and what differs; exit code 1 where anything differs or fails.
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { openSource } from '../../dist/lab/convert/index.js';
import { Runner } from '../../dist/lab/quantize/runtime.js';

const [folder, filter] = process.argv.slice(2);
if (!folder) {
  console.error('give the folder that cases.py wrote');
  process.exit(1);
}
/** Items in each case. */
const ITEMS = 3;
/** Share of the largest answer; models in half precision are computed in float32 here. */
const limitOf = (name) => (/^pol_|^quantized/.test(name) ? 2e-2 : 2e-4);

const tally = { same: 0, refused: 0, different: 0 };
const wanted = new RegExp(filter ?? '');
for (const file of readdirSync(folder).sort()) {
  if (!/\.(keras|h5|saved)$/.test(file) || !wanted.test(file)) continue;
  const answers = JSON.parse(readFileSync(join(folder, file.replace(/\.(keras|h5|saved)$/, '.json')), 'utf8'));
  try {
    // Answers that are none: the recurrence ran away in Keras already.
    if (answers.outputs.flat().includes(null)) continue;
    const inputShapes = new Map(file.startsWith('open_time') ? [['', answers.inputShapes[0]]] : []);
    const { onnx } = await openSource(join(folder, file), { inputShapes });
    const worst = await worstOf(onnx, answers, file.endsWith('.saved') || file.startsWith('dict_io'));
    if (worst <= limitOf(file)) tally.same++;
    else {
      tally.different++;
      console.log(`differs  ${file}: by ${worst.toPrecision(3)} of the largest answer`);
    }
  } catch (error) {
    if (error.name === 'ConvertError' || error.name === 'UnsupportedLayerError') {
      tally.refused++;
      console.log(`refused  ${file}: ${error.message.split('\n')[0].replace(/;? these are:.*/, '')}`);
    } else {
      tally.different++;
      console.log(`fails    ${file}: ${error.stack}`);
    }
  }
}
console.log(`${tally.same} answer as in Keras, ${tally.refused} are refused by name, ${tally.different} differ`);
process.exit(tally.different > 0 ? 1 : 0);

/** @param anyOrder outputs by name: the order of Keras is not that of the file */
async function worstOf(onnx, { inputs, inputNames, outputs }, anyOrder) {
  const places = onnx.graph.inputs.map(({ name }, i) => (inputNames.includes(name) ? inputNames.indexOf(name) : i));
  const items = Array.from({ length: ITEMS }, (_, item) =>
    places.map((place) => {
      const size = inputs[place].length / ITEMS;
      return Float32Array.from(inputs[place].slice(item * size, (item + 1) * size));
    }),
  );
  const runner = await Runner.load(onnx);
  const got = onnx.graph.outputs.map(() => []);
  await runner.runAll(items, (parts) => {
    for (const [i, values] of parts.entries()) got[i].push(...values);
  });
  await runner.release();
  if (got.length !== outputs.length) return Number.POSITIVE_INFINITY;
  const off = got.map((values, i) => Math.min(...(anyOrder ? outputs : [outputs[i]]).map((w) => distance(values, w))));
  return Math.max(...off);
}

function distance(got, wanted) {
  if (got.length !== wanted.length) return Number.POSITIVE_INFINITY;
  const span = wanted.reduce((most, value) => Math.max(most, Math.abs(value)), 1e-3);
  const worst = wanted.reduce((most, value, i) => Math.max(most, Math.abs(value - got[i])), 0);
  return Number.isFinite(worst) ? worst / span : Number.POSITIVE_INFINITY;
}

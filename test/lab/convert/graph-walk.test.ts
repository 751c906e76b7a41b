import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as tf from '@tensorflow/tfjs';
import { expect, it } from 'vitest';
import { TfWalk } from '../../../src/lab/convert/graph/walk.js';
import { openSource } from '../../../src/lab/convert/index.js';
import { saveModel } from '../../../src/lab/train/model-files.js';

const node = (name: string, op: string, inputs: string[]) => ({ name, op, inputs, attrs: {} });
const refusal = (...nodes: ReturnType<typeof node>[]) => {
  const walk = new TfWalk('x', { nodes, functions: new Map() }, () => undefined);
  try {
    walk.run([`${nodes.at(-1)!.name}:0`], new Map());
  } catch (error) {
    return (error as Error).message;
  }
  return 'nothing was refused';
};

it('all operations that cannot be converted are named at once, those behind others too', () => {
  const message = refusal(
    node('spectrum', 'RFFT', []),
    node('size', 'ComplexAbs', ['spectrum']),
    node('top', 'TopKV2', ['size']),
  );
  for (const part of ["TopKV2 (at 'top')", "ComplexAbs (at 'size')", "RFFT (at 'spectrum')"]) {
    expect(message).toContain(part);
  }
});

it('a recurrent layer is told as what it is, not by the parts of its loop', () => {
  const loop = [node('list', 'TensorListReserve', []), node('loop', 'While', ['list'])];
  const message = refusal(...loop, node('stack', 'TensorListStack', ['loop']));
  expect(message).toMatch(/TensorListStack .*a recurrent layer; save the model as \.keras or \.h5/);
  expect(message).not.toMatch(/Reserve/);
});

it('a model with a size left open is compared with its own program at the size given', async () => {
  const model = tf.sequential({
    layers: [
      tf.layers.conv1d({ inputShape: [null as unknown as number, 1], filters: 3, kernelSize: 3, name: 'waves' }),
      tf.layers.globalMaxPooling1d({ name: 'most' }),
      tf.layers.dense({ units: 2, name: 'logits' }),
    ],
  });
  const folder = join(mkdtempSync(join(tmpdir(), 'slothd-open-')), 'open');
  await saveModel(model, folder);
  const source = await openSource(join(folder, 'model.json'), { inputShapes: new Map([['', [20, 1]]]) });
  const reference = await source.reference!();
  const [answers] = await reference.run([[new Float32Array(20).fill(1)], [new Float32Array(20)]]);
  expect(answers).toHaveLength(4);
  reference.close();
});

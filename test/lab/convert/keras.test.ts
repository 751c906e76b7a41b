import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { readKerasArchive, readKerasH5 } from '../../../src/lab/convert/keras/read.js';
import { kerasToOnnx } from '../../../src/lab/convert/keras/to-onnx.js';
import { difference, runOnnx } from '../onnx/support.js';
import { unpackModels } from './fixtures.js';

const { folder, answers } = unpackModels();
const files = [...answers.keys()].filter((name) => /\.(keras|h5)$/.test(name));

describe('models that Keras made answer as they did there', () => {
  it.each(files)('%s', async (file) => {
    const read = file.endsWith('.h5') ? readKerasH5 : readKerasArchive;
    const { graph, weights } = await read(join(folder, file));
    const onnx = kerasToOnnx(graph, weights, { name: 'test' });
    const { inputs, outputs } = answers.get(file)!;
    expect(difference(await runOnnx(onnx, inputs, 3), outputs)).toBeLessThan(2e-5);
  });

  it('covers every kind of file', () => {
    expect(files.length).toBeGreaterThan(14);
  });
});

import { cpSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { openSource } from '../../../src/lab/convert/index.js';
import { difference, runOnnx } from '../onnx/support.js';
import { unpackModels } from './fixtures.js';

const { folder, answers } = unpackModels();

describe('a TensorFlow SavedModel', () => {
  it.each(['saved_cnn.v3', 'saved_cnn.v2', 'saved_unet.v3'])('answers as it did in TensorFlow: %s', async (name) => {
    const { onnx } = await openSource(join(folder, name));
    const { inputs, outputs } = answers.get(name)!;
    expect(difference(await runOnnx(onnx, inputs, 3), outputs)).toBeLessThan(2e-5);
    // Convolutions in one dimension, channels first throughout.
    expect(onnx.graph.nodes.filter(({ op }) => op === 'Transpose').length).toBeLessThanOrEqual(6);
    for (const { op, attributes } of onnx.graph.nodes) {
      if (op === 'Conv') expect(attributes.kernel_shape).toMatchObject({ value: { length: 1 } });
    }
  });

  it('is refused with a word on what is wrong when its files are damaged', async () => {
    for (const [file, message] of [
      [
        'saved_model.pb',
        /not a (readable )?(TensorFlow )?SavedModel|refers to|no signature|holds? no|calls a function/,
      ],
      ['variables/variables.index', /checkpoint index/],
      ['variables/variables.data-00000-of-00001', /data file ends|holds no variable/],
    ] as const) {
      const copy = join(folder, `broken-${file.replaceAll('/', '-')}`);
      cpSync(join(folder, 'saved_cnn.v3'), copy, { recursive: true });
      const bytes = readFileSync(join(copy, file));
      writeFileSync(join(copy, file), bytes.subarray(0, Math.floor(bytes.length * 0.4)));
      await expect(openSource(copy)).rejects.toThrow(message);
    }
  });
});

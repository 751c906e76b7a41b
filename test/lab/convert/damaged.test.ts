import { mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { unzipSync, zipSync } from 'fflate';
import { describe, expect, it } from 'vitest';
import { ConvertError, openSource } from '../../../src/lab/convert/index.js';
import { UnsupportedLayerError } from '../../../src/lab/onnx/index.js';
import { seededRandom } from '../../../src/lab/random.js';
import { unpackModels } from './fixtures.js';

const { folder } = unpackModels();
const work = mkdtempSync(join(tmpdir(), 'slothd-damaged-'));
const good = readFileSync(join(folder, 'plain_cnn.v3.keras'));

const write = (name: string, bytes: Uint8Array) => {
  writeFileSync(join(work, name), bytes);
  return join(work, name);
};

/** The archive with its architecture changed. */
function edited(name: string, edit: (config: never) => void): string {
  const files = unzipSync(good);
  const config = JSON.parse(Buffer.from(files['config.json']!).toString()) as never;
  edit(config);
  return write(name, zipSync({ ...files, 'config.json': Buffer.from(JSON.stringify(config)) }, { level: 0 }));
}

describe('a damaged .keras file', () => {
  it('is never taken for a sound one, and never ends in an error of ours', async () => {
    const random = seededRandom(4);
    for (let i = 0; i < 60; i++) {
      const bytes = Buffer.from(good);
      const at = Math.floor(random() * bytes.length);
      bytes[at]! ^= 1 << Math.floor(random() * 8);
      const file = write('flipped.keras', i % 3 === 0 ? bytes.subarray(0, at) : bytes);
      const error = await openSource(file).then(
        () => null,
        (reason: Error) => reason,
      );
      // What is not needed (times, names of other parts) may be damaged.
      if (error) expect(error, `byte ${at}`).toBeInstanceOf(ConvertError);
    }
    const files = unzipSync(good);
    const packed = Buffer.from(zipSync(files, { level: 0 }));
    packed[packed.indexOf(Buffer.from(files['model.weights.h5']!)) + 3000]! ^= 16;
    await expect(openSource(write('weights.keras', packed))).rejects.toThrow(
      /checksum does not fit 'model.weights.h5'/,
    );
  });

  it('does not fill the memory', async () => {
    const files = { ...unzipSync(good), 'model.weights.h5': new Uint8Array(1000) };
    const packed = Buffer.from(zipSync(files));
    // The index says how much each entry unpacks to.
    for (let at = packed.indexOf('PK\x01\x02'); at >= 0; at = packed.indexOf('PK\x01\x02', at + 1)) {
      packed.writeUInt32LE(0x7fffffff, at + 24);
    }
    await expect(openSource(write('bomb.keras', packed))).rejects.toThrow(/unpacks to more than 1 GiB/);
  });

  it.each([
    ['layers that are none', (config: { config: { layers: unknown[] } }) => config.config.layers.splice(1, 1, 5)],
    ['no config', (config: { config: unknown }) => Object.assign(config, { config: 7 })],
    [
      'sizes that are none',
      (config: { config: { layers: { config: object }[] } }) => {
        for (const layer of config.config.layers)
          Object.assign(layer.config, { kernel_size: 'x', strides: [0], units: {} });
      },
    ],
  ] as [string, (config: never) => void][])('is refused with a word: %s', async (_, edit) => {
    const error = await openSource(edited('edited.keras', edit)).catch((reason: Error) => reason);
    expect(error instanceof ConvertError || error instanceof UnsupportedLayerError, String(error)).toBe(true);
  });
});

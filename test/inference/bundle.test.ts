import { rmSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { loadBundle, pickVariant } from '../../src/inference/bundle/load.js';
import { BundleError } from '../../src/inference/bundle/manifest.js';
import { TINY_BEAT, tinyBundle } from './helpers.js';

describe('loadBundle', () => {
  it('reads a sound bundle with the bytes of each variant', async () => {
    const bundle = await loadBundle(TINY_BEAT);
    expect(bundle.manifest.name).toBe('tiny-beat');
    for (const variant of bundle.manifest.variants) expect(bundle.files.get(variant.id)?.length).toBe(variant.bytes);
    expect(pickVariant(bundle.manifest).id).toBe('int8');
    expect(pickVariant(bundle.manifest, 'fp32').file).toBe('model.fp32.onnx');
    expect(() => pickVariant(bundle.manifest, 'int4')).toThrow(/no variant "int4".*fp32, int8/);
  });

  const refused: [string, Parameters<typeof tinyBundle>[0], RegExp][] = [
    [
      'a missing folder',
      (_, dir) => rmSync(join(dir, 'model.fp32.onnx')),
      /model\.fp32\.onnx: cannot be read \(ENOENT\)/,
    ],
    ['a cut file', (_, dir) => truncateSync(join(dir, 'model.int8.onnx'), 100), /holds 100 bytes, the manifest says/],
    [
      'a changed file of the same length',
      (m, dir) => writeFileSync(join(dir, 'model.int8.onnx'), new Uint8Array(m.variants[1]?.bytes ?? 0)),
      /model\.int8\.onnx: its sha256 is [0-9a-f]{64}, the manifest says/,
    ],
    ['a newer schema', (m) => Object.assign(m, { schema: 2 }), /manifest\.json: schema: /],
    ['an unknown key', (m) => Object.assign(m, { surprise: 1 }), /surprise/],
    [
      'a path as a file',
      (m) => Object.assign(m.variants[0] ?? {}, { file: '../x.onnx' }),
      /variants\[0\]\.file: .*path/,
    ],
    ['a hidden file', (m) => Object.assign(m.variants[0] ?? {}, { file: '..' }), /variants\[0\]\.file/],
    ['an unknown default', (m) => Object.assign(m, { defaultVariant: 'int4' }), /defaultVariant: names no variant/],
    ['offsets of a wrong length', (m) => m.output.logitOffsets?.pop(), /output\.logitOffsets: must hold one number/],
    ['a golden case of a wrong size', (m) => m.golden.inputs[1]?.[0]?.pop(), /golden\.inputs\[1\]\[0\]: must hold 4/],
    ['no golden outputs', (m) => delete m.golden.outputs.int8, /golden\.outputs\.int8: must hold 3 cases/],
    ['no tolerance', (m) => delete m.golden.tolerance.fp32, /golden\.tolerance\.fp32/],
    ['a doubled variant', (m) => Object.assign(m.variants[1] ?? {}, { id: 'fp32' }), /a variant id appears twice/],
  ];
  it.each(refused)('refuses %s and says which', async (_, edit, message) => {
    const error = await loadBundle(tinyBundle(edit)).catch((reason) => reason);
    expect(error).toBeInstanceOf(BundleError);
    expect(error.message).toMatch(message);
  });

  it('refuses a manifest that is no JSON, and a folder without one', async () => {
    const dir = tinyBundle();
    writeFileSync(join(dir, 'manifest.json'), '{"schema": 1,');
    await expect(loadBundle(dir)).rejects.toThrow(/manifest\.json: is not JSON/);
    await expect(loadBundle(join(dir, 'nowhere'))).rejects.toThrow(/nowhere.manifest\.json: cannot be read \(ENOENT\)/);
  });
});

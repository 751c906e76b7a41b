import { readdirSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { SHIPPED_MODELS } from '../../src/daemon/models.js';
import { loadBundle } from '../../src/inference/bundle/load.js';
import { NATIVE_RUNTIME, WASM_RUNTIME } from '../../src/inference/host/messages.js';
import { importRuntime, openModel } from '../../src/inference/host/session.js';

describe('the WASM runtime', () => {
  it.each(readdirSync(SHIPPED_MODELS))('%s: every variant computes what it does natively', async (name) => {
    const dir = `${SHIPPED_MODELS}${name}`;
    const { manifest } = await loadBundle(dir);
    const runtimes = await Promise.all([NATIVE_RUNTIME, WASM_RUNTIME].map(importRuntime));
    for (const { id } of manifest.variants) {
      // Opening compares the golden vectors within their tolerance; the inputs between them are tried here.
      const request = { slot: 'model', dir, variant: id };
      const { runnable: native } = await openModel(runtimes[0]!, NATIVE_RUNTIME, request, 0);
      const { runnable: wasm } = await openModel(runtimes[1]!, WASM_RUNTIME, request, 0);
      expect([native.loaded.runtime, wasm.loaded.runtime]).toEqual(['native', 'wasm']);
      const allowed = manifest.golden.tolerance[id] as number;
      for (const golden of manifest.golden.inputs.slice(0, 4)) {
        const inputs = golden.map((values) =>
          Float32Array.from(values, (value, at) => value * (1 + 0.1 * Math.sin(at))),
        );
        const expected = await native.run(inputs, 1);
        const got = await wasm.run(inputs, 1);
        expect(got).toHaveLength(expected.length);
        expected.forEach((value, at) => {
          expect(Math.abs(value - (got[at] ?? Number.NaN)), `${id}, output ${at}`).toBeLessThanOrEqual(allowed);
        });
      }
    }
  });
});

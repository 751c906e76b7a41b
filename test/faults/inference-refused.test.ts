import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { item, makeRunner, swapFile, TINY_BEAT, tinyBundle, until } from '../inference/helpers.js';

async function stateOf(options: Parameters<typeof makeRunner>[0]) {
  const runner = makeRunner(options);
  runner.start();
  return { runner, state: await runner.settled() };
}

describe('story 10: the native library does not load', () => {
  it('is down with the reason, answers null, keeps no process and does not try for ever', async () => {
    const { runner, state } = await stateOf({ runtimes: [{ runtime: 'native', module: 'onnxruntime-of-nowhere' }] });
    expect(state).toBe('down');
    expect(runner.reason).toMatch(/onnxruntime-of-nowhere does not load: .*Cannot find package/);
    expect(await runner.infer('beat', item(1))).toBeNull();
    expect(runner.info('beat')).toBeNull();
    await until(() => runner.stats().hostPid === null, 'the end of the process');
    expect(runner.stats()).toMatchObject({ hostPid: null, generation: 1, respawns: 0 });
  });

  it('may kill the process while loading (illegal instruction): down with the signal', async () => {
    const dir = tinyBundle();
    const module = join(dir, 'illegal.mjs');
    writeFileSync(module, "process.kill(process.pid, 'SIGILL'); await new Promise(() => setTimeout(() => {}, 1e6));");
    const { runner, state } = await stateOf({ runtimes: [{ runtime: 'native', module }] });
    expect(state).toBe('down');
    expect(runner.reason).toMatch(/died \(SIGILL\)/);
  });
});

describe('story 11: a bundle that is wrong', () => {
  const refused: [string, Parameters<typeof tinyBundle>[0], RegExp][] = [
    [
      'corrupt',
      (m, dir) => writeFileSync(join(dir, 'model.fp32.onnx'), new Uint8Array(m.variants[0]?.bytes ?? 0)),
      /sha256/,
    ],
    [
      'no ONNX at all, though its hash is right',
      (m, dir) => {
        writeFileSync(join(dir, 'noise.onnx'), Buffer.alloc(200, 7));
        swapFile(m, dir, 'fp32', 'noise.onnx');
      },
      /beat: .*protobuf/i,
    ],
    [
      'computing something else',
      (m) => m.golden.outputs.fp32?.[1]?.splice(0, 1, 0.2),
      /golden case 1 of variant fp32: differs by 0\.100, allowed is 0\.00001/,
    ],
    ['with an input of another name', (m) => Object.assign(m.inputs[0] ?? {}, { name: 'eeg' }), /no input "eeg"/],
    ['with another output', (m) => Object.assign(m.output, { name: 'probabilities' }), /no output "probabilities"/],
    [
      'with inputs of another shape',
      (m) => {
        Object.assign(m.inputs[0] ?? {}, { shape: [3] });
        for (const inputs of m.golden.inputs) inputs[0]?.pop();
      },
      /input "ecg" has shape \[N,4\], the manifest says \[N,3\]/,
    ],
  ];
  it.each(refused)('%s: refused with the reason', async (_, edit, reason) => {
    const { runner, state } = await stateOf({ models: { beat: tinyBundle(edit) } });
    expect(state).toBe('down');
    expect(runner.reason).toMatch(reason);
    expect(runner.info('beat')).toBeNull();
    expect(await runner.infer('beat', item(1))).toBeNull();
  });

  it('a refused model leaves the others working, and the state says which it is', async () => {
    const bad = tinyBundle((m) => m.golden.outputs.fp32?.[1]?.splice(0, 1, 0.2));
    const { runner, state } = await stateOf({ models: { beat: TINY_BEAT, other: bad } });
    expect(state).toBe('down');
    expect(runner.reason).toMatch(/^other: golden case 1/);
    expect(await runner.infer('beat', item(1))).not.toBeNull();
    expect(await runner.infer('other', item(1))).toBeNull();
  });

  it('auto passes over a variant that computes wrongly on this machine, and says why', async () => {
    const dir = tinyBundle((m) => m.golden.outputs.int8?.[0]?.splice(0, 1, 50));
    const { runner, state } = await stateOf({ models: { beat: dir }, variant: 'auto', timingMs: 5 });
    expect(state).toBe('ready');
    expect(runner.model('beat')).toMatchObject({ variant: 'fp32' });
    expect(runner.model('beat')?.trials).toContainEqual({
      variant: 'int8',
      medianMs: null,
      refused: expect.stringMatching(/golden case 0 of variant int8/),
    });
  });

  it('can be mended and started again', async () => {
    const dir = tinyBundle();
    const path = join(dir, 'manifest.json');
    const sound = readFileSync(path);
    writeFileSync(path, '{}');
    const { runner, state } = await stateOf({ models: { beat: dir } });
    expect(state).toBe('down');
    await until(() => runner.stats().hostPid === null, 'the end of the first host');
    writeFileSync(path, sound);
    runner.start();
    await until(() => runner.state() === 'ready', 'the second start');
    expect(await runner.infer('beat', item(1))).not.toBeNull();
  });
});

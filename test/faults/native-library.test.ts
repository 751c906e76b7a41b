import { spawn } from 'node:child_process';
import { cpSync, mkdirSync, readdirSync, realpathSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { NATIVE_RUNTIME, WASM_RUNTIME } from '../../src/inference/host/messages.js';
import { makeScenario } from '../../src/simulator/scenario.js';
import { startLive } from '../e2e/support/live.js';
import { afterwards, pause, temporaryFolder, until } from '../e2e/support/world.js';
import { item, makeRunner } from '../inference/helpers.js';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));

/** What becomes of the native library; each is a way that users of onnxruntime-node reported. */
const BROKEN: Record<string, { plant(binding: string, folder: string): void; why: RegExp }> = {
  'the binding is missing (32-bit, or a platform without a binary)': {
    plant: (binding) => writeFileSync(join(binding, 'index.js'), "require('../bin/napi-v6/linux/mips/no.node');"),
    why: /onnxruntime-node does not load: Cannot find module/,
  },
  'the binding is for another C library or CPU (musl, 32-bit)': {
    plant: (binding, folder) => {
      writeFileSync(join(folder, 'other.node'), 'no ELF file');
      writeFileSync(join(binding, 'index.js'), "require('../other.node');");
    },
    why: /onnxruntime-node does not load: .*(invalid ELF header|file too short)/,
  },
  'an instruction that this CPU does not know': {
    plant: (binding) => writeFileSync(join(binding, 'index.js'), "process.kill(process.pid, 'SIGILL'); for (;;);"),
    why: /the native runtime does not start here \(the model host died \(SIGILL\)\)/,
  },
};

/** slothd as installed, with everything of this checkout but the native library, which is spoilt. */
function installedWith(plant: (binding: string, folder: string) => void): string {
  const root = temporaryFolder();
  cpSync(join(ROOT, 'dist'), join(root, 'dist'), { recursive: true });
  cpSync(join(ROOT, 'package.json'), join(root, 'package.json'));
  symlinkSync(join(ROOT, 'models'), join(root, 'models'));
  mkdirSync(join(root, 'node_modules'));
  const modules = realpathSync(join(ROOT, 'node_modules'));
  for (const name of readdirSync(modules)) {
    if (name !== 'onnxruntime-node' && !name.startsWith('.'))
      symlinkSync(join(modules, name), join(root, 'node_modules', name));
  }
  const folder = join(root, 'node_modules/onnxruntime-node');
  mkdirSync(join(folder, 'dist'), { recursive: true });
  cpSync(join(modules, 'onnxruntime-node/package.json'), join(folder, 'package.json'));
  plant(join(folder, 'dist'), folder);
  return root;
}

/** `slothd run` of that installation. */
async function startFrom(root: string) {
  const folder = temporaryFolder();
  const file = join(folder, 'slothd.yaml');
  const config = {
    node: 'ward-3',
    stateDir: join(folder, 'state'),
    sensors: [{ name: 'chest', format: 'ad8232', link: { type: 'tcp', host: '127.0.0.1', port: 9 } }],
    inference: { timingMs: 0 },
    mqtt: { enabled: false },
    http: { port: 0 },
  };
  writeFileSync(file, JSON.stringify(config));
  const child = spawn(process.execPath, [join(root, 'dist/main.js'), 'run', '--config', file], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  afterwards(
    () =>
      new Promise<void>((resolve) => {
        child.once('exit', () => resolve());
        child.kill('SIGTERM');
      }),
  );
  let output = '';
  child.stdout.on('data', (chunk: Buffer) => {
    output += chunk.toString();
  });
  const url = await until(
    () => `the dashboard: ${output}`,
    () => /"dashboard":"([^"]+)"/.exec(output)?.[1],
    30_000,
  );
  return async (path: string) => {
    const response = await fetch(new URL(path, url));
    return { status: response.status, text: await response.text() };
  };
}

type Get = Awaited<ReturnType<typeof startFrom>>;

/** What /readyz says once it says something of that kind. */
async function readyzWith(get: Get, pattern: RegExp) {
  for (;;) {
    const readyz = await get('/readyz');
    if (pattern.test(readyz.text)) return readyz;
    await pause(100);
  }
}

describe('story 10: the native library does not load', () => {
  it.each(Object.entries(BROKEN))('%s: the WASM runtime takes over and says why', async (_, { plant, why }) => {
    const get = await startFrom(installedWith(plant));
    const readyz = await readyzWith(get, /"ready":true/);
    expect(readyz.status).toBe(200);
    expect(JSON.parse(readyz.text).notes.join()).toMatch(/runs on the wasm runtime/);
    expect(JSON.parse(readyz.text).notes.join()).toMatch(why);
    const about = JSON.parse((await get('/about')).text);
    expect(about.models.length).toBeGreaterThan(0);
    for (const { runtime } of about.models) expect(runtime).toBe('wasm');
    expect(about.inference.note).toMatch(why);
    // The dashboard's box of the model shows runtime and note out of this.
    const { health } = JSON.parse((await get('/status')).text);
    expect(health.model).toMatchObject({ runtime: 'wasm', note: expect.stringMatching(why) });
    expect((await get('/metrics')).text).toMatch(/slothd_model_info\{name="beat-ecg",.*runtime="wasm"\} 1/);
  });

  it('rules go on alone where nothing loads, and /readyz names both reasons', async () => {
    const root = installedWith(BROKEN['an instruction that this CPU does not know']!.plant);
    rmSync(join(root, 'node_modules/onnxruntime-web'));
    const get = await startFrom(root);
    const readyz = await readyzWith(get, /onnxruntime-web does not load/);
    expect(readyz.status).toBe(503);
    expect(readyz.text).toMatch(/SIGILL.*onnxruntime-web does not load.*rules go on without it/);
    expect((await get('/livez')).status).toBe(200);
  });

  it('on WASM a heart is judged as ever: beats get their answers', async () => {
    const scenario = makeScenario({ episodes: [{ rhythm: 'sinus', bpm: 100, seconds: 600 }] });
    const world = await startLive([{ name: 'chest', scenario }], {
      inference: { runtime: 'wasm', deadlineMs: 5000, timingMs: 0 },
    });
    await until('five answers', () => world.stats().items >= 5, 30_000);
    expect(world.stats()).toMatchObject({ faults: 0, respawns: 0 });
  });

  it('hosts that die again and again: another precision, then WASM, each step announced', async () => {
    const told: string[] = [];
    const runner = makeRunner({
      runtimes: [NATIVE_RUNTIME, WASM_RUNTIME],
      onState: (_, reason) => told.push(reason),
    });
    runner.start();
    await runner.settled();
    for (let round = 0; round < 5; round++) {
      await until('a host', () => runner.state() === 'ready', 30_000);
      expect(runner.info('beat')?.runtime, `round ${round}`).toBe('native');
      process.kill(runner.stats().hostPid as number, 'SIGKILL');
      await until('its end', () => runner.state() !== 'ready');
    }
    await until('WASM', () => runner.state() === 'ready', 30_000);
    expect(runner.info('beat')?.runtime).toBe('wasm');
    expect(runner.note).toMatch(/runs on the wasm runtime: hosts with the native runtime died again and again/);
    expect(told.join('\n')).toMatch(/3 deaths in a row: beat runs int8 instead of fp32/);
    expect(await runner.infer('beat', item(1))).not.toBeNull();
  });
});

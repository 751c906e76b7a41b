import { execFile, spawn } from 'node:child_process';
import { cpSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';
import { afterwards, freePort, temporaryFolder, until } from '../e2e/support/world.js';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));
const MAIN = join(ROOT, 'dist/main.js');

function slothd(...args: string[]): Promise<{ code: number; output: string }> {
  return new Promise((resolve) => {
    execFile(process.execPath, [MAIN, ...args], (error, stdout, stderr) =>
      resolve({ code: error ? Number(error.code) : 0, output: stdout + stderr }),
    );
  });
}

it('slothd model install, activate and rollback change the running daemon; a bad bundle changes nothing', async () => {
  const folder = temporaryFolder();
  const file = join(folder, 'slothd.yaml');
  const port = await freePort();
  const config = {
    stateDir: join(folder, 'state'),
    sensors: [{ name: 'chest', format: 'ad8232', link: { type: 'tcp', host: '127.0.0.1', port: 9 } }],
    inference: { timingMs: 0 },
    mqtt: { enabled: false },
    http: { port },
  };
  writeFileSync(file, JSON.stringify(config));
  const daemon = spawn(process.execPath, [MAIN, 'run', '--config', file], { stdio: ['ignore', 'pipe', 'inherit'] });
  afterwards(
    () =>
      new Promise<void>((resolve) => {
        daemon.once('exit', () => resolve());
        daemon.kill();
      }),
  );
  let log = '';
  daemon.stdout.on('data', (chunk: Buffer) => {
    log += chunk.toString();
  });
  await until('the model', () => log.includes('"inference ready"'), 30_000);

  const bundle = join(folder, 'newer');
  cpSync(join(ROOT, 'models/beat-ecg'), bundle, { recursive: true });
  const manifest = JSON.parse(readFileSync(join(bundle, 'manifest.json'), 'utf8'));
  writeFileSync(join(bundle, 'manifest.json'), JSON.stringify({ ...manifest, version: '9.1' }));
  const installed = await slothd('model', 'install', bundle, '--activate', '--config', file);
  expect(installed.output).toMatch(/installed beat-ecg@9\.1-[0-9a-f]{8}/);
  expect(installed.output).toMatch(/beat-ecg@9\.1-[0-9a-f]{8} \(.*\) runs in the daemon/);
  expect(installed.code).toBe(0);
  const about = async () => (await fetch(`http://127.0.0.1:${port}/about`)).text();
  expect(await about()).toMatch(/"bundle":"beat-ecg@9\.1-/);
  expect((await slothd('model', 'list', '--config', file)).output).toMatch(/\* beat-ecg@9\.1-/);

  // What is named is what runs, not what came with slothd.
  const id = /beat-ecg@(9\.1-\w+)/.exec(installed.output)?.[1] ?? '';
  expect((await slothd('model', 'inspect', 'beat-ecg', '--config', file)).output).toContain('beat-ecg 9.1 ');
  expect((await slothd('model', 'inspect', `beat-ecg@${id}`, '--config', file)).output).toContain('beat-ecg 9.1 ');
  expect((await slothd('model', 'inspect', 'beat-ecg@shipped', '--config', file)).output).not.toContain(' 9.1 ');

  writeFileSync(join(bundle, 'model.onnx'), 'not a model');
  const refused = await slothd('model', 'install', bundle, '--activate', '--config', file);
  expect(refused).toMatchObject({ code: 1, output: expect.stringMatching(/model\.onnx/) });
  expect(await about()).toMatch(/"bundle":"beat-ecg@9\.1-/);

  const back = await slothd('model', 'rollback', 'beat-ecg', '--config', file);
  expect(back).toMatchObject({ code: 0, output: expect.stringMatching(/back to shipped[\s\S]*runs in the daemon/) });
  expect(await about()).toMatch(/"bundle":"beat-ecg"/);
  expect(log).toMatch(/swapped without a pause: beat: beat-ecg@9\.1/);
});

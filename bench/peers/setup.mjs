// Installs what people would use instead into bench/peers/env (not committed, no dependency of slothd): a Python environment
// and Node-RED with a Node of its own. Takes some minutes and 2 GB. Usage: node bench/peers/setup.mjs [--tensorflow]
import { spawnSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const here = (path) => fileURLToPath(new URL(path, import.meta.url));
const ENV = here('./env');
const run = (command, args, cwd = ENV) => {
  console.log(`$ ${command} ${args.join(' ')}`);
  const { status, error } = spawnSync(command, args, { cwd, stdio: 'inherit' });
  if (status !== 0) {
    console.error(`that failed (${error?.message ?? `exit ${status}`}); its peers will be skipped`);
    return false;
  }
  return true;
};

mkdirSync(join(ENV, 'node-red'), { recursive: true });
if (run('python3', ['-m', 'venv', join(ENV, 'venv')])) {
  const pip = join(ENV, 'venv/bin/pip');
  run(pip, ['install', '-q', '-r', here('./requirements.txt')]);
  if (process.argv.includes('--tensorflow')) run(pip, ['install', '-q', '-r', here('./requirements-tensorflow.txt')]);
}
// node-linux-<arch> carries the Node that Node-RED's current release asks for; no install script runs.
writeFileSync(join(ENV, 'node-red/package.json'), '{ "private": true }\n');
run(
  'npm',
  [
    ...['install', '--ignore-scripts', '--no-audit', '--no-fund'],
    ...['node-red@5.0.7', 'node-red-node-serialport@2.0.3', 'onnxruntime-node@1.27.0', `node-linux-${process.arch}@24`],
  ],
  join(ENV, 'node-red'),
);

// The file store that mqtt.js' own documents name, for bench:outbox.
mkdirSync(join(ENV, 'mqtt-store'), { recursive: true });
writeFileSync(join(ENV, 'mqtt-store/package.json'), '{ "private": true }\n');
run(
  'npm',
  ['install', '--ignore-scripts', '--no-audit', '--no-fund', 'mqtt-jsonl-store@0.3.1'],
  join(ENV, 'mqtt-store'),
);

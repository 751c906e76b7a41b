// How many ECG sensors one core carries: bytes -> decode -> beats, quality, windows -> alarms, in this process, in real time.
// The model itself runs in another process in slothd and is left out here: its windows are built, its answer is "none".
// Usage: npm run bench:capacity -- [--sensors 1,10,100,500,1000] [--seconds 20]
import { parseArgs } from 'node:util';
import { AlarmEngine } from '../dist/alarm/engine.js';
import { configSchema } from '../dist/config/schema.js';
import { BeatClassifier } from '../dist/daemon/beat-classifier.js';
import { Pipeline } from '../dist/daemon/pipeline.js';
import { alarmTraits } from '../dist/daemon/station.js';
import { loadBundle } from '../dist/inference/bundle/load.js';
import { findFormat } from '../dist/sensor/formats/registry.js';
import { exactSampleClock } from '../dist/sensor/sample-clock.js';
import { cpuSeconds, percentile } from './lib/processes.mjs';
import { save, table } from './lib/report.mjs';
import { ecgLines } from './wire/signals.mjs';
import './lib/plain-errors.mjs';

const { values: options } = parseArgs({
  options: { sensors: { type: 'string', default: '1,10,100,500,1000' }, seconds: { type: 'string', default: '20' } },
});
const RATE_HZ = 250;
const CHUNK_MS = 40;
const TICK_MS = 100;
const seconds = Number(options.seconds);
const { manifest } = await loadBundle(new URL('../models/beat-ecg', import.meta.url).pathname);
const settings = configSchema.parse({
  sensors: [{ name: 'a', format: 'ad8232', link: { type: 'tcp', host: 'a', port: 1 } }],
}).alarms;
const format = findFormat('ad8232');
const [writes] = await ecgLines(1, 600);
const chunks = writes.map(({ bytes }) => bytes);

const rows = [];
for (const count of options.sensors.split(',').map(Number)) rows.push(await run(count));
save('capacity', { seconds, rateHz: RATE_HZ, rows });
table(
  ['sensors', 'core used %', 'us per sensor-second', 'chunk -> decided p50 ms', 'p99', 'max', 'alerts', 'RSS MiB'],
  rows.map((row) => [
    row.sensors,
    row.corePercent,
    row.usPerSensorSecond,
    row.p50Ms,
    row.p99Ms,
    row.maxMs,
    row.alerts,
    row.rssMiB,
  ]),
);

/** Chunks arrive evenly spread over their 40 ms; each is timed from when it was due, waiting included. */
async function run(count) {
  let alerts = 0;
  const stations = Array.from({ length: count }, (_, i) => station(i, () => alerts++));
  // Warm: the compiler and every detector's start are not what is measured.
  for (let k = 0; k < 500; k++) for (const each of stations) if ((k + 1) * count <= 200_000) each.feed(k * CHUNK_MS);
  const latencies = new Float64Array(Math.ceil((seconds * 1000) / CHUNK_MS) * count);
  let measured = 0;
  const warmMs = 500 * CHUNK_MS;
  const cpuBefore = cpuSeconds('self');
  const begin = performance.now();
  let round = 0;
  let index = 0;
  let nextTickMs = TICK_MS;
  while (round * CHUNK_MS < seconds * 1000) {
    const nowMs = performance.now() - begin;
    if (nowMs >= nextTickMs) {
      for (const each of stations) each.tick(warmMs + nextTickMs);
      nextTickMs += TICK_MS;
      continue;
    }
    const dueMs = round * CHUNK_MS + (index * CHUNK_MS) / count;
    if (dueMs > nowMs) {
      await new Promise((resolve) => (dueMs - nowMs > 2 ? setTimeout(resolve, 1) : setImmediate(resolve)));
      continue;
    }
    stations[index].feed(warmMs + dueMs);
    latencies[measured++] = performance.now() - begin - dueMs;
    if (++index === count) {
      index = 0;
      round++;
    }
  }
  const wallSeconds = (performance.now() - begin) / 1000;
  const busySeconds = stations.reduce((sum, each) => sum + each.busyMs, 0) / 1000;
  const all = latencies.subarray(0, measured);
  const round2 = (value) => Math.round(value * 100) / 100;
  return {
    sensors: count,
    corePercent: round2((busySeconds / wallSeconds) * 100),
    cpuSeconds: round2(cpuSeconds('self') - cpuBefore),
    usPerSensorSecond: Math.round((busySeconds / wallSeconds / count) * 1e6),
    p50Ms: round2(percentile(all, 0.5)),
    p99Ms: round2(percentile(all, 0.99)),
    maxMs: round2(percentile(all, 1)),
    alerts,
    rssMiB: Math.round(process.memoryUsage.rss() / 2 ** 20),
  };
}

function station(number, onAlert) {
  const carries = format.carries({});
  const stages = { record: () => {} };
  const alarms = new AlarmEngine({
    sensor: `s${number}`,
    settings,
    ...alarmTraits(carries),
    emit: onAlert,
    newId: () => 'id',
    capture: (fromMs, toMs) => pipeline.capture(fromMs, toMs),
    modelInfo: () => null,
  });
  const classifier = new BeatClassifier({
    rateHz: RATE_HZ,
    model: 'beat',
    inference: { infer: () => Promise.resolve(null), state: () => 'ready', info: () => null },
    preprocessing: manifest.preprocessing,
    logitOffsets: [],
    stages,
    nowMs: () => performance.now(),
    causeMs: () => null,
  });
  const pipeline = new Pipeline({
    carries,
    rateHz: RATE_HZ,
    sampleClock: exactSampleClock(RATE_HZ),
    alarms,
    classifier,
    stages,
    nowMs: () => performance.now(),
    listener: {},
  });
  const decoder = format.createDecoder(pipeline, {});
  let at = (number * 37) % chunks.length;
  const timed = (each, work) => {
    const start = performance.now();
    work();
    each.busyMs += performance.now() - start;
  };
  return {
    busyMs: 0,
    feed(tMs) {
      timed(this, () => pipeline.chunk(tMs, () => decoder.push(chunks[at++ % chunks.length])));
    },
    tick(tMs) {
      timed(this, () => pipeline.tick(tMs));
    },
  };
}

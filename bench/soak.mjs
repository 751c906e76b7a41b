// The daemon under faults for hours. Usage: npm run soak -- [--hours 2] [--seed 1]
// Simulated sensors through virtual ports, mosquitto, a consumer with a session of its own. Exit 1 on any violation.
import { spawn } from 'node:child_process';
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { seededRandom } from '../dist/lab/random.js';
import { freePort } from './lib/ports.mjs';
import { save, table } from './lib/report.mjs';
import { Broker } from './soak/broker.mjs';
import { Consumer } from './soak/consumer.mjs';
import { FaultMaker } from './soak/faults.mjs';
import { Figures, hostOf } from './soak/figures.mjs';
import { startSensors } from './soak/sensors.mjs';

const { values: options } = parseArgs({
  options: { hours: { type: 'string', default: '2' }, seed: { type: 'string', default: '1' } },
});
const hours = Number(options.hours);
const seed = Number(options.seed);
if (!(hours > 0) || !Number.isInteger(seed)) {
  console.error('--hours wants a number above 0, --seed a whole number');
  process.exit(1);
}

/**
 * After the last fault: what is open may end, sensors come back, the outbox drains. An alert that came and went for two
 * hours has a clear time of `storm.longestClearMs` (5 min) by then.
 */
const SETTLE_MS = 420_000;
/** Time of all sensors at peace before the first fault. */
const CALM_MS = 20_000;
const CHECK_MS = 5000;
const LIVEZ_MS = 5000;
const START_MS = 60_000;
/** From one hour on a slope says something; below it is printed and not judged. */
const JUDGED_FROM_HOURS = 1;
const MOST_MIB_PER_HOUR = 10;
const MOST_DESCRIPTORS_PER_HOUR = 5;

const folder = mkdtempSync(join(tmpdir(), 'slothd-soak-'));
const random = seededRandom(seed);
const violations = [];
const violated = (text) => {
  violations.push({ atS: Math.round((performance.now() - beganMs) / 1000), text });
  console.log(`VIOLATION ${text}`);
};
const beganMs = performance.now();
const broker = new Broker(folder, await freePort());
await broker.start();
const sensors = await startSensors(folder, seed);
const httpPort = await freePort();
const file = join(folder, 'slothd.yaml');
writeFileSync(
  file,
  JSON.stringify({
    node: 'soak',
    stateDir: join(folder, 'state'),
    sensors: sensors.map(({ name, format, formatOptions, port }) => ({
      name,
      format: format.id,
      options: formatOptions,
      link: { type: 'serial', path: port.path },
    })),
    mqtt: { url: broker.url, reconnectMaxMs: 2000 },
    http: { port: httpPort },
    log: { level: 'warn' },
  }),
);
const consumer = await Consumer.connect(broker.url, 'slothd/soak');
const logFile = openSync(join(folder, 'daemon.log'), 'a');
const daemon = {
  child: null,
  /** False between a kill of ours and the next life's first answer. */
  expected: false,
  async start() {
    const child = spawn(
      process.execPath,
      [fileURLToPath(new URL('../dist/main.js', import.meta.url)), 'run', '-c', file],
      {
        stdio: ['ignore', logFile, logFile],
      },
    );
    this.child = child;
    child.on('exit', (code, signal) => {
      if (this.expected && this.child === child) violated(`the daemon ended by itself: code ${code}, signal ${signal}`);
    });
    const untilMs = performance.now() + START_MS;
    while (!(await answers())) {
      if (performance.now() > untilMs || child.exitCode !== null) {
        throw new Error(`the daemon did not start: ${readFileSync(join(folder, 'daemon.log'), 'utf8').slice(-500)}`);
      }
      await sleep(100);
    }
    this.expected = true;
  },
  async kill(signal) {
    this.expected = false;
    const gone = new Promise((resolve) => this.child.once('exit', resolve));
    this.child.kill(signal);
    await gone;
  },
};
const figures = new Figures();
const faults = new FaultMaker({ random, sensors, broker, daemon, hostOf: () => hostOf(daemon.child.pid) });
let livezAnswers = 0;
let checking = true;
let failure = null;
try {
  await daemon.start();
  const checks = check();
  await sleep(CALM_MS);
  const endMs = beganMs + hours * 3_600_000;
  while (performance.now() < endMs - SETTLE_MS) {
    const done = await faults.next({ lives: performance.now() > beganMs + (endMs - beganMs) / 2 });
    console.log(`${((performance.now() - beganMs) / 1000).toFixed(0).padStart(6)} s  ${done}`);
    await sleep(5000 + random() * 20_000);
  }
  for (const sensor of sensors) sensor.calm();
  console.log('no more faults; every heart is calm');
  while (performance.now() < endMs && consumer.open().length > 0) await sleep(1000);
  await sleep(Math.max(0, Math.min(10_000, endMs - performance.now())));
  checking = false;
  await checks;
  for (const text of consumer.judge(sensors)) violated(text);
} catch (error) {
  failure = error;
  violated(`the soak itself failed: ${error.stack}`);
} finally {
  checking = false;
  if (daemon.child?.exitCode === null) await Promise.race([daemon.kill('SIGTERM'), sleep(10_000)]);
  for (const sensor of sensors) sensor.close();
  await consumer.close();
  await broker.stop();
  closeSync(logFile);
}
report();
if (violations.length === 0) rmSync(folder, { recursive: true, force: true });
else console.log(`log of the daemon: ${join(folder, 'daemon.log')}`);
process.exit(violations.length > 0 ? 1 : 0);

/** Liveness and figures, as long as the soak runs. */
async function check() {
  while (checking) {
    await sleep(CHECK_MS);
    const { child, expected } = daemon;
    if (!expected) continue;
    if (await answers()) livezAnswers++;
    // A kill in the meantime explains the silence.
    else if (daemon.child === child && daemon.expected) violated('/livez gave no answer');
    figures.note(child.pid, (performance.now() - beganMs) / 3_600_000);
  }
}

async function answers() {
  try {
    const response = await fetch(`http://127.0.0.1:${httpPort}/livez`, { signal: AbortSignal.timeout(LIVEZ_MS) });
    await response.arrayBuffer();
    return response.ok;
  } catch {
    return false;
  }
}

function report() {
  const ranHours = (performance.now() - beganMs) / 3_600_000;
  const { daemon: ofDaemon, host: ofHost } = figures.summary();
  if (ranHours >= JUDGED_FROM_HOURS && failure === null) {
    for (const [name, { mibPerHour, descriptorsPerHour }] of Object.entries({ daemon: ofDaemon, host: ofHost })) {
      if (mibPerHour > MOST_MIB_PER_HOUR) violated(`memory of the ${name} grows by ${mibPerHour} MiB an hour`);
      if (descriptorsPerHour > MOST_DESCRIPTORS_PER_HOUR)
        violated(`descriptors of the ${name} grow by ${descriptorsPerHour} an hour`);
    }
  }
  const result = {
    askedHours: hours,
    ranMinutes: Math.round(ranHours * 600) / 10,
    seed,
    faults: faults.counts,
    messages: consumer.messages,
    alerts: consumer.counts(),
    livezAnswers,
    slopesJudged: ranHours >= JUDGED_FROM_HOURS,
    daemon: ofDaemon,
    host: ofHost,
    violations,
  };
  const counts = Object.entries(faults.counts).map(([kind, count]) => `${count} ${kind}`);
  console.log();
  table(
    ['soak', ''],
    [
      ['ran, minutes', result.ranMinutes],
      ['faults', counts.join(', ')],
      ['alerts (distinct), events, delivered twice', Object.values(result.alerts).slice(0, 3).join(', ')],
      ['/livez answered', livezAnswers],
      ['own memory of the daemon, MiB: last, slope an hour', `${ofDaemon.lastMib}, ${ofDaemon.mibPerHour}`],
      ['own memory of the model host, MiB: last, slope an hour', `${ofHost.lastMib}, ${ofHost.mibPerHour}`],
      ['descriptors daemon: last, slope an hour', `${ofDaemon.lastDescriptors}, ${ofDaemon.descriptorsPerHour}`],
      ['violations', violations.length],
    ],
  );
  // A short trial must not take the place of a run that counts.
  if (result.slopesJudged) save('soak', result);
  else console.log(`not kept in bench/results: it ran less than ${JUDGED_FROM_HOURS} h`);
}

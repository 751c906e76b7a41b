// From the wire to the alert, side by side: the same bytes through virtual serial ports in real time into slothd, a Python
// pipeline, Node-RED and an echo program (the floor), to mosquitto, to one MQTT subscriber that takes the time.
// Usage: npm run bench:wire -- [--systems slothd,python,node-red,echo] [--sensors 1,8,64] [--signals rr,ecg]
//        [--seconds 60] [--rounds 3] [--busy]      peers: node bench/peers/setup.mjs
import { spawn } from 'node:child_process';
import { cpus } from 'node:os';
import { parseArgs } from 'node:util';
import { median, percentile } from './lib/processes.mjs';
import { load, save, table } from './lib/report.mjs';
import { measure } from './wire/measure.mjs';
import { ecgLines, rrLines } from './wire/signals.mjs';
import { SYSTEMS } from './wire/systems.mjs';
import './lib/plain-errors.mjs';

const { values: options } = parseArgs({
  options: {
    systems: { type: 'string', default: Object.keys(SYSTEMS).join(',') },
    sensors: { type: 'string', default: '1,8,64' },
    signals: { type: 'string', default: 'rr,ecg' },
    seconds: { type: 'string', default: '60' },
    rounds: { type: 'string', default: '3' },
    busy: { type: 'boolean', default: false },
  },
});
const systems = options.systems.split(',').filter((name) => {
  if (!SYSTEMS[name]) throw new Error(`no system ${name}; there are ${Object.keys(SYSTEMS).join(', ')}`);
  const missing = SYSTEMS[name].missing();
  if (missing) console.log(`${name} is skipped: ${missing}`);
  return !missing;
});
// Known now, and not a quarter of an hour later.
if (options.signals.includes('ecg')) await ecgLines(1, 1);
const seconds = Number(options.seconds);
const rounds = Number(options.rounds);

/** A neighbour on every core that does nothing but compute. */
const neighbours = options.busy
  ? cpus().map(() => spawn(process.execPath, ['-e', 'for (;;) Math.sqrt(Math.random())'], { stdio: 'ignore' }))
  : [];
process.on('exit', () => {
  for (const neighbour of neighbours) neighbour.kill('SIGKILL');
});

const rows = [];
for (const signal of options.signals.split(',')) {
  for (const sensors of options.sensors.split(',').map(Number)) {
    const plan = signal === 'rr' ? rrLines(sensors, seconds) : await ecgLines(sensors, seconds);
    const runs = new Map(systems.map((name) => [name, []]));
    // In turn, so that what else the machine does meets all of them.
    for (let round = 0; round < rounds; round++)
      for (const name of systems) {
        try {
          runs.get(name).push(await measure(SYSTEMS[name], { signal, plan, seconds }));
        } catch (error) {
          console.log(`${name}, ${sensors} sensors, ${signal}: ${error.message}`);
        }
      }
    for (const [name, list] of runs) if (list.length > 0) rows.push(rowOf(name, signal, sensors, list));
    show(rows.filter((row) => row.signal === signal && row.sensors === sensors));
  }
}
const key = (row) => `${row.signal} ${row.sensors} ${row.busy} ${row.system}`;
const fresh = new Set(rows.map(key));
const kept = (load('wire')?.rows ?? []).filter((row) => !fresh.has(key(row)));
const turn = Object.keys(SYSTEMS);
const order = (row) =>
  `${row.busy} ${row.signal} ${String(row.sensors).padStart(5)} ${String(turn.indexOf(row.system)).padStart(2)}`;
save('wire', { rows: [...kept, ...rows].sort((a, b) => order(a).localeCompare(order(b))) });
process.exit(0);

/** Percentiles over all rounds together; the spread is that of the rounds' own. */
function rowOf(system, signal, sensors, list) {
  const ms = (value) => Math.round(value * 100) / 100;
  const all = list.flatMap((run) => run.latenciesMs);
  const inside = list.flatMap((run) => run.insideMs);
  const p99s = list.map((run) => percentile(run.latenciesMs, 0.99));
  return {
    system,
    signal,
    sensors,
    busy: options.busy,
    rounds: list.length,
    seconds,
    events: all.length,
    missed: list.reduce((sum, run) => sum + run.missed, 0),
    surplus: list.reduce((sum, run) => sum + run.surplus, 0),
    p50Ms: ms(percentile(all, 0.5)),
    p99Ms: ms(percentile(all, 0.99)),
    maxMs: ms(Math.max(...all)),
    p99OfRoundsMs: [ms(Math.min(...p99s)), ms(Math.max(...p99s))],
    ...(inside.length > 0
      ? { insideP50Ms: ms(percentile(inside, 0.5)), insideP99Ms: ms(percentile(inside, 0.99)) }
      : {}),
    cpuSecondsPerSensorHour: ms(median(list.map((run) => run.cpuSecondsPerSensorHour))),
    pssMiB: Math.round((median(list.map((run) => run.pssBytes)) / 2 ** 20) * 10) / 10,
    readyMs: Math.round(median(list.map((run) => run.readyMs))),
  };
}

function show(some) {
  const [first] = some;
  if (!first) return;
  console.log(
    `\n${first.sensors} sensor(s), ${first.signal === 'rr' ? 'RR lines' : 'ECG at 250 Hz'}${first.busy ? ', both cores busy' : ''}: last byte written -> alert received, ms`,
  );
  table(
    ['', 'p50', 'p99', 'max', 'p99 of rounds', 'events', 'missed', 'CPU s/sensor-h', 'PSS MiB', 'ready ms'],
    some.map((row) => [
      row.system,
      row.p50Ms,
      row.p99Ms,
      row.maxMs,
      row.p99OfRoundsMs.join('-'),
      row.events,
      row.missed,
      row.cpuSecondsPerSensorHour,
      row.pssMiB,
      row.readyMs,
    ]),
  );
  for (const row of some)
    if (row.insideP99Ms !== undefined)
      console.log(
        `${row.system} itself: bytes arrived -> on the socket, p50 ${row.insideP50Ms}, p99 ${row.insideP99Ms} ms`,
      );
}

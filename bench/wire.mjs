// From the wire to the alert: real recordings through virtual serial ports in real time, into `slothd run`, to a broker,
// to an independent MQTT client. Usage: npm run bench:wire -- [--sensors N] [--seconds N] [--record mitdb/232]
import { spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { Aedes } from 'aedes';
import mqtt from 'mqtt';
import { needDatabase } from '../dist/lab/data/find.js';
import { readRecord } from '../dist/lab/wfdb/index.js';
import { findFormat } from '../dist/sensor/formats/registry.js';
import { VirtualPort } from '../dist/simulator/virtual-port.js';
import { childrenOf, cpuSeconds, percentile, pssBytes } from './lib/processes.mjs';
import { save, table } from './lib/report.mjs';

const { values: options } = parseArgs({
  options: {
    sensors: { type: 'string', default: '8' },
    seconds: { type: 'string', default: '120' },
    record: { type: 'string', default: 'mitdb/232' },
  },
});
const sensors = Number(options.sensors);
const seconds = Number(options.seconds);
const [database, name] = options.record.split('/');
const record = await readRecord(join(needDatabase(database), name));
const { samples } = record.signals[0];
const format = findFormat('protocentral');
const { perUnit, offset } = format.carries({}).waveform.nominal;
const folder = mkdtempSync(join(tmpdir(), 'slothd-bench-'));

const broker = await startBroker();
const ports = [];
for (let i = 0; i < sensors; i++) ports.push(await VirtualPort.open({ link: join(folder, `sensor${i}`) }));
const config = {
  node: 'bench',
  stateDir: join(folder, 'state'),
  // Long intervals are frequent in this record; told as soon as they are over, they make many alerts caused by bytes.
  alarms: { pause: { afterMs: 1500, clearMs: 0 }, storm: { withinMs: 0 } },
  sensors: ports.map((port, i) => ({
    name: `s${i}`,
    format: format.id,
    rateHz: record.rateHz,
    link: { type: 'serial', path: port.path },
  })),
  mqtt: { url: broker.url },
  http: { port: 0 },
};
writeFileSync(join(folder, 'slothd.yaml'), JSON.stringify(config));

/** When the newest bytes were written to each port: an alert comes from them or from time alone. */
const lastWriteMs = new Float64Array(sensors);
const outside = [];
const inside = [];
let alerts = 0;
const subscriber = await mqtt.connectAsync(broker.url);
subscriber.on('message', (topic, payload) => {
  const now = performance.now();
  const alert = JSON.parse(payload.toString());
  if (alert.category !== 'health') return;
  alerts++;
  if (alert.latencyMs === null) return;
  inside.push(alert.latencyMs);
  outside.push(now - lastWriteMs[Number(topic.split('/')[2].slice(1))]);
});
await subscriber.subscribeAsync('slothd/bench/+/alert', { qos: 1 });

const startedMs = performance.now();
const daemon = spawn(process.execPath, ['dist/main.js', 'run', '--config', join(folder, 'slothd.yaml')], {
  stdio: ['ignore', 'ignore', 'inherit'],
});
const ready = new Promise((resolve) => {
  subscriber.on('message', (topic, payload) => {
    if (topic.endsWith('/health') && JSON.parse(payload.toString()).ready) resolve(performance.now() - startedMs);
  });
});
await subscriber.subscribeAsync('slothd/bench/health', { qos: 1 });
const readyMs = await Promise.race([ready, sleep(20_000, Number.NaN)]);

const [host] = childrenOf(daemon.pid);
const cpuBefore = cpuSeconds(daemon.pid) + (host ? cpuSeconds(host) : 0);
const playing = ports.map((port, i) => play(port, i));
await Promise.all(playing);
await sleep(1000);
const cpu = cpuSeconds(daemon.pid) + (host ? cpuSeconds(host) : 0) - cpuBefore;
const pss = { daemon: pssBytes(daemon.pid), host: host ? pssBytes(host) : 0 };
daemon.kill('SIGTERM');
await new Promise((resolve) => daemon.on('exit', resolve));
for (const port of ports) port.close();
await subscriber.endAsync();
await broker.close();
rmSync(folder, { recursive: true });

const ms = (value) => Math.round(value * 100) / 100;
const mib = (value) => Math.round((value / 2 ** 20) * 10) / 10;
const result = {
  record: options.record,
  sensors,
  seconds,
  broker: broker.name,
  alerts,
  causedByBytes: inside.length,
  wireToAlertMs: { p50: ms(percentile(inside, 0.5)), p99: ms(percentile(inside, 0.99)), max: ms(Math.max(...inside)) },
  writeToReceiptMs: {
    p50: ms(percentile(outside, 0.5)),
    p99: ms(percentile(outside, 0.99)),
    max: ms(Math.max(...outside)),
  },
  pssMiB: { daemon: mib(pss.daemon), host: mib(pss.host) },
  cpuShare: Math.round((cpu / seconds) * 1000) / 1000,
  startToReadyMs: Math.round(readyMs),
};
save(`wire-${sensors}`, result);
console.log(
  `${options.record} at ${record.rateHz} Hz through ${sensors} virtual serial port(s), ${seconds} s, broker ${broker.name}`,
);
table(
  ['', 'p50', 'p99', 'max'],
  [
    ['bytes arrived -> on the socket, ms', ...Object.values(result.wireToAlertMs)],
    ['bytes written -> subscriber, ms', ...Object.values(result.writeToReceiptMs)],
  ],
);
console.log(`alert events ${alerts}, caused by bytes ${inside.length}`);
console.log(`memory (PSS) daemon ${result.pssMiB.daemon} MiB, model host ${result.pssMiB.host} MiB`);
console.log(
  `CPU of both ${(result.cpuShare * 100).toFixed(1)} % of one core; start to ready ${result.startToReadyMs} ms`,
);

/** Plays the record in real time, each sensor from another place of it. */
async function play(port, index) {
  const from = Math.floor((index * samples.length) / sensors);
  let bytes = [];
  const encoder = format.createEncoder((chunk) => bytes.push(Buffer.from(chunk)), { rateHz: record.rateHz });
  const begin = performance.now() + index * 3;
  for (let sent = 0; sent < seconds * record.rateHz; ) {
    const due = Math.min(seconds * record.rateHz, Math.floor(((performance.now() - begin) * record.rateHz) / 1000));
    bytes = [];
    for (; sent < due; sent++) {
      encoder.sample(Math.round(offset + samples[(from + sent) % samples.length] * perUnit));
      encoder.frame();
    }
    if (bytes.length > 0) {
      port.write(Buffer.concat(bytes));
      lastWriteMs[index] = performance.now();
    }
    await sleep(20);
  }
}

async function startBroker() {
  const port = await freePort();
  const url = `mqtt://127.0.0.1:${port}`;
  const binary = ['/usr/sbin/mosquitto', 'mosquitto'].find((path) => spawnSync(path, ['-h']).status !== null);
  if (binary) {
    const file = join(folder, 'mosquitto.conf');
    writeFileSync(file, `listener ${port} 127.0.0.1\nallow_anonymous true\npersistence false\n`);
    const process_ = spawn(binary, ['-c', file], { stdio: 'ignore' });
    await sleep(300);
    return { name: 'mosquitto', url, close: async () => void process_.kill() };
  }
  const aedes = await Aedes.createBroker();
  const server = createServer((socket) => aedes.handle(socket));
  await new Promise((resolve) => server.listen(port, '127.0.0.1', resolve));
  return { name: 'aedes', url, close: () => new Promise((resolve) => aedes.close(() => server.close(resolve))) };
}

function freePort() {
  return new Promise((resolve) => {
    const probe = createServer().listen(0, '127.0.0.1', () => {
      const { port } = probe.address();
      probe.close(() => resolve(port));
    });
  });
}

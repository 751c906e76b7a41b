// Alerts stored, sent and acknowledged at QoS 1: slothd's outbox, mqtt.js with a file store (mqtt-jsonl-store) and
// Telegraf with its disk buffer, to the same mosquitto. Usage: npm run bench:outbox -- [--alerts 2000] [--perSecond 50]      peers: node bench/peers/setup.mjs; TELEGRAF=file
import { spawn } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import mqtt from 'mqtt';
import { configSchema } from '../dist/config/schema.js';
import { openLevelStore } from '../dist/daemon/level-store.js';
import { systemClock, systemTimers } from '../dist/daemon/system-clock.js';
import { Delivery } from '../dist/delivery/publisher.js';
import { freePort } from './lib/ports.mjs';
import { cpuSeconds, percentile } from './lib/processes.mjs';
import { save, table } from './lib/report.mjs';
import { startMosquitto } from './wire/measure.mjs';

const { values: options } = parseArgs({
  options: { alerts: { type: 'string', default: '2000' }, perSecond: { type: 'string', default: '50' } },
});
const count = Number(options.alerts);
const perSecond = Number(options.perSecond);
const PEER = fileURLToPath(new URL('./peers/env/mqtt-store/', import.meta.url));
/** A release of it, or built by `go install github.com/influxdata/telegraf/cmd/telegraf@latest` (`-tags custom,...` builds less). */
const TELEGRAF = process.env.TELEGRAF ?? fileURLToPath(new URL('./peers/env/telegraf', import.meta.url));
const log = { debug() {}, info() {}, warn: console.warn, error: console.error };
const folder = mkdtempSync(join(tmpdir(), 'slothd-outbox-'));
const broker = await startMosquitto(folder);
const url = `mqtt://127.0.0.1:${broker.port}`;

/** About what an alert with ten seconds of ECG weighs. */
const samples = Array.from({ length: 2500 }, (_, i) => Math.round(500 + 300 * Math.sin(i / 7)));
const change = (number) => ({
  id: `alert-${number}`,
  event: 'new',
  sequence: 1,
  kind: 'tachycardia',
  priority: 'medium',
  category: 'health',
  sensor: `s${number % 8}`,
  onsetMs: 0,
  raisedMs: 0,
  endedMs: null,
  values: { rateBpm: 160, number },
  evidence: { rrMs: [375, 380, 376], signal: { startAtMs: 0, rateHz: 250, unit: 'count', samples } },
  model: null,
});

const rows = [await bench('slothd', await slothd())];
if (existsSync(join(PEER, 'node_modules/mqtt-jsonl-store')))
  rows.push(await bench('mqtt.js with mqtt-jsonl-store', await fileStore()));
else console.log('mqtt-jsonl-store is skipped: run `node bench/peers/setup.mjs`');
if (existsSync(TELEGRAF)) rows.push(await bench('Telegraf, disk buffer', await telegraf()));
else console.log('Telegraf is skipped: put it at bench/peers/env/telegraf, or name it in TELEGRAF');
save('outbox', { alerts: count, perSecond, bytesPerAlert: JSON.stringify(change(0)).length, rows });
table(
  [
    '',
    'alerts/s in a burst',
    `at ${perSecond}/s: given -> received p50 ms`,
    'p99',
    'max',
    'CPU us/alert',
    'on disk when received',
  ],
  rows.map((row) => [row.system, row.burstPerSecond, row.p50Ms, row.p99Ms, row.maxMs, row.cpuUsPerAlert, row.durable]),
);
broker.stop();
rmSync(folder, { recursive: true, force: true });
process.exit(0);

async function slothd() {
  const config = configSchema.parse({
    node: 'bench',
    sensors: [{ name: 's0', format: 'ad8232', link: { type: 'tcp', host: 'a', port: 1 } }],
    mqtt: { url, outbox: { maxBytes: 512 * 2 ** 20 } },
  });
  const store = await openLevelStore(join(folder, 'level'), log);
  const delivery = new Delivery({
    settings: { mqtt: config.mqtt, homeAssistant: config.homeAssistant, webhook: config.webhook },
    node: 'bench',
    version: '0',
    sensors: [],
    clock: systemClock,
    timers: systemTimers,
    store,
    log,
  });
  await delivery.start();
  while (!delivery.stats().connected) await sleep(20);
  return {
    topic: 'slothd/bench/+/alert',
    durable: 'stored at the same time; removed after fsync and PUBACK',
    give: (number) => delivery.alert(change(number), { arrivedAtMs: performance.now() }, []),
    pending: () => delivery.stats().outbox.entries,
    stop: async () => {
      await delivery.stop();
      await store.close();
    },
  };
}

async function fileStore() {
  const { Manager } = createRequire(join(PEER, 'x.js'))('mqtt-jsonl-store');
  mkdirSync(join(folder, 'jsonl'));
  const manager = new Manager(join(folder, 'jsonl'));
  await manager.open();
  const client = await mqtt.connectAsync(url, {
    clientId: 'peer',
    clean: false,
    protocolVersion: 5,
    properties: { sessionExpiryInterval: 3600 },
    incomingStore: manager.incoming,
    outgoingStore: manager.outgoing,
  });
  let pending = 0;
  return {
    topic: 'peer/+/alert',
    durable: 'no: written some time later, without fsync',
    give(number) {
      pending++;
      client.publish(`peer/s${number % 8}/alert`, JSON.stringify(change(number)), { qos: 1 }, () => pending--);
    },
    pending: () => pending,
    stop: async () => {
      await client.endAsync();
      await manager.close();
    },
  };
}

/**
 * Lines in over TCP, held in its write-ahead log until the broker has them, sent a hundred at once or after 10 ms. One at a
 * time (`metric_batch_size = 1`) each goes at once, and no more than some fifty a second.
 */
async function telegraf() {
  const port = await freePort();
  const file = join(folder, 'telegraf.conf');
  const text = (lines) => lines.map((line) => `${line}\n`).join('');
  writeFileSync(
    file,
    text([
      '[agent]',
      'flush_interval = "10ms"',
      'metric_batch_size = 100',
      'metric_buffer_limit = 1000000',
      'buffer_strategy = "disk"',
      `buffer_directory = "${join(folder, 'telegraf')}"`,
      'omit_hostname = true',
      'quiet = true',
      '[[inputs.socket_listener]]',
      `service_address = "tcp://127.0.0.1:${port}"`,
      'data_format = "value"',
      'data_type = "string"',
      '[[outputs.mqtt]]',
      `servers = ["tcp://127.0.0.1:${broker.port}"]`,
      'topic = "telegraf/s/alert"',
      'qos = 1',
      'data_format = "template"',
      `template = '{{ .Field "value" }}'`,
    ]),
  );
  const child = spawn(TELEGRAF, ['--config', file], { stdio: ['ignore', 'ignore', 'inherit'] });
  const ended = new Promise((resolve) => child.on('exit', resolve));
  let socket = null;
  for (let tries = 0; socket === null; tries++) {
    await sleep(100);
    socket = await new Promise((resolve) => {
      const attempt = connect(port, '127.0.0.1', () => resolve(attempt));
      attempt.on('error', () => resolve(null));
    });
    if (tries > 100) throw new Error('Telegraf does not listen');
  }
  await sleep(500);
  return {
    topic: 'telegraf/s/alert',
    durable: 'its write-ahead log, written before it is sent',
    pid: child.pid,
    give: (number) => socket.write(`${JSON.stringify(change(number))}\n`),
    pending: () => 0,
    stop: async () => {
      socket.destroy();
      child.kill();
      await ended;
    },
  };
}

/** First a burst, for the rate; then one after the other at a steady pace, for the latency. */
async function bench(system, sender) {
  const subscriber = await mqtt.connectAsync(url, { clientId: `harness-${system.length}` });
  const given = new Map();
  const latencies = [];
  let received = 0;
  subscriber.on('message', (_topic, payload) => {
    received++;
    const { number } = JSON.parse(payload.toString()).values;
    latencies.push(performance.now() - given.get(number));
  });
  await subscriber.subscribeAsync(sender.topic, { qos: 1 });
  const settle = async (expected) => {
    const until = performance.now() + 60_000;
    while ((received < expected || sender.pending() > 0) && performance.now() < until) await sleep(5);
    if (received < expected) throw new Error(`${system}: ${expected - received} alerts were not received`);
  };
  const give = (number) => {
    given.set(number, performance.now());
    sender.give(number);
  };
  const cpuOf = () => cpuSeconds('self') + (sender.pid ? cpuSeconds(sender.pid) : 0);
  const cpuBefore = cpuOf();
  const start = performance.now();
  for (let number = 0; number < count; number++) {
    give(number);
    if (number % 20 === 0) await new Promise(setImmediate);
  }
  await settle(count);
  const burstSeconds = (performance.now() - start) / 1000;
  const cpu = cpuOf() - cpuBefore;
  latencies.length = 0;
  const paced = Math.min(count, perSecond * 10);
  const begin = performance.now();
  for (let i = 0; i < paced; i++) {
    await sleep(Math.max(0, begin + (i * 1000) / perSecond - performance.now()));
    give(count + i);
  }
  await settle(count + paced);
  await sender.stop();
  await subscriber.endAsync();
  const ms = (value) => Math.round(value * 100) / 100;
  return {
    system,
    durable: sender.durable,
    burstPerSecond: Math.round(count / burstSeconds),
    p50Ms: ms(percentile(latencies, 0.5)),
    p99Ms: ms(percentile(latencies, 0.99)),
    maxMs: ms(Math.max(...latencies)),
    cpuUsPerAlert: Math.round((cpu / count) * 1e6),
  };
}

// npm run bench:fleet: three nodes of a real broker cluster on loopback, with the shipped config and access rules, and
// slothd's own delivery code for each of many devices. A node is killed and brought back; every alert must arrive.
//   npm run bench:fleet -- [--devices 200] [--alert-every 4000] [--seconds 20] [--no-save]
import { execFileSync, fork, spawn } from 'node:child_process';
import { cpSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { homedir, tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import mqtt from 'mqtt';
import { save, table } from './lib/report.mjs';

const { values } = parseArgs({
  options: {
    devices: { type: 'string', default: '200' },
    'alert-every': { type: 'string', default: '4000' },
    seconds: { type: 'string', default: '20' },
    'no-save': { type: 'boolean', default: false },
  },
});
const DEVICES = Number(values.devices);
const PHASE_MS = Number(values.seconds) * 1000;
const PROCESSES = 4;
const FIRST_PORT = { client: 14221, monitor: 18221, mqtt: 18831, cluster: 16221 };
const config = fileURLToPath(new URL('../config/fleet/', import.meta.url));

const server = [process.env.NATS_SERVER, 'nats-server', join(homedir(), 'go/bin/nats-server')].find((path) => {
  try {
    execFileSync(path, ['--version'], { stdio: 'pipe' });
    return true;
  } catch {
    return false;
  }
});
if (!server) {
  console.error(
    'nats-server is not installed: go install github.com/nats-io/nats-server/v2@latest, or set NATS_SERVER to its path',
  );
  process.exit(1);
}
const brokerVersion = execFileSync(server, ['--version'], { encoding: 'utf8' }).trim();

const folder = mkdtempSync(join(tmpdir(), 'slothd-fleet-'));
const nodes = new Map();
const workers = [];
let collector;
const wait = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
const say = (text) => console.log(`${((performance.now() - startMs) / 1000).toFixed(1).padStart(6)} s  ${text}`);
const startMs = performance.now();

async function until(what, ready, timeoutMs = 180_000) {
  const end = performance.now() + timeoutMs;
  while (!(await ready())) {
    if (performance.now() > end) throw new Error(`timed out waiting for ${typeof what === 'function' ? what() : what}`);
    await wait(100);
  }
}

// --- the cluster ---

const names = Array.from({ length: DEVICES }, (_, i) => `pi-${String(i + 1).padStart(4, '0')}`);
cpSync(join(config, 'node.conf'), join(folder, 'node.conf'));
writeFileSync(
  join(folder, 'routes.conf'),
  `routes: [${[0, 1, 2].map((i) => `"nats://127.0.0.1:${FIRST_PORT.cluster + i}"`).join(', ')}]\n`,
);
writeFileSync(join(folder, 'names'), names.join('\n'));
execFileSync(process.execPath, [join(config, 'make-users.mjs'), folder, '--names', join(folder, 'names')]);
const secret = (name) => readFileSync(join(folder, 'passwords', name), 'utf8').trim();

function startNode(i) {
  const at = (port) => `127.0.0.1:${port + i}`;
  const child = spawn(server, ['-c', join(folder, 'node.conf'), '-sd', join(folder, `node-${i}`)], {
    stdio: ['ignore', 'ignore', existsSync(join(folder, 'log')) ? 'inherit' : 'ignore'],
    env: {
      ...process.env,
      FLEET_NODE: `fleet-${i + 1}`,
      FLEET_CLIENT: `"${at(FIRST_PORT.client)}"`,
      FLEET_MONITOR: `"${at(FIRST_PORT.monitor)}"`,
      FLEET_MQTT: `"${at(FIRST_PORT.mqtt)}"`,
      FLEET_CLUSTER: `"${at(FIRST_PORT.cluster)}"`,
    },
  });
  nodes.set(i, child);
  return child;
}

const healthy = async (i) => {
  try {
    return (await fetch(`http://127.0.0.1:${FIRST_PORT.monitor + i}/healthz`)).ok;
  } catch {
    return false;
  }
};

async function figuresOf(i) {
  const get = async (path) => (await fetch(`http://127.0.0.1:${FIRST_PORT.monitor + i}${path}`)).json();
  const [varz, jsz] = [await get('/varz'), await get('/jsz')];
  return { connections: varz.connections, rssMiB: Math.round(varz.mem / 2 ** 20), storedMiB: jsz.storage / 2 ** 20 };
}

// --- the devices ---

const ask = (worker, message) =>
  new Promise((resolve) => {
    const hear = (answer) => {
      if (answer.ask !== message.ask) return;
      worker.off('message', hear);
      resolve(answer);
    };
    worker.on('message', hear);
    worker.send(message);
  });
const askAll = (message) => Promise.all(workers.map((worker) => ask(worker, message)));

async function state() {
  const all = await askAll({ ask: 'state' });
  const sum = (key) => all.reduce((total, one) => total + one[key], 0);
  const perBroker = {};
  for (const one of all) {
    for (const [url, count] of Object.entries(one.perBroker)) perBroker[url] = (perBroker[url] ?? 0) + count;
  }
  return {
    raised: sum('raised'),
    connected: sum('connected'),
    waiting: sum('waiting'),
    shed: sum('shed'),
    vitalsSent: sum('vitalsSent'),
    oldestMs: Math.max(...all.map(({ oldestMs }) => oldestMs)),
    errors: [...new Set(all.flatMap(({ errors }) => errors))],
    perBroker,
  };
}

// --- the collector: a persistent session, so that nothing is lost while it is away ---

const seen = new Map();
let received = 0;
let collectorUp = false;
let collectorDowns = 0;
const waits = [];
let phase = 'steady';

function startCollector() {
  collector = mqtt.connect({
    protocol: 'mqtt',
    protocolVersion: 4,
    servers: [0, 1, 2].map((i) => ({ host: '127.0.0.1', port: FIRST_PORT.mqtt + i })),
    clientId: 'collector',
    clean: false,
    username: 'collector',
    password: secret('collector'),
    reconnectPeriod: 500,
    keepalive: 15,
  });
  collector.on('error', () => undefined);
  collector.on('connect', () => {
    collectorUp = true;
    collector.subscribe('slothd/+/+/alert', { qos: 1 });
  });
  collector.on('close', () => {
    if (collectorUp) collectorDowns++;
    collectorUp = false;
  });
  collector.on('message', (_topic, payload) => {
    received++;
    const { id } = JSON.parse(payload.toString());
    if (seen.has(id)) return;
    seen.set(id, true);
    waits.push({ phase, ms: Date.now() - Number(id.split('-').at(-1)) });
  });
}

function percentiles(of) {
  const sorted = waits
    .filter(({ phase: p }) => p === of)
    .map(({ ms }) => ms)
    .sort((a, b) => a - b);
  const at = (share) => sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] ?? null;
  return { alerts: sorted.length, p50Ms: at(0.5), p99Ms: at(0.99), maxMs: sorted.at(-1) ?? null };
}

async function forged() {
  const thief = await mqtt.connectAsync(`mqtt://127.0.0.1:${FIRST_PORT.mqtt}`, {
    protocolVersion: 4,
    clientId: `slothd-${names[0]}-thief`,
    username: names[0],
    password: secret(names[0]),
    reconnectPeriod: 0,
  });
  const before = received;
  thief.on('error', () => undefined);
  await thief.publishAsync(`slothd/${names[1]}/chest/alert`, '{"id":"forged-0"}', { qos: 1 }).catch(() => undefined);
  await wait(1000);
  await thief.endAsync(true);
  return received > before && seen.has('forged-0');
}

let queued = 0;
const queueWorkers = [];

async function main() {
  for (const i of [0, 1, 2]) startNode(i);
  await until('the cluster', async () => (await Promise.all([0, 1, 2].map(healthy))).every(Boolean));
  say(`three nodes up (${brokerVersion})`);
  startCollector();
  await until('the collector', () => collectorUp);
  const forgedArrived = await forged();

  // Two workers share the alerts by a queue, for the count of how they share.
  for (const i of [1, 2]) {
    const url = `nats://collector:${secret('collector')}@127.0.0.1:${FIRST_PORT.client + i}`;
    const worker = spawn(process.execPath, [join(config, 'queue-worker.mjs'), url], {
      stdio: ['ignore', 'pipe', 'ignore'],
    });
    const shared = { worker, alerts: 0 };
    worker.stdout.on('data', (chunk) => {
      const lines = chunk.toString().split('\n').length - 1;
      shared.alerts += lines;
      queued += lines;
    });
    queueWorkers.push(shared);
  }

  const urls = [0, 1, 2].map((i) => `mqtt://127.0.0.1:${FIRST_PORT.mqtt + i}`);
  const share = Math.ceil(names.length / PROCESSES);
  for (let w = 0; w < PROCESSES; w++) workers.push(fork(new URL('./lib/fleet-worker.mjs', import.meta.url)));
  const beganMs = performance.now();
  await Promise.all(
    workers.map((worker, w) => {
      const own = names.slice(w * share, (w + 1) * share);
      const passwords = Object.fromEntries(own.map((name) => [name, join(folder, 'passwords', name)]));
      const alertEveryMs = Number(values['alert-every']);
      return ask(worker, { ask: 'start', names: own, passwords, urls, folder: join(folder, 'devices'), alertEveryMs });
    }),
  );
  await until('all devices to be connected', async () => (await state()).connected === DEVICES);
  const connectS = (performance.now() - beganMs) / 1000;
  say(`${DEVICES} devices connected ${JSON.stringify((await state()).perBroker)}`);

  await askAll({ ask: 'run', alertEveryMs: Number(values['alert-every']) });
  await wait(PHASE_MS);
  const steady = await state();
  const cluster = await Promise.all([0, 1, 2].map(figuresOf));
  say(`steady: ${steady.raised} alerts raised, ${seen.size} received`);

  // The node that the collector is on, and a third of the devices: no goodbye.
  phase = 'node down';
  nodes.get(0).kill('SIGKILL');
  const killedMs = performance.now();
  await wait(1000);
  let worst = 0;
  await until('the devices and the collector to be back', async () => {
    const now = await state();
    worst = Math.max(worst, now.waiting);
    return now.connected === DEVICES && now.oldestMs < 2000 && collectorUp;
  });
  const recoveryS = (performance.now() - killedMs) / 1000;
  say(`a node killed: every device and the collector served again after ${recoveryS.toFixed(1)} s`);
  await wait(Math.max(0, PHASE_MS - recoveryS * 1000));

  phase = 'node back';
  startNode(0);
  const restartMs = performance.now();
  await until('the node to be healthy', () => healthy(0));
  const rejoinS = (performance.now() - restartMs) / 1000;
  say(`the node is back and caught up after ${rejoinS.toFixed(1)} s`);
  await wait(PHASE_MS);

  await askAll({ ask: 'quiet' });
  await until('the outboxes to be empty', async () => (await state()).waiting === 0);
  const last = await state();
  await until(
    () => `the collector (${seen.size} of ${last.raised})`,
    () => seen.size >= last.raised,
    60_000,
  ).catch((error) => say(error.message));
  const lost = last.raised - [...seen.keys()].filter((id) => id !== 'forged-0').length;
  const result = {
    command: 'npm run bench:fleet',
    broker: brokerVersion,
    devices: DEVICES,
    processes: PROCESSES,
    alertsPerSecond: (DEVICES * 1000) / Number(values['alert-every']),
    vitalsPerSecond: DEVICES,
    connectAllSeconds: round(connectS),
    alertsRaised: last.raised,
    alertsReceived: seen.size,
    lost,
    shed: last.shed,
    duplicatesUnderTheSameId: received - seen.size,
    forgedAlertArrived: forgedArrived,
    recoverySeconds: round(recoveryS),
    mostWaitingWhileDown: worst,
    nodeBackSeconds: round(rejoinS),
    collectorReconnects: collectorDowns,
    raiseToCollectorMs: {
      steady: percentiles('steady'),
      nodeDown: percentiles('node down'),
      nodeBack: percentiles('node back'),
    },
    sharedByQueue: queueWorkers.map(({ alerts }) => alerts),
    queueDelivered: queued,
    clusterSteady: cluster.map(({ connections, rssMiB, storedMiB }) => ({
      connections,
      rssMiB,
      storedMiB: round(storedMiB),
    })),
  };
  await askAll({ ask: 'stop' });
  console.log();
  table(
    ['phase', 'alerts', 'p50 ms', 'p99 ms', 'max ms'],
    Object.entries(result.raiseToCollectorMs).map(([name, p]) => [name, p.alerts, p.p50Ms, p.p99Ms, p.maxMs]),
  );
  console.log(
    `\n${result.alertsRaised} alerts raised, ${lost} lost, ${result.duplicatesUnderTheSameId} duplicates under the same id; ` +
      `recovery ${result.recoverySeconds} s after a node was killed; a forged alert ${forgedArrived ? 'ARRIVED' : 'did not arrive'}`,
  );
  if (!values['no-save']) save('fleet', result);
  return lost === 0 && !forgedArrived ? 0 : 2;
}

const round = (value) => Math.round(value * 10) / 10;

let code = 2;
try {
  code = await main();
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
  console.error(JSON.stringify(await state().catch(() => null)));
} finally {
  collector?.end(true);
  for (const { worker } of queueWorkers) worker.kill();
  for (const worker of workers) worker.kill();
  await Promise.all(
    [...nodes.values()].map((child) => {
      const gone = child.exitCode !== null || child.signalCode !== null;
      child.kill('SIGKILL');
      return gone ? null : new Promise((resolve) => child.once('exit', resolve));
    }),
  );
  rmSync(folder, { recursive: true, force: true });
  process.exit(code);
}

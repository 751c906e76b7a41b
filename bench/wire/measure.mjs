// One run of one system: ports, broker, a subscriber, and the clock from the write of the last byte to the receipt.
import { spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import mqtt from 'mqtt';
import { VirtualPort } from '../../dist/simulator/virtual-port.js';
import { freePort } from '../lib/ports.mjs';
import { cpuSeconds, pssBytes, treeOf } from '../lib/processes.mjs';
import { KINDS } from './systems.mjs';

const READY_MS = 60_000;
/** After ready: time to open the last port. */
const SETTLE_MS = 1500;

/**
 * @param {object} system one of SYSTEMS
 * @param {{ signal: 'rr' | 'ecg', plan: { dueMs: number, bytes: Buffer, event: string | null }[][], seconds: number }} job
 * @returns latencies in ms and what the system cost
 */
export async function measure(system, { signal, plan, seconds }) {
  const folder = mkdtempSync(join(tmpdir(), 'slothd-wire-'));
  const broker = await startMosquitto(folder);
  const ports = [];
  for (const i of plan.keys()) ports.push(await VirtualPort.open({ link: join(folder, `p${i}`) }));
  const subscriber = await mqtt.connectAsync(`mqtt://127.0.0.1:${broker.port}`, { clientId: 'harness' });
  const state = { ready: null, expected: plan.map(() => []), lastWriteMs: new Float64Array(plan.length) };
  const result = { latenciesMs: [], insideMs: [], events: 0, surplus: 0 };
  subscriber.on('message', (topic, payload) => received(system, signal, state, result, topic, payload));
  await subscriber.subscribeAsync(`${system.root}/#`, { qos: 1 });

  const startedMs = performance.now();
  const ready = new Promise((resolve) => {
    state.ready = () => resolve(performance.now() - startedMs);
  });
  const child = system.start({ folder, ports: ports.map((port) => port.path), brokerPort: broker.port, signal });
  const ended = new Promise((resolve) => child.on('exit', resolve));
  try {
    const readyMs = await Promise.race([
      ready,
      sleep(READY_MS, null, { ref: false }),
      ended.then((code) => Promise.reject(new Error(`the system ended with code ${code}`))),
    ]);
    if (readyMs === null) throw new Error(`the system was not ready after ${READY_MS / 1000} s`);
    await sleep(SETTLE_MS);
    const before = treeOf(child.pid).reduce((sum, pid) => sum + cpuSeconds(pid), 0);
    await play(plan, ports, state);
    await sleep(500);
    const tree = treeOf(child.pid);
    const cpu = tree.reduce((sum, pid) => sum + cpuSeconds(pid), 0) - before;
    return {
      ...result,
      missed: state.expected.reduce((sum, list) => sum + list.length, 0),
      readyMs,
      cpuSecondsPerSensorHour: (cpu / seconds / plan.length) * 3600,
      pssBytes: tree.reduce((sum, pid) => sum + pssBytes(pid), 0),
    };
  } finally {
    child.kill('SIGTERM');
    await Promise.race([ended, sleep(5000).then(() => child.kill('SIGKILL'))]);
    await subscriber.endAsync();
    for (const port of ports) port.close();
    broker.stop();
    rmSync(folder, { recursive: true, force: true });
  }
}

function received(system, signal, state, result, topic, payload) {
  const nowMs = performance.now();
  if (topic.endsWith('/ready')) state.ready();
  // slothd says it is ready in its health message.
  if (topic === `${system.root}/health` && JSON.parse(payload.toString()).ready) state.ready();
  if (!topic.endsWith('/alert')) return;
  const alert = JSON.parse(payload.toString());
  if (alert.kind !== KINDS[signal]) return;
  const sensor = Number(topic.split('/').at(-2).slice(1));
  if (alert.event === 'new' && typeof alert.latencyMs === 'number') result.insideMs.push(alert.latencyMs);
  if (signal === 'rr') {
    // The line that must cause this event is known.
    const at = state.expected[sensor].findIndex(({ event }) => event === alert.event);
    if (at < 0) {
      result.surplus++;
      return;
    }
    const [{ writtenMs }] = state.expected[sensor].splice(0, at + 1).slice(-1);
    // As below: an end hurries nobody, and slothd lets it wait for the disk.
    if (alert.event !== 'new') return;
    result.latenciesMs.push(nowMs - writtenMs);
  } else {
    // The cause is the newest chunk or, in a system that lags, an older one: then this flatters the system.
    if (alert.event !== 'new' || alert.latencyMs === null) return;
    result.latenciesMs.push(nowMs - state.lastWriteMs[sensor]);
  }
  result.events++;
}

/** Writes everything at its time; one loop for all ports, so that the harness itself stays small. */
async function play(plan, ports, state) {
  const schedule = plan
    .flatMap((writes, sensor) => writes.map((write) => ({ ...write, sensor })))
    .sort((a, b) => a.dueMs - b.dueMs);
  const begin = performance.now() + 100;
  for (let next = 0; next < schedule.length; ) {
    const nowMs = performance.now() - begin;
    while (next < schedule.length && schedule[next].dueMs <= nowMs) {
      const { sensor, bytes, event } = schedule[next++];
      const writtenMs = performance.now();
      // Noted before the write: the answer may be here before the write returns.
      if (event) state.expected[sensor].push({ event, writtenMs });
      state.lastWriteMs[sensor] = writtenMs;
      ports[sensor].write(bytes);
    }
    if (next < schedule.length) await sleep(Math.max(1, schedule[next].dueMs - (performance.now() - begin)));
  }
}

/** A mosquitto of its own on a free loopback port. */
export async function startMosquitto(folder) {
  const port = await freePort();
  const binary = ['/usr/sbin/mosquitto', 'mosquitto'].find((path) => spawnSync(path, ['-h']).status !== null);
  if (!binary) throw new Error('mosquitto is not installed: apt-get install mosquitto');
  const file = join(folder, 'mosquitto.conf');
  writeFileSync(file, `listener ${port} 127.0.0.1\nallow_anonymous true\npersistence false\nset_tcp_nodelay true\n`);
  const child = spawn(binary, ['-c', file], { stdio: 'ignore' });
  await sleep(300);
  return { port, stop: () => child.kill() };
}

// npm run bench:disk: what alerts cost a disk (an SD card lives by it). slothd's own delivery and store, a broker in this
// process, whole lives of alerts with their evidence; the kernel counts what goes to the device (/proc/self/io).
import { mkdtempSync, readFileSync, rmSync, statfsSync } from 'node:fs';
import net from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Aedes } from 'aedes';
import { homeAssistantSchema } from '../dist/config/home-assistant.js';
import { mqttSchema } from '../dist/config/mqtt.js';
import { openLevelStore } from '../dist/daemon/level-store.js';
import { systemClock, systemTimers } from '../dist/daemon/system-clock.js';
import { Delivery } from '../dist/delivery/publisher.js';
import { save, table } from './lib/report.mjs';

const TMPFS = 0x01021994;
const LIVES = 300;
const IDLE_S = 30;
const dir = mkdtempSync(join(process.argv[2] ?? tmpdir(), 'slothd-disk-'));
if (statfsSync(dir).type === TMPFS) {
  console.error(`${dir} is in memory: name a folder on a disk, npm run bench:disk -- FOLDER`);
  process.exit(1);
}
const written = () => Number(/^write_bytes: (\d+)/m.exec(readFileSync('/proc/self/io', 'utf8'))[1]);
const wait = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

const aedes = await Aedes.createBroker();
const server = net.createServer(aedes.handle);
await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
const none = () => undefined;
const log = { debug: none, info: none, warn: none, error: console.error };
const store = await openLevelStore(dir, log);
const delivery = new Delivery({
  settings: {
    mqtt: mqttSchema.parse({ url: `mqtt://127.0.0.1:${server.address().port}` }),
    homeAssistant: homeAssistantSchema.parse({}),
  },
  node: 'pi',
  version: 'bench',
  sensors: ['chest'],
  clock: systemClock,
  timers: systemTimers,
  store,
  log,
});
await delivery.start();
while (!delivery.stats().connected) await wait(10);
await wait(1000);

const signal = {
  startAtMs: 0,
  rateHz: 250,
  unit: 'mV',
  samples: Array.from({ length: 2500 }, (_, i) => Math.round(1000 * Math.sin(i / 9)) / 1000),
};
const rrMs = Array.from({ length: 20 }, (_, i) => 370 + i);
function event(id, name, sequence, evidence) {
  const nowMs = performance.now();
  const endedMs = name === 'end' ? nowMs : null;
  const values = { hrBpm: 163, durationMs: 61_000 };
  const life = {
    id,
    event: name,
    sequence,
    kind: 'tachycardia',
    priority: 'medium',
    category: 'health',
    sensor: 'chest',
  };
  const state = JSON.stringify({ id, sequence, kind: 'tachycardia', values, rrMs, onsetAtMs: Date.now() });
  delivery.alert(
    { ...life, onsetMs: nowMs, raisedMs: nowMs, endedMs, values, evidence, model: null },
    { arrivedAtMs: nowMs },
    [{ key: 'alarms/chest/tachycardia', value: name === 'end' ? null : state }],
  );
}

const before = written();
for (let n = 0; n < LIVES; n++) {
  event(`n-${n}`, 'new', 1, { rrMs, signal });
  await wait(20);
  event(`n-${n}`, 'update', 2, { rrMs });
  await wait(20);
  event(`n-${n}`, 'end', 3, {});
  while (delivery.stats().outbox.entries > 0) await wait(5);
  // Removing is not urgent and waits for a neighbour; in life alerts are minutes apart.
  await wait(300);
}
const perLife = (written() - before) / LIVES;
const vitals = { hrBpm: 61, rrMs: [984], rhythm: 'regular', quality: 'good', contact: true };
// The last removal is written within a quarter of a second.
await wait(2000);
const idleBefore = written();
for (let second = 0; second < IDLE_S; second++) {
  delivery.vitals('chest', vitals);
  await wait(1000);
}
const idlePerDay = ((written() - idleBefore) * 86_400) / IDLE_S;
await delivery.stop();
await store.close();
await new Promise((resolve) => aedes.close(resolve));
server.close();
rmSync(dir, { recursive: true, force: true });

const perDay = [0, 20, 200].map((alerts) => [alerts, Math.round((alerts * perLife + idlePerDay) / 1000)]);
table(['alerts a day', 'kB written a day'], perDay);
console.log(`one alert's life (new with 10 s of ECG, update, end): ${Math.round(perLife / 100) / 10} kB to the device`);
save('outbox-disk', {
  command: 'npm run bench:disk',
  lives: LIVES,
  kBPerAlertLife: Math.round(perLife / 100) / 10,
  kBPerDayWithoutAlerts: Math.round(idlePerDay / 1000),
  kBPerDay: Object.fromEntries(perDay),
});
process.exit(0);

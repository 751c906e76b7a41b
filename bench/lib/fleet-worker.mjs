// Simulated devices, several in one process: slothd's own delivery half (outbox on a real disk, MQTT link with its list
// of brokers), one per device, raising alerts and vitals. Commands come from bench/fleet.mjs over the process channel.
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { homeAssistantSchema } from '../../dist/config/home-assistant.js';
import { mqttSchema } from '../../dist/config/mqtt.js';
import { openLevelStore } from '../../dist/daemon/level-store.js';
import { systemClock, systemTimers } from '../../dist/daemon/system-clock.js';
import { Delivery } from '../../dist/delivery/publisher.js';

const none = () => undefined;
const log = { debug: none, info: none, warn: none, error: none };
const devices = [];
let raising = null;
let raised = 0;

/** @param {{ names: string[], passwords: Record<string, string>, urls: string[], folder: string, alertEveryMs: number }} plan */
async function start({ names, passwords, urls, folder, alertEveryMs }) {
  for (const [index, name] of names.entries()) {
    const dir = join(folder, name);
    mkdirSync(dir, { recursive: true });
    const first = index % urls.length;
    const [url, ...backups] = [...urls.slice(first), ...urls.slice(0, first)];
    const store = await openLevelStore(join(dir, 'state'), log);
    const delivery = new Delivery({
      settings: {
        mqtt: mqttSchema.parse({
          url,
          backups,
          // The nodes are equal: whichever answers will do.
          failBackMs: 0,
          username: name,
          passwordFile: passwords[name],
          reconnectMaxMs: 5000,
        }),
        homeAssistant: homeAssistantSchema.parse({ enabled: false }),
      },
      node: name,
      version: 'bench',
      sensors: ['chest'],
      clock: systemClock,
      timers: systemTimers,
      store,
      log,
    });
    devices.push({ name, delivery, store, count: 0, nextMs: Math.random() * alertEveryMs });
    await delivery.start();
    // A ward is not switched on all at once.
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

function raise(device) {
  const { name, delivery } = device;
  const nowMs = performance.now();
  device.count++;
  raised++;
  delivery.alert(
    {
      // The collector takes the time apart again; one machine, one clock.
      id: `${name}-${device.count}-${Date.now()}`,
      event: 'new',
      sequence: 1,
      kind: 'tachycardia',
      priority: 'medium',
      category: 'health',
      sensor: 'chest',
      onsetMs: nowMs,
      raisedMs: nowMs,
      endedMs: null,
      values: { hrBpm: 163 },
      evidence: { rrMs: Array.from({ length: 20 }, () => 370) },
      model: null,
    },
    { arrivedAtMs: nowMs },
    [],
  );
}

function run({ alertEveryMs }) {
  const startMs = performance.now();
  let seconds = 0;
  raising = setInterval(() => {
    const atMs = performance.now() - startMs;
    for (const device of devices) {
      while (device.nextMs <= atMs) {
        raise(device);
        device.nextMs += alertEveryMs;
      }
    }
    if (atMs < seconds * 1000) return;
    seconds++;
    for (const { delivery } of devices) {
      delivery.vitals('chest', { hrBpm: 61, rrMs: [984], rhythm: 'regular', quality: 'good', contact: true });
    }
  }, 20);
}

function state() {
  const stats = devices.map(({ delivery }) => delivery.stats());
  return {
    raised,
    connected: stats.filter(({ connected }) => connected).length,
    perBroker: Object.fromEntries(
      [...new Set(stats.map(({ url }) => url))].map((url) => [
        url,
        stats.filter((one) => one.url === url && one.connected).length,
      ]),
    ),
    waiting: stats.reduce((sum, { outbox }) => sum + outbox.entries, 0),
    oldestMs: Math.max(...stats.map(({ outbox }) => outbox.oldestAgeMs)),
    shed: stats.reduce((sum, { outbox }) => sum + outbox.shedAlerts, 0),
    errors: [...new Set(stats.filter(({ connected }) => !connected).map(({ lastError }) => lastError))],
    vitalsSent: stats.reduce((sum, { vitalsSent }) => sum + vitalsSent, 0),
  };
}

process.on('message', async ({ ask, ...rest }) => {
  if (ask === 'start') await start(rest);
  if (ask === 'run') run(rest);
  if (ask === 'quiet') clearInterval(raising);
  if (ask === 'stop') {
    clearInterval(raising);
    await Promise.all(
      devices.map(async ({ delivery, store }) => {
        await delivery.stop();
        await store.close();
      }),
    );
  }
  process.send({ ask, ...state() });
  if (ask === 'stop') process.disconnect();
});

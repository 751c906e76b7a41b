// A daemon's alarm half, alone in a process, so that it can be killed: engine, desk, outbox, link and store as the real
// one has them, with a heart that races and calms down again. Two hundred times as fast as life, so that an alert comes and
// goes within a fifth of a second. Runs from dist/.
import { AlarmEngine } from '../../../dist/alarm/engine.js';
import { alarmSettingsSchema } from '../../../dist/config/alarms.js';
import { homeAssistantSchema } from '../../../dist/config/home-assistant.js';
import { mqttSchema } from '../../../dist/config/mqtt.js';
import { AlarmDesk } from '../../../dist/daemon/alarm-desk.js';
import { openLevelStore } from '../../../dist/daemon/level-store.js';
import { systemTimers as timers } from '../../../dist/daemon/system-clock.js';
import { Delivery } from '../../../dist/delivery/publisher.js';

const SPEED = 200;
const FAST = { bpm: 170, forMs: 20_000 };
const CALM = { bpm: 75, forMs: 20_000 };

// `mode` is `calm`: until no alert is open any more, then a normal stop.
const [dir, url, beganAtText, mode] = process.argv.slice(2);
const beganAtMs = Number(beganAtText);
const none = () => undefined;
const log = { debug: none, info: none, warn: none, error: (data, message) => console.error(message, data) };
const clock = {
  monotonicMs: () => performance.now() * SPEED,
  wallMs: () => beganAtMs + (Date.now() - beganAtMs) * SPEED,
  synced: () => true,
};
const disk = await openLevelStore(dir, log);
// As slow as an SD card: a kill right after an alert is then a kill before its books are written.
const store = {
  batch: async (writes) => {
    await new Promise((resolve) => setTimeout(resolve, 40));
    await disk.batch(writes);
  },
  scan: (prefix) => disk.scan(prefix),
  close: () => disk.close(),
};
const delivery = new Delivery({
  settings: {
    // Counted on the fast clock: the default would be 75 ms, which a broker on a busy machine misses.
    mqtt: mqttSchema.parse({
      url,
      reconnectMinMs: 10,
      reconnectMaxMs: 50,
      ackTimeoutMs: 15_000 * SPEED,
      outbox: { replayPerSecond: 5000 },
    }),
    homeAssistant: homeAssistantSchema.parse({ enabled: false }),
  },
  node: 'pi',
  version: '0',
  sensors: ['chest'],
  clock,
  timers,
  store,
  log,
  onListed: (lists) => desk.recall('chest', engine, lists.get('chest') ?? []),
});
const desk = new AlarmDesk({
  clock,
  log,
  store,
  delivery,
  metrics: { alerts: { inc: none } },
  newId: () => 'unused',
  history: { maxAlerts: 100, maxBytes: 1e6 },
  onShown: none,
});
let ids = 0;
const engine = new AlarmEngine({
  sensor: 'chest',
  settings: alarmSettingsSchema.parse({}),
  emit: (change) => desk.take(change, engine, null),
  newId: () => `${process.pid}-${Date.now()}-${++ids}`,
  capture: none,
  modelInfo: () => null,
});
await desk.loadHistory();
await desk.restore('chest', engine);
await delivery.start();

let beatMs = clock.monotonicMs();
let tickMs = beatMs;
const startMs = beatMs;
engine.quality({ tMs: startMs, state: 'good', reasons: [] });

/** Plays the heart up to now, tick by tick and beat by beat. */
function play() {
  const nowMs = clock.monotonicMs();
  while (tickMs < nowMs) {
    tickMs += 100;
    engine.link(tickMs, 'data');
    const calm = mode === 'calm' || (tickMs - startMs) % (FAST.forMs + CALM.forMs) > FAST.forMs;
    const rrMs = 60_000 / (calm ? CALM : FAST).bpm;
    while (beatMs + rrMs <= tickMs) {
      beatMs += rrMs;
      engine.beat({ tMs: beatMs, sample: -1, rrMs, decidedAtMs: beatMs, quality: 1, source: 'ecg' });
    }
    engine.tick(tickMs);
  }
}

const timer = setInterval(async () => {
  play();
  const { connected, outbox } = delivery.stats();
  if (mode !== 'calm' || !connected || outbox.entries > 0 || engine.active().length > 0) return;
  // Half a second more, for the broker's word on what an earlier life had told.
  if (performance.now() < 1_500) return;
  clearInterval(timer);
  await delivery.stop();
  await store.close();
}, 2);

// A daemon's delivery half, alone in a process, so that it can be killed: raises alerts as fast as told and remembers
// in the same batch how far it got. Runs from dist/, as the real one does.

import { homeAssistantSchema } from '../../../dist/config/home-assistant.js';
import { mqttSchema } from '../../../dist/config/mqtt.js';
import { openLevelStore } from '../../../dist/daemon/level-store.js';
import { systemTimers as timers } from '../../../dist/daemon/system-clock.js';
import { Delivery } from '../../../dist/delivery/publisher.js';

const [dir, url, mode] = process.argv.slice(2);
const none = () => undefined;
const log = { debug: none, info: none, warn: none, error: (data, message) => console.error(message, data) };
const clock = { monotonicMs: () => performance.now(), wallMs: () => Date.now(), synced: () => true };
const store = await openLevelStore(dir, log);
let counter = 0;
for await (const [, value] of store.scan('test/counter')) counter = Number(value);
const delivery = new Delivery({
  settings: {
    mqtt: mqttSchema.parse({ url, reconnectMinMs: 10, reconnectMaxMs: 50, outbox: { replayPerSecond: 5000 } }),
    homeAssistant: homeAssistantSchema.parse({ enabled: false }),
  },
  node: 'pi',
  version: '0',
  sensors: ['a', 'b'],
  clock,
  timers,
  store,
  log,
});
await delivery.start();

if (mode === 'drain') {
  while (delivery.stats().outbox.entries > 0) await new Promise((resolve) => setTimeout(resolve, 5));
  await delivery.stop();
  await store.close();
  console.log(`counter ${counter}`);
} else {
  const raise = () => {
    for (let i = 0; i < 3; i++) {
      counter++;
      const nowMs = performance.now();
      delivery.alert(
        {
          id: `n-${counter}`,
          event: 'new',
          sequence: 1,
          kind: 'pause',
          priority: 'medium',
          category: 'health',
          sensor: counter % 2 ? 'a' : 'b',
          onsetMs: nowMs,
          raisedMs: nowMs,
          endedMs: null,
          values: { n: counter },
          evidence: { rrMs: Array.from({ length: 20 }, () => 800) },
          model: null,
        },
        { arrivedAtMs: nowMs },
        [{ key: 'test/counter', value: String(counter) }],
      );
    }
  };
  setInterval(raise, 2);
}

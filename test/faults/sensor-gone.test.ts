import type { Logger } from 'pino';
import { expect, test } from 'vitest';
import { AlarmDesk } from '../../src/daemon/alarm-desk.js';
import { createMemoryStore } from '../../src/daemon/memory-store.js';
import { Delivery } from '../../src/delivery/publisher.js';
import { Topics } from '../../src/delivery/topics.js';
import type { KeyValueStore } from '../../src/domain/store.js';
import type { Metrics } from '../../src/watch/metrics.js';
import { settingsWith } from '../alarm/bench.js';
import { startAedes, startConsumer } from '../delivery/support/brokers.js';
import { closedAfterEach } from '../delivery/support/keep.js';
import { collectLog, realClock, realTimers, settingsFor, tick, until } from '../delivery/support/world.js';

/**
 * A sensor is taken out of the config, or renamed, between a kill -9 and the next start. Where the process was killed before
 * its disk had an alert, only the retained list knows of it; nobody else would ever end it.
 */

const { keep, afterwards } = closedAfterEach();

async function start(url: string, store: KeyValueStore) {
  const { log: quiet, lines } = collectLog();
  const log = quiet as unknown as Logger;
  const settings = settingsWith();
  let desk: AlarmDesk | null = null;
  const delivery: Delivery = new Delivery({
    settings: settingsFor(url),
    node: 'pi',
    version: '1',
    sensors: ['chest'],
    clock: realClock,
    timers: realTimers,
    store,
    log,
    onListed: () => delivery.alarms('chest', []),
    onFormer: (sensor, list) => desk?.endListedOfFormer(sensor, list, settings),
  });
  desk = new AlarmDesk({
    clock: realClock,
    log,
    store,
    delivery,
    metrics: { alerts: { inc() {} } } as unknown as Metrics,
    newId: () => 'unused',
    history: { maxAlerts: 1000, maxBytes: 1e6 },
    onShown: () => {},
  });
  afterwards(() => delivery.stop());
  await desk.loadHistory();
  await desk.endAlertsOfFormer(new Set(['chest']), settings);
  await delivery.start();
  await until(() => delivery.stats().connected, 'the connection');
  return { delivery, desk, lines };
}

const open = (id: string, kind: string, sequence: number) => ({
  schema: 'slothd.active-alert.v1',
  id,
  sequence,
  kind,
  priority: 'high',
  category: 'health',
  onsetAt: '2026-01-01T00:00:01.000Z',
  raisedAt: '2026-01-01T00:00:02.000Z',
  values: { rateBpm: 163 },
});

test.each([
  ['one that nothing on the disk knows of', 'belt', null],
  ['one whose name is no topic, remembered by the disk', "Oma's belt", '["chest","Oma\'s belt"]'],
])('%s: its alerts end, and nothing of it is left at the broker', async (_, name, remembered) => {
  const broker = keep(await startAedes());
  const consumer = keep(await startConsumer(broker.url));
  const store = createMemoryStore();
  if (remembered !== null) await store.batch([{ key: 'delivery/sensors', value: remembered }]);
  const topics = new Topics('slothd', 'pi');
  const list = topics.sensor(name, 'alarms');
  const level = list.split('/')[2] as string;
  const discovery = `homeassistant/device/slothd_pi_${level}/config`;
  const kept = { [list]: JSON.stringify([open('a', 'tachycardia', 3), open('b', 'pause', 1)]) };
  Object.assign(kept, { [topics.sensor(name, 'availability')]: 'online', [discovery]: '{"device":{}}' });
  for (const [topic, text] of Object.entries(kept)) {
    await consumer.client.publishAsync(topic, text, { qos: 1, retain: true });
  }

  const first = await start(broker.url, store);
  await until(() => consumer.alerts().length === 2, 'both ends');
  for (const [id, sequence] of [
    ['a', 4],
    ['b', 2],
  ] as const) {
    const end = consumer.alerts().find((alert) => alert.id === id);
    expect(end).toMatchObject({ event: 'end', sequence, sensor: name, values: { endReason: 'stopped' } });
    expect(String(end?.endedAt) >= String(end?.raisedAt)).toBe(true);
  }
  await until(() => Object.keys(kept).every((topic) => consumer.last(topic) === ''), 'all of it to be removed');
  expect(first.desk.history.list().map(({ id }) => id)).toEqual(expect.arrayContaining(['a', 'b']));
  await until(() => first.delivery.stats().outbox.entries === 0, 'the acknowledgements');
  await first.delivery.stop();

  // Ended once: somebody who puts the list back changes nothing but the list.
  await consumer.client.publishAsync(list, kept[list] as string, { qos: 1, retain: true });
  await start(broker.url, store);
  await until(() => consumer.last(list) === '', 'the list to be removed again');
  await tick(100);
  expect(consumer.alerts()).toHaveLength(2);
});

test('too many test alerts are refused: they are written to the disk and passed on to people', async () => {
  const broker = keep(await startAedes());
  const { desk } = await start(broker.url, createMemoryStore());
  for (let n = 0; n < 10; n++) desk.test('chest');
  expect(() => desk.test('chest')).toThrow(/too many test alerts/);
});

import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { openLevelStore } from '../../src/daemon/level-store.js';
import { createMemoryStore } from '../../src/daemon/memory-store.js';
import { Delivery } from '../../src/delivery/publisher.js';
import type { KeyValueStore } from '../../src/domain/store.js';
import {
  hasMosquitto,
  needsMosquitto,
  startAedes,
  startConsumer,
  startMosquitto,
  startProxy,
} from '../delivery/support/brokers.js';
import { closedAfterEach } from '../delivery/support/keep.js';
import {
  change,
  collectLog,
  ManualTime,
  realClock,
  realTimers,
  settingsFor,
  tick,
  until,
} from '../delivery/support/world.js';

/** Story 5 of the acceptance criteria: the broker is away, the link breaks, the daemon dies; every alert arrives. */

const { keep, afterwards } = closedAfterEach();

function daemon(url: string, store: KeyValueStore, mqtt: Record<string, unknown> = {}, time: ManualTime | null = null) {
  const { log } = collectLog();
  return new Delivery({
    settings: settingsFor(url, mqtt),
    node: 'pi',
    version: '1.0.0',
    sensors: ['a', 'b'],
    clock: time ?? realClock,
    timers: time ?? realTimers,
    store,
    log,
  });
}

/** First occurrences of each (id, sequence), per sensor, as a consumer that dedups holds them. */
function deduplicated(alerts: ReadonlyArray<{ id: string; sequence: number; sensor: string }>): Map<string, string[]> {
  const seen = new Set<string>();
  const held = new Map<string, string[]>();
  for (const { id, sequence, sensor } of alerts) {
    const key = `${id}/${sequence}`;
    if (seen.has(key)) continue;
    seen.add(key);
    held.set(sensor, [...(held.get(sensor) ?? []), id]);
  }
  return held;
}

test('fifteen minutes without a broker: bounded tries, flat queue, then everything, marked, in order, at its rate', async () => {
  const time = new ManualTime();
  const store = createMemoryStore();
  const gone = await startAedes();
  const { port } = gone;
  const consumerPort = port;
  await gone.close();
  const delivery = daemon(
    gone.url,
    store,
    { reconnectMinMs: 500, reconnectMaxMs: 30_000, outbox: { replayPerSecond: 20 } },
    time,
  );
  await delivery.start();
  let raised = 0;
  const expected = new Map<string, string[]>([
    ['a', []],
    ['b', []],
  ]);
  const endMs = time.nowMs + 15 * 60_000;
  while (time.nowMs < endMs) {
    time.advance(5_000);
    const sensor = raised % 3 === 0 ? 'b' : 'a';
    const id = `n-${raised++}`;
    expected.get(sensor)?.push(id);
    delivery.alert(change(id, { sensor }), { arrivedAtMs: time.nowMs }, []);
    delivery.vitals(sensor, { hrBpm: 60, rrMs: [1000], rhythm: 'regular', quality: 'good', contact: null });
    // A try that has begun fails on a real socket: give it its moment.
    await tick(3);
  }
  const { attempts, outbox, vitalsDropped } = delivery.stats();
  expect(attempts).toBeGreaterThan(25);
  expect(attempts).toBeLessThan(80);
  expect(outbox).toMatchObject({ entries: raised, inFlight: 0, shedAlerts: 0 });
  expect(vitalsDropped).toBe(raised);

  const broker = keep(await startAedes(consumerPort));
  const consumer = keep(await startConsumer(broker.url));
  const started = time.nowMs;
  const counts: Array<[atMs: number, alerts: number]> = [];
  while (delivery.stats().outbox.entries > 0) {
    time.advance(100);
    await tick(1);
    counts.push([time.nowMs, consumer.alerts().length]);
    if (time.nowMs - started > 300_000) throw new Error('the replay does not end');
  }
  await until(() => consumer.alerts().length >= raised, 'the consumer to hear all');
  expect(deduplicated(consumer.alerts())).toEqual(expected);
  expect(consumer.alerts()).toHaveLength(raised);
  expect(consumer.alerts().every(({ replayed }) => replayed)).toBe(true);
  const firstMs = counts.find(([, alerts]) => alerts > 0)?.[0] ?? 0;
  const spentS = (time.nowMs - firstMs) / 1000;
  // 20 a second with a burst of 10.
  expect(raised / 20 - spentS).toBeLessThan(2);
  // Fresh again: sent at once and not marked.
  delivery.alert(change('fresh', { sensor: 'a' }), { arrivedAtMs: time.nowMs }, []);
  await until(() => consumer.alerts().some(({ id }) => id === 'fresh'), 'the fresh alert');
  expect(consumer.alerts().at(-1)?.replayed).toBe(false);
  const stopping = delivery.stop();
  for (let i = 0; i < 50; i++) {
    time.advance(100);
    await tick(1);
  }
  await stopping;
});

const brokers = [
  { name: 'aedes', there: true, start: () => startAedes() },
  { name: 'mosquitto', there: hasMosquitto, start: () => startMosquitto() },
];
describe.each(brokers)('with $name', ({ there, start }) => {
  test('the link cut again and again, in mid-replay and in mid-packet, and the daemon started anew', async ({
    skip,
  }) => {
    needsMosquitto(there, skip);
    const dir = await mkdtemp(join(tmpdir(), 'slothd-away-'));
    afterwards(() => rm(dir, { recursive: true, force: true }));
    const broker = keep(await start());
    const proxy = keep(await startProxy(broker.port));
    const consumer = keep(await startConsumer(broker.url));
    const expected = new Map<string, string[]>([
      ['a', []],
      ['b', []],
    ]);
    let raised = 0;
    for (let life = 0; life < 3; life++) {
      const { log } = collectLog();
      const store = await openLevelStore(dir, log);
      const delivery = daemon(proxy.url, store, { outbox: { replayPerSecond: 2000 } });
      await delivery.start();
      for (let burst = 0; burst < 12; burst++) {
        for (let i = 0; i < 15; i++) {
          const sensor = raised % 2 ? 'a' : 'b';
          const id = `n-${raised++}`;
          expected.get(sensor)?.push(id);
          delivery.alert(change(id, { sensor }), { arrivedAtMs: performance.now() }, []);
        }
        if (burst % 3 === 0) proxy.cut();
        // In the middle of whatever packet that is, a different place each time.
        else proxy.cutAfterBytes = 300 + ((burst * 977) % 4000);
        await tick(15);
      }
      if (life === 2) await until(() => delivery.stats().outbox.entries === 0, 'everything to be acknowledged', 20_000);
      await delivery.stop();
      await store.close();
    }
    await until(() => [...deduplicated(consumer.alerts()).values()].flat().length === raised, 'everything to arrive');
    expect(deduplicated(consumer.alerts())).toEqual(expected);
    expect(proxy.connections).toBeGreaterThan(10);
  });
});

test('a full outbox keeps alerts before vitals and says so', async () => {
  const fullness: boolean[] = [];
  const { log } = collectLog();
  const delivery = new Delivery({
    settings: settingsFor('mqtt://127.0.0.1:1', { outbox: { maxBytes: 64 * 1024, keepVitals: true } }),
    node: 'pi',
    version: '1.0.0',
    sensors: ['a'],
    clock: realClock,
    timers: realTimers,
    store: createMemoryStore(),
    log,
    onOutboxFull: ({ full }) => fullness.push(full),
  });
  afterwards(() => delivery.stop());
  await delivery.start();
  for (let n = 0; n < 1000; n++) {
    delivery.vitals('a', { hrBpm: 60, rrMs: [1000], rhythm: 'regular', quality: 'good', contact: true });
  }
  for (let n = 0; n < 20; n++) delivery.alert(change(`n-${n}`, { sensor: 'a' }), { arrivedAtMs: null }, []);
  await tick();
  expect(delivery.stats().outbox.shedAlerts).toBe(0);
  expect(delivery.stats().outbox.shedTelemetry).toBeGreaterThan(500);
  expect(fullness).toEqual([]);
  for (let n = 20; n < 500; n++) delivery.alert(change(`n-${n}`, { sensor: 'a' }), { arrivedAtMs: null }, []);
  await tick();
  expect(delivery.stats().outbox.bytes).toBeLessThanOrEqual(64 * 1024);
  expect(fullness).toEqual([true]);
});

test('vitals that were kept arrive after the alerts that were kept', async () => {
  const gone = await startAedes();
  await gone.close();
  const store = createMemoryStore();
  const delivery = daemon(gone.url, store, { outbox: { keepVitals: true, replayPerSecond: 500 } });
  afterwards(() => delivery.stop());
  await delivery.start();
  for (let n = 0; n < 30; n++) {
    delivery.vitals('a', { hrBpm: n, rrMs: [1000], rhythm: 'regular', quality: 'good', contact: true });
    if (n % 3 === 0) delivery.alert(change(`n-${n}`, { sensor: 'a' }), { arrivedAtMs: null }, []);
  }
  const broker = keep(await startAedes(gone.port));
  const consumer = keep(await startConsumer(broker.url, 4, ['slothd/pi/a/+']));
  await until(() => consumer.heard.filter(({ topic }) => /(alert|vitals)$/.test(topic)).length === 40, 'all of it');
  const order = consumer.heard
    .filter(({ topic }) => /(alert|vitals)$/.test(topic))
    .map(({ topic }) => topic.split('/').at(-1));
  expect(order.slice(0, 10)).toEqual(Array(10).fill('alert'));
  const rates = consumer.on('slothd/pi/a/vitals').map(({ text }) => (JSON.parse(text) as { hrBpm: number }).hrBpm);
  expect(rates).toEqual(Array.from({ length: 30 }, (_, n) => n));
});

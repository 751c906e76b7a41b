import { describe, expect, test } from 'vitest';
import { createMemoryStore } from '../../src/daemon/memory-store.js';
import { Delivery } from '../../src/delivery/publisher.js';
import {
  hasMosquitto,
  needsMosquitto,
  startAedes,
  startConsumer,
  startMosquitto,
  startProxy,
} from '../delivery/support/brokers.js';
import { closedAfterEach } from '../delivery/support/keep.js';
import { startMqtt5Broker } from '../delivery/support/mqtt5-broker.js';
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

/** Story 6 of the acceptance criteria: the topic that says whether slothd is there must be right. */

const { keep, afterwards } = closedAfterEach();

function daemon(url: string, mqtt: Record<string, unknown> = {}, clock: ManualTime | null = null) {
  const { log, lines } = collectLog();
  const delivery = new Delivery({
    settings: settingsFor(url, { keepaliveS: 5, ...mqtt }),
    node: 'pi',
    version: '1.0.0',
    sensors: ['chest'],
    clock: clock ?? realClock,
    timers: realTimers,
    store: createMemoryStore(),
    log,
  });
  return { delivery, lines };
}

const AVAILABILITY = 'slothd/pi/availability';

/** A daemon at a broker of its own, and somebody there who has seen it come online. */
async function seenOnline() {
  const broker = keep(await startAedes());
  const consumer = keep(await startConsumer(broker.url, 4, [AVAILABILITY]));
  const { delivery } = daemon(broker.url);
  afterwards(() => delivery.stop());
  await delivery.start();
  await until(() => consumer.last(AVAILABILITY) === 'online', 'the birth');
  return { broker, consumer };
}

const brokers = [
  { name: 'aedes (3.1.1)', there: true, version: 4 as const, start: () => startAedes() },
  { name: 'MQTT 5', there: true, version: 5 as const, start: () => startMqtt5Broker() },
  { name: 'mosquitto', there: hasMosquitto, version: 5 as const, start: () => startMosquitto() },
];

test.for(brokers)('$name: a cut link: offline, then online again', async ({ there, version, start }, { skip }) => {
  needsMosquitto(there, skip);
  const broker = keep(await start());
  const proxy = keep(await startProxy(broker.port));
  const consumer = keep(await startConsumer(broker.url, version, [AVAILABILITY]));
  const { delivery } = daemon(proxy.url);
  afterwards(() => delivery.stop());
  await delivery.start();
  await until(() => consumer.last(AVAILABILITY) === 'online', 'the birth');
  for (let round = 0; round < 5; round++) {
    const { connections } = delivery.stats();
    proxy.cut();
    await until(() => delivery.stats().connections > connections && delivery.stats().connected, 'the reconnect');
    await tick(100);
    expect(consumer.last(AVAILABILITY)).toBe('online');
  }
  expect(consumer.heard.some(({ text }) => text === 'offline')).toBe(true);
});

/** Power cut without FIN; a second life of the daemon connects while the broker still believes in the first. */
async function powerCut({ version, start }: (typeof brokers)[number]): Promise<void> {
  const broker = keep(await start());
  const proxy = keep(await startProxy(broker.port));
  const consumer = keep(await startConsumer(broker.url, version, [AVAILABILITY]));
  const before = daemon(proxy.url);
  await before.delivery.start();
  await until(() => consumer.last(AVAILABILITY) === 'online', 'the birth');
  proxy.mode = 'freeze';
  const after = daemon(broker.url);
  afterwards(() => after.delivery.stop());
  await after.delivery.start();
  await until(() => after.delivery.stats().connected, 'the second life');
  const stopped = before.delivery.stop();
  // Longer than the broker's patience with the frozen connection, 1.5 x 5 s, where it did not take it over at once.
  await tick(8_500);
  await stopped;
  expect(consumer.last(AVAILABILITY)).toBe('online');
  const late = keep(await startConsumer(broker.url, version, [AVAILABILITY]));
  await until(() => late.heard.length > 0, 'the retained word');
  expect(late.last(AVAILABILITY)).toBe('online');
}

describe('power cut without FIN, back within one and a half keep-alives: it ends online and stays so', () => {
  test('with the brokers that are always here', async () => {
    await Promise.all(brokers.filter(({ name }) => name !== 'mosquitto').map(powerCut));
  });
  test('with mosquitto', async ({ skip }) => {
    needsMosquitto(hasMosquitto, skip);
    await Promise.all(brokers.filter(({ name }) => name === 'mosquitto').map(powerCut));
  });
});

test.for(brokers)(
  '$name: a link that is open but dead is left, and it ends online',
  async ({ there, version, start }, { skip }) => {
    needsMosquitto(there, skip);
    const broker = keep(await start());
    const proxy = keep(await startProxy(broker.port));
    const consumer = keep(await startConsumer(broker.url, version, ['slothd/#']));
    const { delivery } = daemon(proxy.url, { ackTimeoutMs: 500 });
    afterwards(() => delivery.stop());
    await delivery.start();
    await until(() => consumer.last(AVAILABILITY) === 'online', 'the birth');
    proxy.mode = 'freeze';
    delivery.alert(change('in-the-dark'), { arrivedAtMs: null }, []);
    await until(() => !delivery.stats().connected, 'the dead link to be noticed');
    expect(delivery.stats().lastError).toMatch(/does not acknowledge/);
    proxy.mode = 'pass';
    await until(() => delivery.stats().connected && delivery.stats().outbox.entries === 0, 'the alert by the new link');
    await tick(200);
    expect(consumer.alerts().map(({ id }) => id)).toEqual(['in-the-dark']);
    expect(consumer.last(AVAILABILITY)).toBe('online');
  },
);

test('whoever says offline while we are here is corrected, but not in a duel', async () => {
  const { consumer } = await seenOnline();
  const births = () => consumer.heard.filter(({ text }) => text === 'online').length;
  const before = births();
  for (let n = 0; n < 50; n++) {
    await consumer.client.publishAsync(AVAILABILITY, 'offline', { qos: 1, retain: true });
  }
  await until(() => consumer.last(AVAILABILITY) === 'online', 'the correction');
  await tick(1200);
  expect(consumer.last(AVAILABILITY)).toBe('online');
  expect(births() - before).toBeLessThanOrEqual(4);
});

test('whoever clears the topic, or writes another word on it, is corrected: who comes later must find it', async () => {
  const { broker, consumer } = await seenOnline();
  for (const word of ['', 'maybe']) {
    await consumer.client.publishAsync(AVAILABILITY, word, { qos: 1, retain: true });
    await until(() => consumer.heard.some(({ text }) => text === word), 'the false word');
    await until(() => consumer.last(AVAILABILITY) === 'online', `the correction of '${word}'`);
    const late = keep(await startConsumer(broker.url, 4, [AVAILABILITY]));
    await until(() => late.last(AVAILABILITY) === 'online', 'the retained word');
  }
});

test('availability, states and discovery are said again on every connect, to a broker that forgot', async () => {
  const first = await startAedes();
  const { delivery } = daemon(first.url);
  afterwards(() => delivery.stop());
  await delivery.start();
  delivery.sensorAvailability('chest', true);
  delivery.alarms('chest', []);
  delivery.about({ version: '1.0.0', models: [], limits: {} });
  await until(() => delivery.stats().connected, 'the connection');
  await first.close();
  await until(() => !delivery.stats().connected, 'the loss');
  const second = keep(await startAedes(first.port));
  const consumer = keep(await startConsumer(second.url));
  await until(() => consumer.last('slothd/pi/chest/alarms') !== undefined, 'the states');
  await until(() => consumer.last('homeassistant/device/slothd_pi_chest/config') !== undefined, 'discovery');
  expect(consumer.last(AVAILABILITY)).toBe('online');
  expect(consumer.last('slothd/pi/chest/availability')).toBe('online');
  expect(consumer.last('slothd/pi/chest/alarms')).toBe('[]');
  expect(consumer.last('slothd/pi/about')).toContain('slothd.about.v1');
});

test('a second device with the same client id is named as the cause', async () => {
  const broker = keep(await startMqtt5Broker());
  const one = daemon(broker.url, { clientId: 'same', reconnectMinMs: 2000, reconnectMaxMs: 2000 });
  const two = daemon(broker.url, { clientId: 'same' });
  afterwards(
    () => one.delivery.stop(),
    () => two.delivery.stop(),
  );
  await one.delivery.start();
  await until(() => one.delivery.stats().connected, 'the first');
  await two.delivery.start();
  await until(() => !one.delivery.stats().connected, 'the take-over');
  expect(one.delivery.stats().lastError).toMatch(/another client uses the same client id/);
});

test('clock steps of +2 years and -10 minutes: no disconnect, nothing lost, no alarm', async () => {
  const broker = keep(await startAedes());
  const consumer = keep(await startConsumer(broker.url));
  const clock = Object.assign(new ManualTime(), { monotonicMs: () => performance.now() });
  const { delivery, lines } = daemon(broker.url, {}, clock);
  afterwards(() => delivery.stop());
  await delivery.start();
  await until(() => delivery.stats().connected, 'the connection');
  const raise = (n: number) => delivery.alert(change(`n-${n}`), { arrivedAtMs: null }, []);
  raise(1);
  clock.wallOffsetMs += 2 * 365 * 86_400_000;
  raise(2);
  clock.wallOffsetMs -= 600_000;
  raise(3);
  await until(() => consumer.alerts().length === 3 && delivery.stats().outbox.entries === 0, 'the alerts');
  expect(consumer.alerts().map(({ id }) => id)).toEqual(['n-1', 'n-2', 'n-3']);
  expect(delivery.stats()).toMatchObject({ connected: true, connections: 1, outbox: { shedAlerts: 0 } });
  expect(lines.filter(({ level }) => level === 'error' || level === 'warn')).toEqual([]);
});

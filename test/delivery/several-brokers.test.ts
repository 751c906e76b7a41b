import { describe, expect, test } from 'vitest';
import { startAedes, startConsumer, startProxy } from './support/brokers.js';
import { deliveryTo } from './support/delivery.js';
import { closedAfterEach } from './support/keep.js';
import { startMqtt5Broker } from './support/mqtt5-broker.js';
import { change, ManualTime, until } from './support/world.js';

const { keep, afterwards } = closedAfterEach();

function daemon(url: string, mqtt: Record<string, unknown>, time: ManualTime | null = null) {
  const made = deliveryTo(url, mqtt, time ? { clock: time, timers: time } : {});
  afterwards(() => made.delivery.stop());
  return made;
}

describe('several brokers', () => {
  test('the next one is taken while the first is away, and the first again when it is back', async () => {
    const home = keep(await startAedes());
    const door = keep(await startProxy(home.port));
    const backup = keep(await startAedes());
    const atHome = keep(await startConsumer(home.url));
    const atBackup = keep(await startConsumer(backup.url));
    door.mode = 'refuse';
    const { delivery } = daemon(door.url, { backups: [backup.url], failBackMs: 200 });
    const raised: string[] = [];
    const raise = () => {
      const id = `n-${raised.length}`;
      raised.push(id);
      delivery.alert(change(id), { arrivedAtMs: performance.now() }, []);
    };
    await delivery.start();
    await until(() => delivery.stats().connected, 'the backup');
    expect(delivery.stats().url).toBe(backup.url);
    raise();
    await until(() => atBackup.alerts().length === 1, 'the alert at the backup');

    door.mode = 'pass';
    await until(() => delivery.stats().connected && delivery.stats().url === door.url, 'the way home');
    // The backup was left in good order: it does not go on saying that we are there.
    await until(() => atBackup.last('slothd/pi/availability') === 'offline', 'the goodbye');
    await until(() => atHome.last('slothd/pi/availability') === 'online', 'the birth');
    raise();
    await until(() => atHome.alerts().length === 1, 'the alert at home');

    // Home is cut in mid-traffic: what it had not acknowledged goes to the backup.
    door.mode = 'freeze';
    for (let n = 0; n < 5; n++) raise();
    door.mode = 'refuse';
    door.cut();
    await until(() => delivery.stats().outbox.entries === 0 && delivery.stats().url === backup.url, 'all of them');
    const heard = () => new Set([...atHome.alerts(), ...atBackup.alerts()].map(({ id }) => id));
    await until(() => heard().size === raised.length, 'all of them at one or the other');
  });

  test('all away: each is tried in turn, then the waits grow', async () => {
    const doors = [keep(await startProxy(1)), keep(await startProxy(1)), keep(await startProxy(1))];
    for (const door of doors) door.mode = 'refuse';
    const [first, ...others] = doors;
    const { delivery, lines } = daemon(first!.url, { backups: others.map(({ url }) => url), protocol: '3.1.1' });
    await delivery.start();
    await until(() => delivery.stats().attempts >= 9, 'nine attempts');
    const counts = doors.map(({ connections }) => connections);
    expect(Math.max(...counts) - Math.min(...counts)).toBeLessThanOrEqual(1);
    expect(lines.filter(({ level }) => level === 'warn')).toHaveLength(1);
  });

  test('one that accepts and does nothing is no broker: the next one is taken, and it is not gone back to each time', async () => {
    let dead = true;
    const home = keep(await startMqtt5Broker({ puback: () => (dead ? undefined : 0) }));
    const backup = keep(await startAedes());
    const atBackup = keep(await startConsumer(backup.url));
    const { delivery } = daemon(home.url, { backups: [backup.url], failBackMs: 300, ackTimeoutMs: 500 });
    await delivery.start();
    delivery.alert(change('a'), { arrivedAtMs: null }, []);
    await until(() => atBackup.alerts().some(({ id }) => id === 'a'), 'the alert at the backup');
    // Looked for after 300, 600, 1200 ms..., not at each of its answers.
    await until(() => home.connects.filter(({ clientId }) => clientId === 'slothd-pi').length >= 3, 'the way home');
    const tries = home.connects.length;
    await until(() => delivery.stats().connected && delivery.stats().url === backup.url, 'the backup again');
    dead = false;
    await until(() => delivery.stats().connected && delivery.stats().url === home.url, 'home for good', 20_000);
    expect(home.connects.length - tries).toBeLessThan(6);
    delivery.alert(change('b'), { arrivedAtMs: null }, []);
    await until(() => delivery.stats().outbox.entries === 0, 'the acknowledgement');
    expect(home.published.some(({ payload }) => payload.toString().includes('"b"'))).toBe(true);
  });

  test('failBackMs 0 stays where it is', async () => {
    const home = keep(await startAedes());
    const door = keep(await startProxy(home.port));
    const backup = keep(await startAedes());
    door.mode = 'refuse';
    const time = new ManualTime();
    const { delivery } = daemon(door.url, { backups: [backup.url], failBackMs: 0 }, time);
    await delivery.start();
    await until(() => {
      time.advance(50);
      return delivery.stats().connected;
    }, 'the backup');
    door.mode = 'pass';
    time.advance(4000);
    expect(delivery.stats()).toMatchObject({ url: backup.url, connected: true });
    time.advance(1);
    const stopping = delivery.stop();
    await until(() => {
      time.advance(500);
      return !delivery.stats().connected;
    }, 'the end');
    await stopping;
  });
});

describe('expiry', () => {
  const vitals = { hrBpm: 61, rrMs: [984], rhythm: 'regular', quality: 'good', contact: true } as const;

  test('vitals expire at the broker, alerts never; the session as configured', async () => {
    const broker = keep(await startMqtt5Broker());
    const { delivery } = daemon(broker.url, { sessionExpiryS: 3600 });
    await delivery.start();
    await until(() => delivery.stats().connected, 'the connection');
    delivery.vitals('chest', vitals);
    delivery.alert(change('a'), { arrivedAtMs: null }, []);
    await until(() => broker.published.some(({ topic }) => topic.endsWith('/alert')), 'the alert');
    const sent = (leaf: string) => broker.published.find(({ topic }) => topic === `slothd/pi/chest/${leaf}`);
    expect(sent('vitals')?.properties?.messageExpiryInterval).toBe(60);
    expect(sent('alert')?.properties?.messageExpiryInterval).toBeUndefined();
    const [connect] = broker.connects;
    expect(connect).toMatchObject({ clean: false, clientId: 'slothd-pi' });
    expect(connect?.properties?.sessionExpiryInterval).toBe(3600);
  });
});

import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises';
import net from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { generate, type IConnectPacket, parser } from 'mqtt-packet';
import { describe, expect, test } from 'vitest';
import type { Delivery } from '../../src/delivery/publisher.js';
import {
  hasMosquitto,
  needsMosquitto,
  startAedes,
  startConsumer,
  startMosquitto,
} from '../delivery/support/brokers.js';
import { deliveryTo } from '../delivery/support/delivery.js';
import { closedAfterEach } from '../delivery/support/keep.js';
import { startMqtt5Broker } from '../delivery/support/mqtt5-broker.js';
import { change, tick, until } from '../delivery/support/world.js';

/** Brokers and neighbours that do what no broker should. */

const { keep, afterwards } = closedAfterEach();

function daemon(url: string, mqtt: Record<string, unknown> = {}) {
  const made = deliveryTo(url, mqtt, { onListed: () => undefined });
  afterwards(() => made.delivery.stop());
  return made;
}

/** Accepts everybody, acknowledges everything, and says what it is told to. */
async function startLiar() {
  const sockets = new Set<net.Socket>();
  const connects: IConnectPacket[] = [];
  const server = net.createServer((socket) => {
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket));
    socket.on('error', () => undefined);
    const packets = parser({ protocolVersion: 4 });
    socket.on('data', (chunk) => packets.parse(chunk));
    packets.on('packet', (packet) => {
      const messageId = packet.messageId ?? 0;
      if (packet.cmd === 'connect') {
        connects.push(packet);
        socket.write(generate({ cmd: 'connack', returnCode: 0, sessionPresent: false }));
      } else if (packet.cmd === 'publish' && packet.qos === 1) socket.write(generate({ cmd: 'puback', messageId }));
      else if (packet.cmd === 'subscribe') {
        socket.write(generate({ cmd: 'suback', messageId, granted: packet.subscriptions.map(() => 0) }));
      }
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as net.AddressInfo;
  return {
    url: `mqtt://127.0.0.1:${port}`,
    sockets,
    connects,
    say: (bytes: Buffer) => [...sockets].at(-1)?.write(bytes),
    close: async () => {
      for (const socket of sockets) socket.destroy();
      await new Promise<void>((resolve) => server.close(() => resolve()));
    },
  };
}

describe('what no broker sends', () => {
  test.each([
    ['a packet of a kind that there is none of', Buffer.from([0xff, 0x00])],
    ['a packet of a kind that only clients send', Buffer.from([0x82, 0x00])],
    ['another protocol', Buffer.from('HTTP/1.1 400 Bad Request\r\n\r\n')],
    ['a topic that is longer than its packet', Buffer.from([0x30, 0x02, 0xff, 0xff])],
  ])('%s: the connection is made anew at once', async (_, bytes) => {
    const liar = keep(await startLiar());
    const { delivery } = daemon(liar.url, { protocol: '3.1.1' });
    await delivery.start();
    await until(() => delivery.stats().connected, 'the connection');
    liar.say(bytes);
    await until(() => delivery.stats().connections === 2, 'the second connection', 3_000);
    delivery.alert(change('a'), { arrivedAtMs: null }, []);
    await until(() => delivery.stats().outbox.entries === 0, 'the acknowledgement');
  });

  test('a packet of 200 MB is not gathered: the next connection begins without the session that holds it', async () => {
    const liar = keep(await startLiar());
    const { delivery, lines } = daemon(liar.url, { protocol: '3.1.1', sessionExpiryS: 3600 });
    await delivery.start();
    await until(() => delivery.stats().connected, 'the connection');
    expect(liar.connects[0]?.clean).toBe(false);
    liar.say(Buffer.from([0x30, 0x80, 0x80, 0x80, 0x64]));
    await until(() => delivery.stats().connections === 2, 'the second connection', 3_000);
    expect(liar.connects[1]?.clean).toBe(true);
    expect(lines.some(({ data }) => JSON.stringify(data).includes('a packet of 209715200 bytes'))).toBe(true);
    [...liar.sockets].at(-1)?.destroy();
    await until(() => delivery.stats().connections === 3, 'the third connection', 3_000);
    expect(liar.connects[2]?.clean).toBe(false);
  });
});

describe('brokers that do not take everything', () => {
  const alerted = async (delivery: Delivery, id: string) => {
    delivery.alert(change(id), { arrivedAtMs: null, active: [change(id)] }, []);
    await until(() => delivery.stats().connected && delivery.stats().outbox.entries === 0, `alert ${id}`, 20_000);
  };

  /** After a few connections at most there is one that lasts. */
  const stays = async (delivery: Delivery) => {
    let seen = 0;
    while (!(delivery.stats().connected && delivery.stats().connections === seen)) {
      seen = delivery.stats().connections;
      expect(seen).toBeLessThan(9);
      await tick(1_200);
    }
  };

  test('packets of 2 kB at most, told at the connection: what is larger is not said, and the connection stays', async () => {
    const broker = keep(await startMqtt5Broker({ connack: { maximumPacketSize: 2000 } }));
    const { delivery, lines } = daemon(broker.url);
    await delivery.start();
    await until(() => delivery.stats().connected, 'the connection');
    await alerted(delivery, 'a');
    await until(() => broker.retained.get('slothd/pi/chest/alarms') !== undefined, 'the list');
    expect(broker.published.every(({ payload }) => payload.length < 2000)).toBe(true);
    expect(delivery.stats().connections).toBe(1);
    expect(lines.filter(({ message }) => /larger than the broker allows/.test(message))).toHaveLength(1);
  });

  test('the same, not told: the broker hangs up, and after some of that what is large is held back', async () => {
    const broker = keep(await startMqtt5Broker({ hangUp: ({ payload }) => payload.length > 2000 }));
    const { delivery, lines } = daemon(broker.url);
    await delivery.start();
    await until(() => lines.some(({ message }) => /held back/.test(message)), 'the word');
    await alerted(delivery, 'a');
    await until(() => broker.retained.get('slothd/pi/chest/alarms') !== undefined, 'the list');
    await stays(delivery);
  });

  test('no retained messages: nothing is asked to be kept, the will neither', async () => {
    const refuse = ({ will }: IConnectPacket) => (will?.retain ? 154 : 0);
    const broker = keep(await startMqtt5Broker({ refuse, connack: { retainAvailable: false } }));
    const { delivery, lines } = daemon(broker.url);
    await delivery.start();
    await until(() => delivery.stats().connected, 'the connection');
    await alerted(delivery, 'a');
    expect(broker.published.map(({ retain }) => retain)).not.toContain(true);
    expect(broker.published.some(({ topic }) => topic === 'slothd/pi/chest/alarms')).toBe(true);
    expect(lines.filter(({ message }) => /keeps no retained messages/.test(message))).toHaveLength(1);
  });

  test('mosquitto with rules for our own root alone: alerts and lists arrive all the same', async ({ skip }) => {
    needsMosquitto(hasMosquitto, skip);
    const dir = await mkdtemp(join(tmpdir(), 'slothd-acl-'));
    afterwards(() => rm(dir, { recursive: true, force: true }));
    await chmod(dir, 0o755);
    const rules = join(dir, 'acl');
    await writeFile(rules, 'topic read #\ntopic write slothd/pi/#\n', { mode: 0o644 });
    const broker = keep(await startMosquitto(`max_queued_messages 0\nacl_file ${rules}`));
    const consumer = keep(await startConsumer(broker.url));
    const { delivery } = daemon(broker.url);
    // Where its queues have no bound, mosquitto 2.0.11 hangs up on what comes behind a refused message.
    delivery.about({ version: '1', models: [], limits: {} });
    delivery.alarms('chest', []);
    await delivery.start();
    await until(() => delivery.stats().connected, 'the connection');
    await alerted(delivery, 'a');
    await until(() => consumer.alerts().length > 0, 'the alert');
    await until(() => consumer.last('slothd/pi/chest/alarms')?.includes('"a"') ?? false, 'the list');
    // Once or twice it hangs up before its refusal was read: then the message counts as too large.
    await stays(delivery);
  });
});

test('somebody clears or overwrites what the broker keeps of a sensor: it is said again', async () => {
  const broker = keep(await startAedes());
  const consumer = keep(await startConsumer(broker.url));
  const { delivery, lines } = daemon(broker.url);
  await delivery.start();
  delivery.sensorAvailability('chest', true);
  delivery.alarms('chest', [change('a')]);
  await until(() => consumer.last('slothd/pi/chest/alarms') !== undefined, 'the list');
  const list = consumer.last('slothd/pi/chest/alarms') as string;
  expect(list).toContain('"a"');
  await tick(100);
  for (const [leaf, wrong, right] of [
    ['alarms', '', list],
    ['availability', 'offline', 'online'],
  ] as const) {
    const topic = `slothd/pi/chest/${leaf}`;
    await consumer.client.publishAsync(topic, wrong, { qos: 1, retain: true });
    await until(() => consumer.last(topic) === wrong, 'the false word');
    await until(() => consumer.last(topic) === right, `the correction of ${leaf}`);
    const late = keep(await startConsumer(broker.url, 4, [topic]));
    await until(() => late.last(topic) === right, 'the retained word');
  }
  // Our own words, coming back, are no reason to say anything.
  const warnings = lines.filter(({ level }) => level === 'warn').length;
  delivery.alarms('chest', []);
  delivery.alarms('chest', [change('b')]);
  delivery.alarms('chest', []);
  await tick(1_500);
  expect(lines.filter(({ level }) => level === 'warn')).toHaveLength(warnings);
  expect(consumer.last('slothd/pi/chest/alarms')).toBe('[]');
});

test('two that take one client id from each other do so ever more rarely', async () => {
  const broker = keep(await startMqtt5Broker());
  const wait = { clientId: 'same', reconnectMinMs: 100, reconnectMaxMs: 30_000 };
  const one = daemon(broker.url, wait);
  const two = daemon(broker.url, wait);
  await one.delivery.start();
  await two.delivery.start();
  await tick(4_000);
  // Each 100 ms or so would make some eighty.
  expect(broker.connects.length).toBeGreaterThan(4);
  expect(broker.connects.length).toBeLessThan(20);
});

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { z } from 'zod';
import { createMemoryStore } from '../../src/daemon/memory-store.js';
import { payloadJsonSchemas } from '../../src/delivery/payloads.js';
import { Delivery, type DeliveryOptions } from '../../src/delivery/publisher.js';
import type { Stage } from '../../src/domain/stage.js';
import { type Consumer, startAedes, startConsumer, startProxy } from './support/brokers.js';
import { closedAfterEach } from './support/keep.js';
import { startMqtt5Broker } from './support/mqtt5-broker.js';
import { change, collectLog, ManualTime, realClock, realTimers, settingsFor, tick, until } from './support/world.js';

const { keep, afterwards } = closedAfterEach();

function delivery(url: string, over: Partial<DeliveryOptions> = {}, mqtt: Record<string, unknown> = {}) {
  const { log, lines } = collectLog();
  const stages: Array<[Stage, number]> = [];
  const made = new Delivery({
    settings: settingsFor(url, mqtt),
    node: 'pi',
    version: '1.2.3',
    sensors: ['chest'],
    clock: realClock,
    timers: realTimers,
    store: createMemoryStore(),
    log,
    stages: { record: (stage, ms) => stages.push([stage, ms]) },
    ...over,
  });
  let stopped = false;
  const stop = async () => {
    if (!stopped) await made.stop();
    stopped = true;
  };
  afterwards(stop);
  return { delivery: made, lines, stages, stop };
}

const vitals = { hrBpm: 61, rrMs: [984], rhythm: 'regular', quality: 'good', contact: true } as const;
const health = {
  ready: true,
  reasons: [],
  latency: { decode: { count: 3, p50Ms: 0.1, p99Ms: 0.4 } },
  memory: { rssBytes: 90_000_000 },
  cpu: { share: 0.04 },
  temperatureC: 48.5,
  throttled: false,
};
const about = {
  version: '1.2.3',
  models: [{ name: 'beat-ecg', sha256: 'ab'.repeat(32), precision: 'int8' }],
  limits: { 'tachycardia.bpm': 150 },
};

/** Checks a message as a consumer would that has only the published schema files. */
function valid(file: string, text: string): void {
  const schema = JSON.parse(readFileSync(join(import.meta.dirname, '../../config', file), 'utf8'));
  const value: unknown = file === 'availability.schema.json' ? text : JSON.parse(text);
  const result = z.fromJSONSchema(schema).safeParse(value);
  expect(result.error?.issues, text).toBeUndefined();
}

async function sayEverything(d: Delivery): Promise<void> {
  d.about(about);
  d.health(health);
  d.sensorAvailability('chest', true);
  d.alarms('chest', [change('a-1')]);
  d.vitals('chest', { ...vitals, spo2Percent: 97 });
  d.alert(change('a-1'), { arrivedAtMs: performance.now() - 3 }, []);
  d.alert(
    change('a-1', {
      event: 'end',
      sequence: 2,
      endedMs: 5000,
      evidence: { rrMs: [400], signal: { startAtMs: 0, rateHz: 250, unit: 'mV', samples: [0, 0.5, Number.NaN] } },
      model: { name: 'beat-ecg', sha256: 'ab'.repeat(32), precision: 'int8', score: 0.93 },
    }),
    { arrivedAtMs: null },
    [],
  );
}

function checkEverything(consumer: Consumer): void {
  expect(consumer.last('slothd/pi/availability')).toBe('online');
  expect(consumer.last('slothd/pi/chest/availability')).toBe('online');
  valid('availability.schema.json', consumer.last('slothd/pi/availability') ?? '');
  valid('about.schema.json', consumer.last('slothd/pi/about') ?? '');
  valid('health.schema.json', consumer.last('slothd/pi/health') ?? '');
  valid('alarms.schema.json', consumer.last('slothd/pi/chest/alarms') ?? '');
  valid('vitals.schema.json', consumer.last('slothd/pi/chest/vitals') ?? '');
  const [first, second] = consumer.on('slothd/pi/chest/alert');
  for (const message of [first, second]) {
    valid('alert.schema.json', message?.text ?? '');
    expect(message?.packet.qos).toBe(1);
    expect(message?.retain).toBe(false);
  }
  expect(JSON.parse(first?.text ?? '')).toMatchObject({
    schema: 'slothd.alert.v1',
    id: 'a-1',
    event: 'new',
    sequence: 1,
    kind: 'tachycardia',
    priority: 'medium',
    category: 'health',
    node: 'pi',
    sensor: 'chest',
    endedAt: null,
    clockSynced: true,
    values: { hrBpm: 163 },
    evidence: { rrMs: [370, 368, 366] },
    model: null,
    replayed: false,
  });
  const { latencyMs } = JSON.parse(first?.text ?? '') as { latencyMs: number };
  expect(latencyMs).toBeGreaterThanOrEqual(3);
  expect(latencyMs).toBeLessThan(500);
  expect(JSON.parse(second?.text ?? '')).toMatchObject({
    event: 'end',
    sequence: 2,
    latencyMs: null,
    model: { score: 0.93 },
  });
}

describe('the contract, as a consumer sees it that has only the published schemas', () => {
  test('MQTT 3.1.1 (a broker that refuses 5)', async () => {
    const broker = keep(await startAedes());
    const consumer = keep(await startConsumer(broker.url));
    const { delivery: d, lines } = delivery(broker.url);
    await d.start();
    await until(() => d.stats().connected, 'the connection');
    expect(d.stats().protocol).toBe('3.1.1');
    expect(lines.filter(({ level }) => level === 'warn' || level === 'error')).toEqual([]);
    await sayEverything(d);
    await until(
      () => consumer.alerts().length === 2 && consumer.on('slothd/pi/chest/vitals').length === 1,
      'both alerts',
    );
    checkEverything(consumer);
  });

  test('MQTT 5', async () => {
    const broker = keep(await startMqtt5Broker());
    const consumer = keep(await startConsumer(broker.url, 5));
    const { delivery: d } = delivery(broker.url);
    await d.start();
    await until(() => d.stats().connected, 'the connection');
    expect(d.stats().protocol).toBe('5');
    await sayEverything(d);
    await until(
      () => consumer.alerts().length === 2 && consumer.on('slothd/pi/chest/vitals').length === 1,
      'both alerts',
    );
    checkEverything(consumer);
    const own = broker.connects.find(({ clientId }) => clientId === 'slothd-pi');
    expect(own?.clean).toBe(true);
    expect(own?.will).toMatchObject({ topic: 'slothd/pi/availability', qos: 1, retain: true });
  });

  test('the published schema files are those of the code', () => {
    for (const [file, schema] of Object.entries(payloadJsonSchemas())) {
      const published = JSON.parse(readFileSync(join(import.meta.dirname, '../../config', file), 'utf8')) as unknown;
      expect(published, `${file}: run node dist/delivery/write-schemas.js`).toEqual(schema);
    }
  });

  test('states are retained: who comes later finds them; alerts and vitals are not', async () => {
    const broker = keep(await startAedes());
    const { delivery: d } = delivery(broker.url);
    await d.start();
    await until(() => d.stats().connected, 'the connection');
    await sayEverything(d);
    await until(() => d.stats().outbox.entries === 0, 'acknowledgements');
    const late = keep(await startConsumer(broker.url));
    await until(() => late.heard.length >= 6, 'the retained messages');
    await tick(50);
    expect(late.heard.every(({ retain }) => retain)).toBe(true);
    expect(late.heard.map(({ topic }) => topic).sort()).toEqual([
      'homeassistant/device/slothd_pi_chest/config',
      'slothd/pi/about',
      'slothd/pi/availability',
      'slothd/pi/chest/alarms',
      'slothd/pi/chest/availability',
      'slothd/pi/health',
    ]);
  });

  test('a normal stop says offline, of the sensors too, and leaves nothing unacknowledged', async () => {
    const broker = keep(await startAedes());
    const consumer = keep(await startConsumer(broker.url));
    const { delivery: d, stop } = delivery(broker.url);
    await d.start();
    await until(() => d.stats().connected, 'the connection');
    await sayEverything(d);
    await stop();
    await until(() => consumer.last('slothd/pi/availability') === 'offline', 'the goodbye');
    expect(consumer.last('slothd/pi/chest/availability')).toBe('offline');
    expect(consumer.alerts()).toHaveLength(2);
    expect(d.stats().outbox.entries).toBe(0);
  });
});

test('stage times: wire_to_alert for fresh alerts, publish_ack for each acknowledgement', async () => {
  const broker = keep(await startAedes());
  const { delivery: d, stages } = delivery(broker.url);
  d.alert(change('waited'), { arrivedAtMs: performance.now() }, []);
  await d.start();
  await until(() => d.stats().outbox.entries === 0 && d.stats().connected, 'the first');
  d.alert(change('fresh'), { arrivedAtMs: performance.now() - 7 }, []);
  await until(() => stages.filter(([stage]) => stage === 'publish_ack').length === 2, 'two acknowledgements');
  const wire = stages.filter(([stage]) => stage === 'wire_to_alert');
  expect(wire).toHaveLength(1);
  expect(wire[0]?.[1]).toBeGreaterThanOrEqual(7);
});

test('times on the wire: stream time becomes wall time at the moment of the alert', async () => {
  const broker = keep(await startAedes());
  const consumer = keep(await startConsumer(broker.url));
  const time = new ManualTime();
  const { delivery: d } = delivery(broker.url, { clock: time });
  await d.start();
  await until(() => d.stats().connected, 'the connection');
  time.isSynced = false;
  d.alert(change('x', { onsetMs: 0, raisedMs: 500 }), { arrivedAtMs: 1000 }, []);
  await until(() => consumer.alerts().length === 1, 'the alert');
  expect(consumer.alerts()[0]).toMatchObject({
    onsetAt: '2026-01-01T00:00:00.000Z',
    raisedAt: '2026-01-01T00:00:00.500Z',
    clockSynced: false,
    latencyMs: 0,
  });
});

test('two names that only differ in what a topic may not hold do not share a topic', async () => {
  const broker = keep(await startAedes());
  const consumer = keep(await startConsumer(broker.url));
  const { delivery: d } = delivery(broker.url, { sensors: [] });
  await d.start();
  await until(() => d.stats().connected, 'the connection');
  for (const sensor of ['bed/1', 'bed+1', 'cmd', '']) d.alert(change('x', { sensor }), { arrivedAtMs: null }, []);
  await until(() => consumer.alerts().length === 4, 'the alerts');
  const topics = consumer.heard.filter(({ topic }) => topic.endsWith('/alert')).map(({ topic }) => topic);
  expect(new Set(topics).size).toBe(4);
  for (const topic of topics) expect(topic).toMatch(/^slothd\/pi\/[A-Za-z0-9_-]+\/alert$/);
  expect(topics).not.toContain('slothd/pi/cmd/alert');
});

describe('commands', () => {
  async function withCommands() {
    const broker = keep(await startMqtt5Broker());
    const client = keep(await startConsumer(broker.url, 5, ['answers/me']));
    const { delivery: d, lines } = delivery(broker.url);
    d.onCommand(async (verb, args) => {
      if (verb === 'ack') return { acked: args.id };
      throw new Error(`there is no command '${verb}'`);
    });
    await d.start();
    await until(() => d.stats().connected, 'the connection');
    await tick(50);
    const ask = async (verb: string, payload: string | Buffer, responseTopic = 'answers/me', retain = false) => {
      await client.client.publishAsync(`slothd/pi/cmd/${verb}`, payload, {
        qos: 1,
        retain,
        properties: { responseTopic, correlationData: Buffer.from(verb) },
      });
    };
    const answers = () =>
      client.heard.map(({ text }) => JSON.parse(text) as { ok: boolean; error?: string; result?: unknown });
    return { broker, client, d, ask, answers, lines };
  }

  test('are answered on the response topic with their correlation data', async () => {
    const { ask, answers, client } = await withCommands();
    await ask('ack', '{"id":"a-1"}');
    await until(() => answers().length === 1, 'the answer');
    expect(answers()[0]).toEqual({ schema: 'slothd.answer.v1', verb: 'ack', ok: true, result: { acked: 'a-1' } });
    expect(client.heard[0]?.packet.properties?.correlationData?.toString()).toBe('ack');
    valid('answer.schema.json', client.heard[0]?.text ?? '');
  });

  test('that make no sense are answered with what is wrong', async () => {
    const { ask, answers } = await withCommands();
    await ask('ack', '{"id":');
    await ask('ack', '[1,2]');
    await ask('ack', Buffer.from([0xff, 0x00, 0x80]));
    await ask('fly', '');
    await ask('ack', `{"id":"${'x'.repeat(17_000)}"}`);
    await until(() => answers().length === 5, 'five answers');
    expect(answers().map(({ ok }) => ok)).toEqual([false, false, false, false, false]);
    expect(answers().map(({ error }) => error)).toEqual(
      expect.arrayContaining([
        'the payload is not JSON',
        'the payload must be a JSON object',
        "there is no command 'fly'",
        'a command has at most 16384 bytes',
      ]),
    );
  });

  test('without a response topic, as in MQTT 3.1.1, are answered below the root with the id of the request', async () => {
    const broker = keep(await startAedes());
    const client = keep(await startConsumer(broker.url, 4, ['slothd/pi/response/#']));
    const { delivery: d } = delivery(broker.url);
    d.onCommand((verb) => {
      if (verb === 'ping') return { pong: true };
      throw new Error('no');
    });
    await d.start();
    await until(() => d.stats().connected, 'the connection');
    expect(d.stats().protocol).toBe('3.1.1');
    await tick(50);
    await client.client.publishAsync('slothd/pi/cmd/ping', '{"requestId":"r-7"}', { qos: 1 });
    await client.client.publishAsync('slothd/pi/cmd/fly', '{"requestId":{"deep":1}}', { qos: 1 });
    await until(() => client.heard.length === 2, 'both answers');
    expect(JSON.parse(client.last('slothd/pi/response/ping') ?? '')).toEqual({
      schema: 'slothd.answer.v1',
      verb: 'ping',
      ok: true,
      result: { pong: true },
      requestId: 'r-7',
    });
    expect(JSON.parse(client.last('slothd/pi/response/fly') ?? '')).toMatchObject({ ok: false, error: 'no' });
    for (const { text, retain } of client.heard) {
      valid('answer.schema.json', text);
      expect(retain).toBe(false);
    }
  });

  test('deep, huge and hostile JSON is answered or dropped, and costs nothing lasting', async () => {
    const broker = keep(await startAedes());
    const client = keep(await startConsumer(broker.url, 4, ['slothd/pi/response/#']));
    const { delivery: d } = delivery(broker.url);
    d.onCommand((_verb, args) => ({ got: Object.keys(args).length }));
    await d.start();
    await until(() => d.stats().connected, 'the connection');
    await tick(50);
    const payloads = [
      '['.repeat(16_000),
      `{"a":${'['.repeat(7000)}${']'.repeat(7000)}}`,
      '{"__proto__":{"sensor":"chest"},"constructor":1}',
      `{"a":"${'x'.repeat(5_000_000)}"}`,
      '{"a":1e999999,"b":"\\ud800"}',
    ];
    for (const payload of payloads) await client.client.publishAsync('slothd/pi/cmd/ack', payload, { qos: 1 });
    await until(() => client.heard.length === payloads.length, 'an answer to each');
    const answers = client.heard.map(({ text }) => JSON.parse(text) as { ok: boolean; error?: string });
    expect(answers.map(({ ok }) => ok)).toEqual([false, true, true, false, true]);
    expect(answers[3]?.error).toBe('a command has at most 16384 bytes');
    expect(({} as Record<string, unknown>).sensor).toBeUndefined();
    expect(d.stats()).toMatchObject({ connected: true, connections: 1, commands: { received: 5, failed: 2 } });
  });

  test('cannot make slothd speak falsely on its own topics', async () => {
    const { ask, broker, d } = await withCommands();
    const before = broker.published.length;
    await ask('ack', '{"id":"forged"}', 'slothd/pi/chest/alert');
    await ask('ack', '{"id":"forged"}', 'slothd/pi/cmd/ack');
    // Nor on another device's, nor to Home Assistant.
    for (const topic of ['slothd/pi-2/chest/alarms', 'slothd/pi-2/cmd/snooze', 'homeassistant/device/x/config']) {
      await ask('ack', '{"id":"forged"}', topic);
    }
    await until(() => d.stats().commands.received === 5, 'the commands');
    await tick(50);
    expect(broker.published.slice(before).filter(({ payload }) => payload.toString().includes('"ok"'))).toEqual([]);
  });

  test('a request id that JSON cannot tell does not come back', async () => {
    const { ask, answers } = await withCommands();
    await ask('ack', '{"requestId":1e999}');
    await ask('ack', '{"requestId":7}');
    await until(() => answers().length === 2, 'both answers');
    const ids = answers().map((answer) => (answer as { requestId?: unknown }).requestId);
    expect(ids).toEqual([undefined, 7]);
  });

  test('a flood is bounded, and alerts go through it', async () => {
    const { ask, answers, d, broker } = await withCommands();
    const flood = Promise.all(Array.from({ length: 3000 }, () => ask('ack', '{"id":"x"}')));
    d.alert(change('in-the-flood'), { arrivedAtMs: performance.now() }, []);
    await flood;
    await until(() => d.stats().commands.received === 3000, 'the flood');
    await until(() => d.stats().outbox.entries === 0, 'the alert');
    expect(broker.published.some(({ payload }) => payload.toString().includes('in-the-flood'))).toBe(true);
    const { dropped, answered } = d.stats().commands;
    expect(dropped).toBeGreaterThan(2500);
    expect(answered).toBeLessThan(400);
    await tick(50);
    expect(answers().length).toBeLessThanOrEqual(answered);
  });
});

describe('what brokers allow', () => {
  test('fewer messages on their way', async () => {
    const broker = keep(await startMqtt5Broker({ connack: { receiveMaximum: 3 } }));
    const { delivery: d } = delivery(broker.url, {}, { outbox: { replayPerSecond: 10_000 } });
    await d.start();
    await until(() => d.stats().connected, 'the connection');
    for (let n = 0; n < 50; n++) d.alert(change(`n-${n}`), { arrivedAtMs: null }, []);
    await until(() => d.stats().outbox.entries === 0, 'all alerts');
    expect(broker.mostInFlight).toBeLessThanOrEqual(3);
  });

  const large = {
    rrMs: [800],
    signal: { startAtMs: 0, rateHz: 250, unit: 'mV', samples: Array.from({ length: 2500 }, () => 0.125) },
  };

  test('smaller packets: the alert goes without its evidence', async () => {
    const broker = keep(await startMqtt5Broker({ connack: { maximumPacketSize: 2000 } }));
    const consumer = keep(await startConsumer(broker.url, 5));
    const { delivery: d } = delivery(broker.url, {
      settings: { ...settingsFor(broker.url), homeAssistant: { enabled: false, discoveryPrefix: 'homeassistant' } },
    });
    await d.start();
    await until(() => d.stats().connected, 'the connection');
    d.alert(change('big', { evidence: large }), { arrivedAtMs: null }, []);
    await until(() => consumer.alerts().length === 1, 'the alert');
    expect(consumer.alerts()[0]).toMatchObject({ id: 'big', kind: 'tachycardia', evidence: { omitted: true } });
    valid('alert.schema.json', consumer.on('slothd/pi/chest/alert')[0]?.text ?? '');
  });

  test('a broker that hangs up on large messages without saying so: the alert arrives all the same', async () => {
    const broker = keep(
      await startMqtt5Broker({ hangUp: ({ payload, topic }) => topic.endsWith('/alert') && payload.length > 2000 }),
    );
    const { delivery: d } = delivery(broker.url);
    await d.start();
    await until(() => d.stats().connected, 'the connection');
    d.alert(change('big', { evidence: large }), { arrivedAtMs: null }, []);
    d.alert(change('after'), { arrivedAtMs: null }, []);
    await until(() => d.stats().connected && d.stats().outbox.entries === 0, 'both alerts');
    const ids = broker.published
      .filter(({ topic }) => topic.endsWith('/alert'))
      .map(({ payload }) => (JSON.parse(payload.toString()) as { id: string }).id);
    expect([...new Set(ids)]).toEqual(['big', 'after']);
  });

  test('a refused message is kept, told, and sent again later', async () => {
    let refusals = 0;
    const broker = keep(
      await startMqtt5Broker({ puback: ({ topic }) => (topic.endsWith('/alert') && refusals++ < 1 ? 135 : 0) }),
    );
    const time = new ManualTime();
    const { delivery: d, lines } = delivery(broker.url, { clock: time, timers: time });
    await d.start();
    await until(() => d.stats().connected, 'the connection');
    d.alert(change('x'), { arrivedAtMs: null }, []);
    await until(() => d.stats().outbox.refused === 1, 'the refusal');
    expect(
      lines.some(({ level, data }) => level === 'error' && JSON.stringify(data).includes('does not authorize')),
    ).toBe(true);
    time.advance(6000);
    await until(() => d.stats().outbox.entries === 0, 'the second try');
    const stopping = d.stop();
    for (let i = 0; i < 20; i++) {
      time.advance(500);
      await tick(5);
    }
    await stopping;
  });

  test('an alert that is refused time and again goes without its evidence every other time', async () => {
    const tries: number[] = [];
    const puback = ({ topic, payload }: { topic: string; payload: Buffer | string }) => {
      if (!topic.endsWith('/alert')) return 0;
      tries.push(payload.length);
      return payload.length > 2000 ? 151 : 0;
    };
    const broker = keep(await startMqtt5Broker({ puback }));
    const time = new ManualTime();
    const { delivery: d } = delivery(broker.url, { clock: time, timers: time });
    await d.start();
    await until(() => d.stats().connected, 'the connection');
    d.alert(change('big', { evidence: large }), { arrivedAtMs: null }, []);
    for (const [before, holdMs] of [5_000, 10_000, 20_000].entries()) {
      await until(() => d.stats().outbox.refused === before + 1, `refusal ${before + 1}`);
      time.advance(holdMs + 1);
    }
    await until(() => d.stats().outbox.entries === 0, 'the alert');
    expect(tries.map((bytes) => bytes > 2000)).toEqual([true, true, true, false]);
    const stopping = d.stop();
    for (let i = 0; i < 20; i++) {
      time.advance(500);
      await tick(5);
    }
    await stopping;
  });

  test('a state that an access rule refuses is not said without end: half a minute later, then ever more rarely', async () => {
    let tries = 0;
    const puback = ({ topic }: { topic: string }) => {
      if (!topic.startsWith('homeassistant/')) return 0;
      tries++;
      return 135;
    };
    const broker = keep(await startMqtt5Broker({ puback }));
    const time = new ManualTime();
    const { delivery: d, lines } = delivery(broker.url, { clock: time, timers: time });
    const refusals = () => lines.filter(({ level }) => level === 'error').length;
    await d.start();
    await until(() => refusals() === 1, 'the first refusal');
    // What else there is to say goes on, and an alert at once.
    d.health(health);
    d.alert(change('x'), { arrivedAtMs: null }, []);
    await until(() => d.stats().outbox.entries === 0, 'the alert');
    await tick(200);
    expect(tries).toBe(1);
    time.advance(31_000);
    await until(() => refusals() === 2, 'the second refusal');
    time.advance(31_000);
    await tick(50);
    expect(tries).toBe(2);
    time.advance(31_000);
    await until(() => refusals() === 3, 'the third refusal');
    const stopping = d.stop();
    for (let i = 0; i < 20; i++) {
      time.advance(500);
      await tick(5);
    }
    await stopping;
  });

  test('a broker that never acknowledges is left, and the alert goes to the next connection', async () => {
    let silent = true;
    const broker = keep(
      await startMqtt5Broker({ puback: ({ topic }) => (silent && topic.endsWith('/alert') ? undefined : 0) }),
    );
    const { delivery: d, lines } = delivery(broker.url, {}, { ackTimeoutMs: 500 });
    await d.start();
    await until(() => d.stats().connected, 'the connection');
    d.alert(change('x'), { arrivedAtMs: null }, []);
    await until(() => d.stats().connections >= 2, 'a new connection');
    silent = false;
    await until(() => d.stats().outbox.entries === 0, 'the acknowledgement');
    expect(lines.some(({ data }) => JSON.stringify(data).includes('does not acknowledge'))).toBe(true);
  });
});

describe('errors a person can act on', () => {
  const cases: Array<[string, number, RegExp]> = [
    ['bad password', 134, /user name or password.*mqtt\.passwordFile/],
    ['not authorized', 135, /does not authorize/],
    ['bad client id', 133, /mqtt\.clientId/],
    ['busy', 137, /busy/],
  ];
  test.each(cases)('%s', async (_what, code, words) => {
    const broker = keep(await startMqtt5Broker({ refuse: () => code }));
    const { delivery: d, lines } = delivery(broker.url);
    await d.start();
    await until(() => d.stats().attempts >= 3, 'three attempts');
    expect(d.stats().lastError).toMatch(words);
    // Once, not at each attempt.
    expect(lines.filter(({ level }) => level === 'warn')).toHaveLength(1);
  });

  test('nobody listens, no such host, not an MQTT port, missing files', async () => {
    const http = keep(await startProxy(1));
    http.mode = 'refuse';
    const urls: Array<[string, Record<string, unknown>, RegExp]> = [
      ['mqtt://127.0.0.1:1', {}, /no broker listens there/],
      ['mqtt://no-such-host.invalid', {}, /no host of that name|looked up/],
      [http.url, {}, /hung up at once|connection was cut/],
      [
        'mqtt://127.0.0.1:1',
        { username: 'u', passwordFile: '/nonexistent/secret' },
        /mqtt\.passwordFile: \/nonexistent\/secret: there is no such file/,
      ],
      ['mqtts://127.0.0.1:1', { tls: { caFile: '/nonexistent/ca.pem' } }, /mqtt\.tls\.caFile/],
    ];
    for (const [url, mqtt, words] of urls) {
      const { delivery: d, stop } = delivery(url, {}, mqtt);
      await d.start();
      await until(() => words.test(d.stats().lastError), `${url}: ${words} (is: ${d.stats().lastError})`);
      await stop();
    }
  });
});

describe('Home Assistant', () => {
  test('is told again when it starts; a sensor that is gone is removed', async () => {
    const broker = keep(await startAedes());
    const store = createMemoryStore();
    const first = delivery(broker.url, { store, sensors: ['chest', 'finger'] });
    await first.delivery.start();
    await until(() => first.delivery.stats().connected, 'the connection');
    const consumer = keep(await startConsumer(broker.url));
    await until(() => consumer.on('homeassistant/device/slothd_pi_finger/config').length > 0, 'discovery');
    const before = consumer.on('homeassistant/device/slothd_pi_chest/config').length;
    await consumer.client.publishAsync('homeassistant/status', 'online');
    await until(() => consumer.on('homeassistant/device/slothd_pi_chest/config').length > before, 'discovery again');
    await first.stop();

    const second = delivery(broker.url, { store, sensors: ['chest'] });
    await second.delivery.start();
    await until(() => consumer.last('homeassistant/device/slothd_pi_finger/config') === '', 'the removal');
    expect(consumer.last('slothd/pi/finger/availability')).toBe('');
    expect(consumer.last('homeassistant/device/slothd_pi_chest/config')).not.toBe('');
    await second.stop();
    const remembered: string[] = [];
    for await (const [, value] of store.scan('delivery/sensors')) remembered.push(value);
    expect(remembered).toEqual(['["chest"]']);
  });

  test('a flood of its birth message is answered at once, and once more when it is over', async () => {
    const broker = keep(await startAedes());
    const consumer = keep(await startConsumer(broker.url));
    const time = new ManualTime();
    const { delivery: d } = delivery(broker.url, { clock: time, timers: time });
    await d.start();
    const discoveries = () => consumer.on('homeassistant/device/slothd_pi_chest/config').length;
    await until(() => discoveries() > 0, 'discovery');
    const before = discoveries();
    for (let n = 0; n < 100; n++) await consumer.client.publishAsync('homeassistant/status', 'online');
    await until(() => discoveries() === before + 1, 'discovery again');
    await tick(100);
    expect(discoveries()).toBe(before + 1);
    time.advance(6_000);
    await until(() => discoveries() === before + 2, 'the last word');
    const stopping = d.stop();
    for (let i = 0; i < 20; i++) {
      time.advance(500);
      await tick(5);
    }
    await stopping;
  });

  test('a sensor that tells of its battery gets an entity for it', async () => {
    const broker = keep(await startAedes());
    const consumer = keep(await startConsumer(broker.url));
    const { delivery: d } = delivery(broker.url);
    await d.start();
    await until(() => d.stats().connected, 'the connection');
    const topic = 'homeassistant/device/slothd_pi_chest/config';
    await until(() => consumer.on(topic).length === 1, 'discovery');
    for (let n = 0; n < 3; n++) d.vitals('chest', { ...vitals, batteryPercent: 80 });
    await until(() => consumer.on(topic).length === 2, 'discovery again, once');
    expect(consumer.on(topic)[0]?.text).not.toContain('"battery"');
    expect(consumer.last(topic)).toContain('"battery"');
  });

  test('can be switched off', async () => {
    const broker = keep(await startAedes());
    const consumer = keep(await startConsumer(broker.url));
    const settings = settingsFor(broker.url);
    const { delivery: d } = delivery(broker.url, {
      settings: { ...settings, homeAssistant: { ...settings.homeAssistant, enabled: false } },
    });
    await d.start();
    await until(() => consumer.last('slothd/pi/chest/availability') === 'offline', 'the states');
    expect(consumer.heard.filter(({ topic }) => topic.startsWith('homeassistant/'))).toEqual([]);
  });
});

test('switched off altogether: nothing is kept, the extra writes still are', async () => {
  const store = createMemoryStore();
  const { delivery: d } = delivery('mqtt://127.0.0.1:1', { store }, { enabled: false });
  await d.start();
  d.alert(change('x'), { arrivedAtMs: null }, [{ key: 'alarm/x', value: 'open' }]);
  d.vitals('chest', vitals);
  await tick(20);
  expect(d.stats()).toMatchObject({ enabled: false, attempts: 0, outbox: { entries: 0 } });
  const found: string[] = [];
  for await (const [key] of store.scan('')) found.push(key);
  expect(found).toEqual(['alarm/x']);
});

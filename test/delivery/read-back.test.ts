import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { createMemoryStore } from '../../src/daemon/memory-store.js';
import { alarmsJson } from '../../src/delivery/payloads.js';
import { Delivery } from '../../src/delivery/publisher.js';
import { ReadBack, readList } from '../../src/delivery/read-back.js';
import type { ListedAlert } from '../../src/domain/alert.js';
import { startAedes, startConsumer } from './support/brokers.js';
import { closedAfterEach } from './support/keep.js';
import { change, collectLog, ManualTime, realClock, realTimers, settingsFor, tick, until } from './support/world.js';

const { keep, afterwards } = closedAfterEach();

const LIST = 'slothd/pi/chest/alarms';
const open = (id: string, over: object = {}) => ({
  schema: 'slothd.active-alert.v1',
  id,
  sequence: 3,
  kind: 'tachycardia',
  priority: 'medium',
  category: 'health',
  onsetAt: '2026-01-01T00:00:01.000Z',
  raisedAt: '2026-01-01T00:00:02.000Z',
  values: { rateBpm: 163 },
  ...over,
});
const bytes = (value: unknown) => Buffer.from(JSON.stringify(value));

describe('a list as the broker kept it', () => {
  test('what we say is what we read', () => {
    const said = [
      { ...change('a-1', { sequence: 4 }), acknowledged: true },
      change('b-2', { kind: 'pause', values: { longestMs: 3100, told: 'so', often: false } }),
    ];
    const list = readList(Buffer.from(alarmsJson(said, (tMs) => tMs + 5_000)));
    expect(list).toEqual([
      {
        id: 'a-1',
        sequence: 4,
        kind: 'tachycardia',
        priority: 'medium',
        onsetAtMs: 5_900,
        raisedAtMs: 6_000,
        values: { hrBpm: 163 },
      },
      {
        id: 'b-2',
        sequence: 1,
        kind: 'pause',
        priority: 'medium',
        onsetAtMs: 5_900,
        raisedAtMs: 6_000,
        values: { longestMs: 3100, told: 'so', often: false },
      },
    ]);
    expect(readList(Buffer.from('[]'))).toEqual([]);
  });

  test('of an earlier version, which did not count: its first event is known of', () => {
    expect(readList(bytes([open('a', { sequence: undefined })]))).toMatchObject([{ id: 'a', sequence: 1 }]);
  });

  test('what is no list is none; what in it makes no sense is left out', () => {
    for (const none of ['', 'null', '{}', '"x"', '[', '['.repeat(60_000), `[${' '.repeat(70_000)}]`]) {
      expect(readList(Buffer.from(none)), none.slice(0, 20)).toBeNull();
    }
    const bad = [
      null,
      7,
      [],
      {},
      open('../../etc/passwd'),
      open('x'.repeat(65)),
      open(''),
      open('a', { kind: 'test' }),
      open('a', { kind: '__proto__' }),
      open('a', { sequence: 0 }),
      open('a', { sequence: 1.5 }),
      open('a', { sequence: 1e12 }),
      open('a', { priority: 'huge' }),
      open('a', { onsetAt: 'yesterday' }),
      open('a', { raisedAt: 12 }),
      open('a', { values: { deep: { er: 1 } } }),
      open('a', { values: 'none' }),
    ];
    expect(readList(bytes([...bad, open('good'), open('of-the-same-kind')]))).toMatchObject([{ id: 'good' }]);
  });

  test('whatever the bytes: never a throw, and never an alert that could not be ours', () => {
    const check = (list: readonly ListedAlert[] | null) => {
      for (const alert of list ?? []) {
        expect(alert.id).toMatch(/^[A-Za-z0-9-]{1,64}$/);
        expect(Number.isFinite(alert.onsetAtMs) && Number.isFinite(alert.raisedAtMs)).toBe(true);
        expect(Number.isInteger(alert.sequence)).toBe(true);
        for (const value of Object.values(alert.values))
          expect(['number', 'string', 'boolean']).toContain(typeof value);
      }
    };
    fc.assert(fc.property(fc.uint8Array({ maxLength: 200 }), (raw) => check(readList(Buffer.from(raw)))));
    const item = fc.record(
      Object.fromEntries(
        Object.entries(open('a')).map(([key, value]) => [key, fc.oneof(fc.constant(value), fc.jsonValue())]),
      ),
      { requiredKeys: [] },
    );
    fc.assert(fc.property(fc.array(item, { maxLength: 5 }), (list) => check(readList(bytes(list)))));
  });
});

describe('asking', () => {
  function readBack(sensors = ['chest']) {
    const time = new ManualTime();
    const read: ReadonlyMap<string, readonly ListedAlert[]>[] = [];
    const asked: ((granted: boolean) => void)[] = [];
    const former: string[] = [];
    const back = new ReadBack({
      sensors: new Map(sensors.map((sensor) => [`slothd/pi/${sensor}/alarms`, sensor])),
      timers: time,
      log: collectLog().log,
      ask: (answered) => asked.push(answered),
      onRead: (lists) => read.push(lists),
      formerOf: (topic) => /^slothd\/pi\/(old\d*)\/alarms$/.exec(topic)?.[1] ?? null,
      onFormer: (sensor, list) => former.push(`${sensor}: ${list.map(({ id }) => id)}`),
    });
    return { back, time, read, asked, former };
  }

  test('ends with the last list, and is done once', () => {
    const { back, read, asked, time } = readBack(['chest', 'finger']);
    back.connected();
    expect(back.isReading).toBe(true);
    asked[0]?.(true);
    expect(back.heard('slothd/pi/chest/alarms', bytes([open('a')]), true)).toBe(true);
    expect(back.heard('slothd/pi/else/alarms', bytes([open('z')]), true)).toBe(false);
    expect(back.isReading).toBe(true);
    back.heard('slothd/pi/finger/alarms', bytes([]), true);
    expect(back.isReading).toBe(false);
    expect(read).toHaveLength(1);
    expect([...read[0]!.keys()]).toEqual(['chest', 'finger']);
    // Our own lists come back on a subscription that still stands, and a second connection asks no more.
    expect(back.heard('slothd/pi/chest/alarms', bytes([open('b')]), false)).toBe(true);
    back.disconnected();
    back.connected();
    time.advance(60_000);
    expect([read.length, asked.length, time.timers]).toEqual([1, 1, 0]);
  });

  test('a broker that has no list is not waited for long, one that does not answer not for ever', () => {
    const answers = readBack();
    answers.back.connected();
    answers.asked[0]?.(true);
    answers.time.advance(300);
    expect(answers.read).toEqual([new Map()]);
    const silent = readBack();
    silent.back.connected();
    silent.time.advance(9_999);
    expect(silent.back.isReading).toBe(true);
    silent.time.advance(1);
    expect(silent.read).toEqual([new Map()]);
    const refuses = readBack();
    refuses.back.connected();
    refuses.asked[0]?.(false);
    expect(refuses.back.isReading).toBe(false);
  });

  test('cut in between: the next connection is asked anew', () => {
    const { back, read, asked, time } = readBack(['chest', 'finger']);
    back.connected();
    back.heard('slothd/pi/chest/alarms', bytes([open('old')]), true);
    back.disconnected();
    expect(back.isReading).toBe(false);
    time.advance(10_000);
    expect(read).toEqual([]);
    back.connected();
    asked[0]?.(false);
    back.heard('slothd/pi/finger/alarms', bytes([open('new')]), true);
    asked[1]?.(true);
    time.advance(300);
    expect([...read[0]!.keys()]).toEqual(['finger']);
  });

  test('the list of a sensor that is not ours any more is told at any time, once, and so many only', () => {
    const { back, former, asked, read } = readBack();
    back.connected();
    asked[0]?.(true);
    expect(back.heard('slothd/pi/old/alarms', bytes([open('a'), open('b', { kind: 'pause' })]), true)).toBe(true);
    back.heard(LIST, bytes([]), true);
    expect(read).toHaveLength(1);
    // Said now by somebody, said again, removed by ourselves: no news.
    back.heard('slothd/pi/old1/alarms', bytes([open('c')]), false);
    back.heard('slothd/pi/old/alarms', bytes([open('d')]), true);
    back.heard('slothd/pi/old2/alarms', Buffer.alloc(0), true);
    back.heard('slothd/pi/old3/alarms', bytes([]), true);
    back.heard('slothd/pi/old4/alarms', Buffer.from('rubbish'), true);
    expect(former).toEqual(['old: a,b', 'old3: ', 'old4: ']);
    for (let n = 100; n < 400; n++) back.heard(`slothd/pi/old${n}/alarms`, bytes([]), true);
    expect(former).toHaveLength(100);
  });

  test('what is not retained, is said now by somebody else, and is not believed', () => {
    const { back, read, asked, time } = readBack();
    back.connected();
    asked[0]?.(true);
    back.heard(LIST, bytes([open('forged')]), false);
    time.advance(300);
    expect(read).toEqual([new Map()]);
  });
});

describe('with a broker', () => {
  async function delivery(url: string) {
    const read: ReadonlyMap<string, readonly ListedAlert[]>[] = [];
    const made = new Delivery({
      settings: settingsFor(url),
      node: 'pi',
      version: '1',
      sensors: ['chest'],
      clock: realClock,
      timers: realTimers,
      store: createMemoryStore(),
      log: collectLog().log,
      onListed: (lists) => {
        read.push(lists);
        for (const [sensor, list] of lists) {
          for (const { id, kind } of list) {
            const end = change(id, { kind, sensor, event: 'end', sequence: 4, endedMs: 2_000 });
            made.alert(end, { arrivedAtMs: null, active: [], first: true }, []);
          }
        }
      },
    });
    afterwards(() => made.stop());
    return { delivery: made, read };
  }

  test('nothing is said before the list was read; what it leads to goes before what was raised meanwhile', async () => {
    const broker = keep(await startAedes());
    const consumer = keep(await startConsumer(broker.url));
    await consumer.client.publishAsync(LIST, bytes([open('killed')]), { qos: 1, retain: true });
    const { delivery: d, read } = await delivery(broker.url);
    d.alert(change('early'), { arrivedAtMs: null, active: [change('early')] }, []);
    await d.start();
    await until(() => consumer.alerts().length === 2, 'both alerts');
    expect(read).toHaveLength(1);
    expect(read[0]?.get('chest')).toMatchObject([{ id: 'killed', sequence: 3 }]);
    expect(consumer.alerts().map(({ id, event }) => `${id} ${event}`)).toEqual(['killed end', 'early new']);
    // Own words are no news.
    d.alert(change('later'), { arrivedAtMs: null, active: [change('later')] }, []);
    await until(() => consumer.last(LIST)?.includes('later') ?? false, 'the new list');
    await tick(50);
    expect(read).toHaveLength(1);
  });

  test('a broker with nothing kept, or with rubbish, costs a third of a second once', async () => {
    const broker = keep(await startAedes());
    const consumer = keep(await startConsumer(broker.url));
    await consumer.client.publishAsync(LIST, Buffer.from([0xff, 0, 0x5b]), { qos: 1, retain: true });
    const { delivery: d, read } = await delivery(broker.url);
    d.alert(change('a'), { arrivedAtMs: null, active: [change('a')] }, []);
    const startMs = performance.now();
    await d.start();
    await until(() => consumer.alerts().length === 1, 'the alert');
    expect(performance.now() - startMs).toBeLessThan(1_900);
    expect(read).toEqual([new Map()]);
    await until(() => consumer.last(LIST)?.includes('"a"') ?? false, 'the list');
  });

  test('a new alert and the list it stands in leave in one write; an end and its list wait for the disk', async () => {
    const broker = keep(await startAedes());
    const consumer = keep(await startConsumer(broker.url));
    const chunks: string[] = [];
    const { delivery: d } = await delivery(broker.url);
    await d.start();
    await until(() => consumer.last(LIST) === undefined && d.stats().connected, 'the connection');
    await tick(400);
    const socket = (d as unknown as { link: { client: { stream: NodeJS.WritableStream } } }).link.client.stream;
    type Writev = (chunks: { chunk: Buffer }[], done: () => void) => void;
    const inner = socket as unknown as { _writev: Writev };
    const writev = inner._writev.bind(socket);
    inner._writev = (list, done) => {
      chunks.push(list.map(({ chunk }) => chunk.toString()).join(''));
      writev(list, done);
    };
    d.alert(change('x'), { arrivedAtMs: null, active: [change('x')] }, () => {
      // The books are made when both are gone.
      expect(chunks).toHaveLength(1);
      return [];
    });
    expect(chunks[0]).toMatch(/chest\/alert.*"id":"x".*chest\/alarms.*"id":"x"/s);
    d.alert(change('x', { event: 'end', sequence: 2, endedMs: 3_000 }), { arrivedAtMs: null, active: [] }, []);
    expect(chunks).toHaveLength(1);
    await until(() => consumer.last(LIST) === '[]', 'the empty list');
    expect(consumer.alerts().map(({ event }) => event)).toEqual(['new', 'end']);
    const at = (topic: string, text: string) =>
      consumer.heard.findIndex((message) => message.topic.endsWith(topic) && message.text.includes(text));
    expect(at('/alert', '"end"')).toBeLessThan(at('/alarms', '[]'));
  });
});

import { describe, expect, test } from 'vitest';
import { createMemoryStore } from '../../src/daemon/memory-store.js';
import { Outbox, type OutboxItem, type OutboxSettings, type SendOutcome } from '../../src/delivery/outbox.js';
import type { OutboxMessage } from '../../src/delivery/outbox-entry.js';
import { StoreQueue } from '../../src/delivery/store-queue.js';
import type { KeyValueStore } from '../../src/domain/store.js';
import { collectLog, ManualTime, tick } from './support/world.js';

interface Sent {
  item: OutboxItem;
  replayed: boolean;
  done: (outcome: SendOutcome) => void;
}

function bench(
  over: Partial<OutboxSettings> = {},
  store: KeyValueStore = createMemoryStore(),
  time = new ManualTime(),
) {
  const sent: Sent[] = [];
  const full: Array<{ full: boolean; shedAlerts: number }> = [];
  const { log, lines } = collectLog();
  let slots = Number.POSITIVE_INFINITY;
  const queue = new StoreQueue(store, time, log);
  const outbox = new Outbox({
    store,
    queue,
    clock: time,
    timers: time,
    settings: { maxBytes: 1_000_000, maxAgeMs: 3_600_000, replayPerSecond: 10, ...over },
    log,
    onFull: (state) => full.push(state),
    send: (item, done) => {
      if (slots <= 0) return false;
      slots--;
      sent.push({
        item,
        replayed: item.replayed,
        done: (outcome) => {
          slots++;
          done(outcome);
        },
      });
      return true;
    },
  });
  return {
    outbox,
    stop: async () => {
      outbox.stop();
      await queue.stop();
    },
    sent,
    full,
    lines,
    time,
    store,
    bodies: () => sent.map(({ item }) => (JSON.parse(item.body) as { n: number }).n),
    up: () => {
      outbox.setLink(true);
      if (outbox.pumpFresh()) outbox.pumpReplay();
    },
    setSlots: (n: number) => {
      slots = n;
    },
  };
}

function message(n: number, sensor = 'a', over: Partial<OutboxMessage> = {}): OutboxMessage {
  return { sensor, topic: `t/${sensor}`, class: 'alert', body: JSON.stringify({ n }), arrivedAtMs: null, ...over };
}

async function keys(store: KeyValueStore, prefix = ''): Promise<string[]> {
  const found: string[] = [];
  for await (const [key] of store.scan(prefix)) found.push(key);
  return found;
}

/** A store whose writes end when the test says so. */
function slowStore() {
  const inner = createMemoryStore();
  const open: Array<{ finish: () => void; fail: (error: Error) => void; keys: string[] }> = [];
  const store: KeyValueStore = {
    ...inner,
    batch: (writes) =>
      new Promise<void>((resolve, reject) => {
        open.push({
          keys: writes.map(({ key, value }) => (value === null ? `-${key}` : key)),
          finish: () => void inner.batch(writes).then(resolve),
          fail: reject,
        });
      }),
  };
  return { store, open };
}

describe('stored and sent at the same time', () => {
  test('the message is on the socket when add() returns, before the disk has answered', async () => {
    const slow = slowStore();
    const { outbox, sent, up } = bench({}, slow.store);
    await outbox.load();
    up();
    outbox.add(message(1), [{ key: 'alarm/x', value: 'open' }]);
    expect(sent).toHaveLength(1);
    expect(sent[0]?.replayed).toBe(false);
    expect(slow.open).toHaveLength(1);
    expect(slow.open[0]?.keys).toHaveLength(2);
    expect(slow.open[0]?.keys).toContain('alarm/x');
  });

  test('while the broker is away a message is known of nowhere until the disk has it', async () => {
    const slow = slowStore();
    const { outbox } = bench({}, slow.store);
    await outbox.load();
    const kept: string[] = [];
    outbox.add(message(1), [], () => kept.push('a'));
    expect([outbox.hasUnkept('a'), outbox.hasUnkept('b'), kept]).toEqual([true, false, []]);
    slow.open[0]?.finish();
    await tick();
    expect([outbox.hasUnkept('a'), kept]).toEqual([false, ['a']]);
  });

  test('an acknowledgement before the disk is done does not lose the order of put and delete', async () => {
    const slow = slowStore();
    const { outbox, sent, up, time } = bench({}, slow.store);
    await outbox.load();
    up();
    outbox.add(message(1));
    sent[0]?.done('acked');
    slow.open[0]?.finish();
    await tick();
    time.advance(300);
    slow.open[1]?.finish();
    await tick();
    expect(slow.open[1]?.keys[0]).toMatch(/^-outbox\//);
    expect(await keys(slow.store)).toEqual([]);
    expect(outbox.stats().entries).toBe(0);
  });

  test('what was acknowledged while its write still waited for another write is never written', async () => {
    const slow = slowStore();
    const { outbox, sent, up } = bench({}, slow.store);
    await outbox.load();
    up();
    outbox.add(message(1));
    outbox.add(message(2), [{ key: 'alarm/y', value: 'open' }]);
    sent[1]?.done('acked');
    slow.open[0]?.finish();
    await tick();
    expect(slow.open[1]?.keys).toContain('alarm/y');
    expect(slow.open[1]?.keys.filter((key) => !key.startsWith('-'))).toEqual(['alarm/y']);
  });

  test('a disk that refuses: the alert goes out, the state is written once there is room, newest value last', async () => {
    const slow = slowStore();
    const { outbox, sent, up, time, lines } = bench({}, slow.store);
    await outbox.load();
    up();
    outbox.add(message(1), [{ key: 'alarm/x', value: 'old' }]);
    slow.open[0]?.fail(new Error('No space left on device'));
    await tick();
    outbox.add(message(2), [{ key: 'alarm/x', value: 'new' }]);
    expect(sent).toHaveLength(2);
    expect(slow.open).toHaveLength(1);
    time.advance(1000);
    slow.open[1]?.finish();
    await tick();
    const found: string[] = [];
    for await (const [, value] of slow.store.scan('alarm/')) found.push(value);
    expect(found).toEqual(['new']);
    expect(outbox.stats().storeFailures).toBe(1);
    expect(lines.filter(({ level }) => level === 'error')).toHaveLength(1);
  });
});

describe('what is no alarm', () => {
  const calm = { afterDisk: true };

  test('goes once it is on the disk, in its place, and other sensors do not wait for it', async () => {
    const slow = slowStore();
    const { outbox, bodies, up } = bench({}, slow.store);
    await outbox.load();
    up();
    outbox.add(message(1));
    outbox.add(message(2, 'a', calm));
    outbox.add(message(3, 'a', calm));
    outbox.add(message(4, 'b'));
    expect(bodies()).toEqual([1, 4]);
    expect([outbox.hasUnkept('a'), outbox.hasUnkept('b'), outbox.isBusy]).toEqual([true, false, true]);
    slow.open[0]?.finish();
    await tick();
    expect(bodies()).toEqual([1, 4]);
    slow.open[1]?.finish();
    await tick();
    expect(bodies()).toEqual([1, 4, 2, 3]);
    expect(outbox.hasUnkept('a')).toBe(false);
  });

  test('does not hold up an alarm behind it: both go at once', async () => {
    const slow = slowStore();
    const { outbox, bodies, up } = bench({}, slow.store);
    await outbox.load();
    up();
    outbox.add(message(1, 'a', calm));
    outbox.add(message(2, 'a', calm));
    expect(bodies()).toEqual([]);
    outbox.add(message(3));
    expect(bodies()).toEqual([1, 2, 3]);
  });

  test('goes without the disk where that refuses', async () => {
    const slow = slowStore();
    const { outbox, bodies, up } = bench({}, slow.store);
    await outbox.load();
    up();
    outbox.add(message(1, 'a', calm));
    slow.open[0]?.fail(new Error('No space left on device'));
    await tick();
    expect(bodies()).toEqual([1]);
    outbox.add(message(2, 'a', calm));
    expect(bodies()).toEqual([1, 2]);
  });

  test('waits for the link as everything else, and then goes marked replayed', async () => {
    const slow = slowStore();
    const { outbox, sent, bodies, up } = bench({}, slow.store);
    await outbox.load();
    outbox.add(message(1, 'a', calm));
    up();
    expect(bodies()).toEqual([]);
    slow.open[0]?.finish();
    await tick();
    expect(bodies()).toEqual([1]);
    expect(sent[0]?.replayed).toBe(true);
  });
});

describe('kept', () => {
  test('is told once: when it is handed over, or when the disk has answered, whichever comes first', async () => {
    const slow = slowStore();
    const { outbox, up, setSlots, bodies } = bench({}, slow.store);
    const told: string[] = [];
    const add = (n: number, over = {}) => outbox.add(message(n, 'a', over), [], () => told.push(`${n}`));
    await outbox.load();
    add(1);
    expect(told).toEqual([]);
    slow.open[0]?.finish();
    await tick();
    expect(told).toEqual(['1']);
    up();
    add(2);
    expect(told).toEqual(['1', '2']);
    setSlots(0);
    add(3);
    expect(told).toEqual(['1', '2']);
    setSlots(9);
    outbox.pumpFresh();
    expect(told).toEqual(['1', '2', '3']);
    add(4, { afterDisk: true });
    expect(told).toHaveLength(3);
    for (let i = 1; i <= 3; i++) {
      slow.open[i]?.finish();
      await tick();
    }
    expect(told).toEqual(['1', '2', '3', '4']);
    expect(bodies()).toEqual([1, 2, 3, 4]);
  });
});

test('what is about something sent before all that waits goes first, also after a restart', async () => {
  const store = createMemoryStore();
  const first = bench({}, store);
  await first.outbox.load();
  first.outbox.add(message(3));
  await tick();
  const second = bench({ replayPerSecond: 1000 }, store);
  await second.outbox.load();
  second.outbox.add(message(4));
  second.outbox.add(message(5, 'b'));
  second.outbox.add(message(2, 'a', { first: true }));
  second.outbox.add(message(1, 'a', { first: true }));
  await tick();
  const third = bench({ replayPerSecond: 1000 }, store);
  await third.outbox.load();
  third.outbox.add(message(6));
  third.outbox.add(message(0, 'a', { first: true }));
  for (const [{ up, sent }, expected] of [
    [second, [1, 2, 3, 4]],
    [third, [0, 1, 2, 3, 4, 6]],
  ] as const) {
    up();
    const of = (sensor: string) =>
      sent.filter(({ item }) => item.sensor === sensor).map(({ item }) => (JSON.parse(item.body) as { n: number }).n);
    expect(of('a')).toEqual(expected);
    expect(of('b')).toEqual([5]);
  }
});

describe('after a restart', () => {
  test('everything unacknowledged comes again, marked replayed, in order, numbers going on', async () => {
    const store = createMemoryStore();
    const first = bench({}, store);
    await first.outbox.load();
    first.up();
    for (let n = 1; n <= 5; n++) first.outbox.add(message(n));
    first.sent[0]?.done('acked');
    first.sent[2]?.done('acked');
    await tick();
    first.time.advance(1000);
    await tick();

    const second = bench({ replayPerSecond: 1000 }, store);
    await second.outbox.load();
    expect(second.outbox.stats().restored).toBe(3);
    second.outbox.add(message(6));
    second.up();
    expect(second.bodies()).toEqual([2, 4, 5, 6]);
    expect(second.sent.every(({ replayed }) => replayed)).toBe(true);
    for (const { done } of second.sent) done('acked');
    await tick();
    second.time.advance(1000);
    await tick();
    expect(await keys(store, 'outbox/')).toEqual([]);
  });

  test('what is added before the earlier run has been read waits behind it', async () => {
    const store = createMemoryStore();
    const first = bench({}, store);
    await first.outbox.load();
    first.outbox.add(message(1));
    await tick();
    const second = bench({}, store);
    second.outbox.add(message(2));
    await second.outbox.load();
    second.up();
    expect(second.bodies()).toEqual([1, 2]);
  });

  test('entries nobody can read are counted, removed and stepped over', async () => {
    const store = createMemoryStore();
    await store.batch([
      { key: 'outbox/000000000000007-aaa', value: '{"v":1,"seq":' },
      { key: 'outbox/000000000000008-aaa', value: '{"v":9}' },
    ]);
    const { outbox, up, time, bodies } = bench({}, store);
    await outbox.load();
    outbox.add(message(1));
    up();
    expect(bodies()).toEqual([1]);
    expect(outbox.stats().unreadable).toBe(2);
    await tick();
    time.advance(1000);
    await tick();
    expect(await keys(store, 'outbox/')).toHaveLength(1);
  });
});

describe('order and rate', () => {
  test('after a lost connection the unacknowledged goes again, at its rate, oldest first', async () => {
    const { outbox, sent, up, time, bodies } = bench({ replayPerSecond: 10 });
    await outbox.load();
    up();
    for (let n = 1; n <= 40; n++) outbox.add(message(n, n % 2 ? 'a' : 'b'));
    expect(sent).toHaveLength(40);
    // Reported in reverse: the order in which a broken connection tells of its losses means nothing.
    for (const { done } of sent.slice().reverse()) done('lost');
    outbox.setLink(false);
    sent.length = 0;
    up();
    const atOnce = sent.length;
    expect(atOnce).toBeLessThanOrEqual(10);
    time.advance(1000);
    expect(sent.length - atOnce).toBeGreaterThanOrEqual(9);
    expect(sent.length - atOnce).toBeLessThanOrEqual(11);
    time.advance(10_000);
    expect(bodies()).toEqual(Array.from({ length: 40 }, (_, i) => i + 1));
    expect(sent.every(({ replayed }) => replayed)).toBe(true);
  });

  test('a fresh alert of another sensor does not wait for the replay', async () => {
    const { outbox, up, bodies, sent } = bench({ replayPerSecond: 1 });
    await outbox.load();
    for (let n = 1; n <= 100; n++) outbox.add(message(n, 'a'));
    up();
    const before = sent.length;
    outbox.add(message(1000, 'b'));
    expect(bodies()[before]).toBe(1000);
    expect(sent[before]?.replayed).toBe(false);
  });

  test('a fresh alert of the same sensor pulls what is before it along, in order', async () => {
    const { outbox, up, bodies, sent } = bench({ replayPerSecond: 1 });
    await outbox.load();
    for (let n = 1; n <= 100; n++) outbox.add(message(n, 'a'));
    up();
    outbox.add(message(1000, 'a'));
    expect(bodies()).toEqual([...Array.from({ length: 100 }, (_, i) => i + 1), 1000]);
    expect(sent.at(-1)?.replayed).toBe(false);
  });

  test('with few slots nothing overtakes within a sensor', async () => {
    const { outbox, up, bodies, sent, setSlots } = bench({ replayPerSecond: 1000 });
    await outbox.load();
    setSlots(2);
    up();
    for (let n = 1; n <= 20; n++) outbox.add(message(n));
    expect(sent).toHaveLength(2);
    for (let i = 0; i < 20; i++) {
      sent[i]?.done('acked');
      outbox.pumpFresh();
    }
    expect(bodies()).toEqual(Array.from({ length: 20 }, (_, i) => i + 1));
    expect(outbox.stats().entries).toBe(0);
  });

  test('a refusal holds that sensor for a while and no other', async () => {
    const { outbox, up, bodies, sent, time } = bench();
    await outbox.load();
    up();
    outbox.add(message(1, 'a'));
    sent[0]?.done('refused');
    outbox.add(message(2, 'a'));
    outbox.add(message(3, 'b'));
    outbox.pumpReplay();
    expect(bodies()).toEqual([1, 3]);
    time.advance(6000);
    expect(bodies()).toEqual([1, 3, 1, 2]);
    expect(outbox.stats().refused).toBe(1);
  });
});

describe('bounds', () => {
  test('telemetry is shed before alerts; alerts only at the hard bound, oldest first, and it is told', async () => {
    const { outbox, full, up, bodies, time } = bench({ maxBytes: 10_000, replayPerSecond: 1000 });
    await outbox.load();
    const padded = (n: number) => ({ body: JSON.stringify({ n, pad: 'x'.repeat(400) }) });
    for (let n = 1; n <= 50; n++) outbox.add(message(n, 'a/vitals', { class: 'telemetry', ...padded(n) }));
    expect(outbox.stats().bytes).toBeLessThanOrEqual(5_000);
    expect(outbox.stats().shedTelemetry).toBeGreaterThan(30);
    expect(full).toEqual([]);
    for (let n = 101; n <= 110; n++) outbox.add(message(n, 'a', padded(n)));
    expect(outbox.stats().shedAlerts).toBe(0);
    for (let n = 111; n <= 150; n++) outbox.add(message(n, 'a', padded(n)));
    expect(outbox.stats().bytes).toBeLessThanOrEqual(10_000);
    await tick();
    expect(full).toHaveLength(1);
    expect(full[0]?.full).toBe(true);
    const { shedAlerts, entries } = outbox.stats();
    expect(shedAlerts + entries).toBe(50);
    up();
    time.advance(1000);
    const kept = bodies();
    expect(kept).toHaveLength(entries);
    expect(kept).toEqual(Array.from({ length: kept.length }, (_, i) => 150 - kept.length + 1 + i));
  });

  test('there is room again: told once', async () => {
    const { outbox, full, sent, up } = bench({ maxBytes: 2_000, replayPerSecond: 10_000 });
    await outbox.load();
    for (let n = 1; n <= 40; n++) outbox.add(message(n));
    up();
    for (const { done } of sent.slice()) done('acked');
    await tick();
    expect(full.map((state) => state.full)).toEqual([true, false]);
  });

  test('too old: given up, on time that runs, whatever the wall clock does', async () => {
    const { outbox, time } = bench({ maxAgeMs: 600_000 });
    await outbox.load();
    outbox.add(message(1));
    time.wallOffsetMs += 2 * 365 * 86_400_000;
    time.advance(120_000);
    expect(outbox.stats().entries).toBe(1);
    time.wallOffsetMs -= 10 * 365 * 86_400_000;
    time.advance(400_000);
    expect(outbox.stats().entries).toBe(1);
    time.advance(200_000);
    expect(outbox.stats()).toMatchObject({ entries: 0, shedAlerts: 1 });
  });

  test('age goes on over restarts', async () => {
    const store = createMemoryStore();
    const first = bench({ maxAgeMs: 600_000 }, store);
    await first.outbox.load();
    first.outbox.add(message(1));
    first.time.advance(500_000);
    first.outbox.add(message(2));
    await tick();
    const second = bench({ maxAgeMs: 600_000 }, store);
    await second.outbox.load();
    second.time.advance(200_000);
    expect(second.outbox.stats()).toMatchObject({ entries: 1, shedAlerts: 1 });
  });

  test('stop leaves no timer behind', async () => {
    const { outbox, stop, time, up } = bench();
    await outbox.load();
    for (let n = 1; n <= 30; n++) outbox.add(message(n));
    up();
    await stop();
    expect(time.timers).toBe(0);
  });
});

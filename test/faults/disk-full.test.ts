import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { openLevelStore } from '../../src/daemon/level-store.js';
import { Delivery } from '../../src/delivery/publisher.js';
import type { KeyValueStore } from '../../src/domain/store.js';
import { startAedes, startConsumer } from '../delivery/support/brokers.js';
import { closedAfterEach } from '../delivery/support/keep.js';
import { change, collectLog, ManualTime, realClock, settingsFor, tick, until } from '../delivery/support/world.js';

/** Story 15: the disk is full for a while. */

const { keep, afterwards } = closedAfterEach();
const CHILD = join(import.meta.dirname, 'support/disk-full-child.mjs');
const hasPrlimit = spawnSync('prlimit', ['--version']).error === undefined;

async function folder(): Promise<string> {
  const dir = await mkdtemp(join(tmpdir(), 'slothd-full-'));
  afterwards(() => rm(dir, { recursive: true, force: true }));
  return dir;
}

// LevelDB goes on behind half a record it could not write and says all is well; at the next start all of that is gone.
test.each([
  // Where the room ends: in a first record, between two, inside one that spans blocks of LevelDB's log (32 KiB).
  [5_500, 4000],
  [20_500, 4000],
  [33_000, 9000],
  [40_000, 70_000],
])(
  'what the real store says is on the disk is there after kill -9: room for %i bytes, records of %i',
  async (room, size) => {
    if (!hasPrlimit) throw new Error('prlimit (util-linux) is not installed');
    expect(existsSync(join(import.meta.dirname, '../../dist/daemon/level-store.js')), 'npm run build first').toBe(true);
    const dir = await folder();
    const child = spawnSync(process.execPath, [CHILD, dir, String(room), String(size)], { encoding: 'utf8' });
    const told = JSON.parse(child.stdout) as { stored: number[]; refused: number };
    expect(told.refused).toBeGreaterThan(0);
    // There is room again: everything after it is taken.
    expect(told.stored.filter((n) => n >= 20)).toHaveLength(20);
    const { log, lines } = collectLog();
    const store = await openLevelStore(dir, log as never);
    const found: number[] = [];
    for await (const [key] of store.scan('k/')) found.push(Number(key.slice(2)));
    await store.close();
    expect(found).toEqual(expect.arrayContaining(told.stored));
    expect(store.state).toBe('ok');
    expect(lines.filter(({ level }) => level === 'error')).toEqual([]);
  },
);

test('alerts go out while nothing can be written, vitals are shed first, and what waits is written once there is room', async () => {
  const broker = keep(await startAedes());
  const consumer = keep(await startConsumer(broker.url));
  const dir = await folder();
  const { log, lines } = collectLog();
  const real = await openLevelStore(dir, log as never);
  let full = true;
  const store: KeyValueStore = {
    batch: async (writes) => {
      if (full) throw Object.assign(new Error('ENOSPC: no space left on device'), { code: 'ENOSPC' });
      await real.batch(writes);
    },
    scan: (prefix) => real.scan(prefix),
    close: () => real.close(),
  };
  const time = new ManualTime();
  const settings = settingsFor(broker.url, { outbox: { maxBytes: 64 * 1024, keepVitals: true } });
  const make = (over: Partial<ConstructorParameters<typeof Delivery>[0]> = {}) =>
    new Delivery({
      settings,
      node: 'pi',
      version: '1.0.0',
      sensors: ['chest'],
      clock: realClock,
      timers: time,
      store,
      log,
      ...over,
    });
  const delivery = make();
  await delivery.start();
  await until(() => delivery.stats().connected, 'the connection');
  for (let n = 0; n < 10; n++) {
    delivery.alert(change(`n-${n}`), { arrivedAtMs: performance.now() }, [
      { key: 'alarms/chest', value: `state-${n}` },
    ]);
  }
  await until(() => consumer.alerts().length === 10, 'all alerts, full disk or not');
  expect(consumer.alerts().every(({ replayed }) => !replayed)).toBe(true);
  expect(delivery.stats().outbox.storeFailures).toBeGreaterThan(0);
  expect(lines.filter(({ message }) => /refused a write/.test(message))).toHaveLength(1);

  // Broker and disk away at once: what fits in memory is kept, vitals give way to alerts.
  await broker.close();
  await until(() => !delivery.stats().connected, 'the loss');
  for (let n = 0; n < 500; n++) {
    delivery.vitals('chest', { hrBpm: 60, rrMs: [1000], rhythm: 'regular', quality: 'good', contact: true });
  }
  for (let n = 10; n < 60; n++)
    delivery.alert(change(`n-${n}`), { arrivedAtMs: null }, [{ key: 'alarms/chest', value: `state-${n}` }]);
  expect(delivery.stats().outbox).toMatchObject({ shedAlerts: 0 });
  expect(delivery.stats().outbox.shedTelemetry).toBeGreaterThan(0);

  // Room again: the store is tried from time to time.
  full = false;
  for (let tries = 0; tries < 80; tries++) {
    time.advance(1000);
    await tick(2);
  }
  const keys: string[] = [];
  let state = '';
  for await (const [key, value] of real.scan('')) {
    if (key.startsWith('outbox/')) keys.push(key);
    if (key === 'alarms/chest') state = value;
  }
  expect(keys).toHaveLength(50);
  expect(state).toBe('state-59');
  const stopping = delivery.stop();
  for (let n = 0; n < 20; n++) {
    time.advance(500);
    await tick(2);
  }
  await stopping;
  await real.close();
});

import { expect, it } from 'vitest';
import { makeScenario } from '../../src/simulator/scenario.js';
import { startAedes } from '../delivery/support/brokers.js';
import { subscribe } from '../e2e/support/contract.js';
import { startLockstep } from '../e2e/support/lockstep.js';
import { afterwards, until } from '../e2e/support/world.js';

/** Story 5: the outbox is bounded, and who reads the alerts is told when some had to be given up. */

it('a full outbox and an unset clock are alerts themselves, and end when all is well', async () => {
  const gone = await startAedes();
  const { port } = gone;
  await gone.close();
  const bench = await startLockstep({
    scenario: makeScenario({
      episodes: [
        { rhythm: 'sinus', bpm: 70, seconds: 10 },
        { rhythm: 'sinus-tachycardia', bpm: 170, rampSeconds: 2, seconds: 3600 },
      ],
    }),
    brokerUrl: gone.url,
    config: {
      mqtt: { url: gone.url, reconnectMinMs: 100, reconnectMaxMs: 2000, outbox: { maxBytes: 64 * 1024 } },
      alarms: { 'clock-unsynced': { sustainMs: 5000, clearMs: 1000 } },
    },
  });
  bench.time.isSynced = false;
  await bench.runTo(25_000);
  const alarms = bench.daemon.alarmsOf('chest')!;
  const open = () => alarms.active().map(({ kind }) => kind);
  expect(open().sort()).toEqual(['clock-unsynced', 'extreme-tachycardia']);
  // Every snooze is an end, and a new alert when it is over: an impatient person fills the outbox.
  for (let atMs = 25_200; atMs <= 29_000; atMs += 200) {
    alarms.snooze('extreme-tachycardia', bench.time.monotonicMs() + 50);
    await bench.runTo(atMs);
  }
  expect(open().sort()).toEqual(['clock-unsynced', 'extreme-tachycardia', 'outbox-full']);

  bench.time.isSynced = true;
  const broker = await startAedes(port);
  afterwards(() => broker.close());
  const consumer = await subscribe(broker.url, 'bench');
  const told = () => consumer.distinct().filter(({ category }) => category === 'technical');
  let endMs = 29_000;
  for (let tries = 0; tries < 60 && told().filter(({ event }) => event === 'end').length < 2; tries++) {
    endMs += 1000;
    await bench.runTo(endMs);
  }
  await until('both ends', () => told().filter(({ event }) => event === 'end').length === 2);
  const full = told().filter(({ kind }) => kind === 'outbox-full');
  expect(full[0]).toMatchObject({ event: 'new', priority: 'medium', replayed: true });
  expect(full[0]?.values.shedAlerts).toBeGreaterThan(0);
  expect(full.at(-1)).toMatchObject({ event: 'end' });
  expect(open()).toEqual(['extreme-tachycardia']);
  consumer.checkAll();
}, 60_000);

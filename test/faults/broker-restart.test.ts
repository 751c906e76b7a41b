import { expect, it } from 'vitest';
import { makeScenario } from '../../src/simulator/scenario.js';
import { startAedes } from '../delivery/support/brokers.js';
import { checkLives, subscribe } from '../e2e/support/contract.js';
import { startLockstep } from '../e2e/support/lockstep.js';
import { afterwards, until } from '../e2e/support/world.js';

/** Story 5 seen from the sensor: the broker is stopped in the middle of an episode and started again. */

it('what was raised meanwhile arrives, marked as replayed and in order; what comes after is not', async () => {
  let broker = await startAedes();
  afterwards(() => broker.close());
  const { port } = broker;
  const first = await subscribe(broker.url, 'bench');
  const bench = await startLockstep({
    scenario: makeScenario({
      episodes: [
        { rhythm: 'sinus', bpm: 70, seconds: 15 },
        { rhythm: 'sinus-tachycardia', bpm: 170, rampSeconds: 2, seconds: 25 },
        { rhythm: 'sinus', bpm: 70, rampSeconds: 2, seconds: 30 },
        { rhythm: 'pause', seconds: 3.5 },
        { rhythm: 'sinus', bpm: 70, seconds: 40 },
        { rhythm: 'sinus-tachycardia', bpm: 170, rampSeconds: 2, seconds: 25 },
        { rhythm: 'sinus', bpm: 70, rampSeconds: 2, seconds: 3600 },
      ],
    }),
    brokerUrl: broker.url,
    config: { mqtt: { url: broker.url, reconnectMinMs: 100, reconnectMaxMs: 2000 } },
  });
  await bench.runTo(30_000);
  await until('the first alert', () => first.alerts().length > 0);
  const before = first.distinct();
  expect(before.map(({ kind, event, replayed }) => `${event} ${kind} ${replayed}`)).toEqual([
    'new extreme-tachycardia false',
  ]);
  await first.close();

  await broker.close();
  await until('the daemon to notice', () => bench.daemon.ready().reasons.some((reason) => /^broker: /.test(reason)));
  await bench.runTo(95_000);

  broker = await startAedes(port);
  const second = await subscribe(broker.url, 'bench');
  // A busy machine may have had its model host started anew meanwhile, and says so with an alert of its own.
  const all = () => [...before, ...second.distinct()].filter(({ category }) => category === 'health');
  // Its waits between two tries are in its own time.
  let endMs = 95_000;
  const untilHeard = async (what: string, heard: () => boolean) => {
    for (let tries = 0; tries < 100 && !heard(); tries++) {
      endMs += 1000;
      await bench.runTo(endMs);
    }
    await until(what, heard);
  };
  await untilHeard('what had waited', () => second.distinct().length >= 2);
  await untilHeard('the second tachycardia', () => all().filter(({ event }) => event === 'new').length === 3);
  await untilHeard('every end', () => all().filter(({ event }) => event === 'end').length === 3);

  const told = all().filter(({ event }) => event !== 'update');
  expect(told.map(({ kind, event, replayed }) => `${event} ${kind}${replayed ? ' replayed' : ''}`)).toEqual([
    'new extreme-tachycardia',
    'end extreme-tachycardia replayed',
    'new pause replayed',
    'new extreme-tachycardia',
    'end pause',
    'end extreme-tachycardia',
  ]);
  checkLives(all());
  // What waited says nothing of our own speed, and when it was raised stays true.
  const pauseAlert = told.find(({ kind }) => kind === 'pause');
  const wallZeroMs = bench.time.wallMs() - bench.elapsedMs();
  expect(Date.parse(pauseAlert!.raisedAt) - wallZeroMs).toBeGreaterThan(70_000);
  expect(Date.parse(pauseAlert!.raisedAt) - wallZeroMs).toBeLessThan(80_000);
  expect(second.last('availability')).toBe('online');
  expect(second.last('chest/availability')).toBe('online');
  second.checkAll();
}, 120_000);

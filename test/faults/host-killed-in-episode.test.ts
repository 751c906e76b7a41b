import { readdirSync, readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { makeScenario } from '../../src/simulator/scenario.js';
import { startAedes } from '../delivery/support/brokers.js';
import { checkLives, subscribe } from '../e2e/support/contract.js';
import { BEAT_ECG, startLockstep } from '../e2e/support/lockstep.js';
import { afterwards, until } from '../e2e/support/world.js';

/** Story 8 seen from the heart: the model's process dies while it is needed. */

/** Model hosts that this process started. */
function hosts(): number[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map(Number)
    .filter((pid) => {
      try {
        const parent = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]?.split(' ')[1];
        const command = readFileSync(`/proc/${pid}/cmdline`, 'utf8');
        return Number(parent) === process.pid && command.includes('inference/host/main.js');
      } catch {
        // Ended while we looked.
        return false;
      }
    });
}

const SCENARIO = makeScenario({
  episodes: [
    { rhythm: 'sinus', bpm: 70, seconds: 20 },
    { rhythm: 'sinus-tachycardia', bpm: 170, rampSeconds: 2, seconds: 25 },
    { rhythm: 'sinus', bpm: 70, rampSeconds: 2, seconds: 30 },
    { rhythm: 'ventricular-tachycardia', bpm: 150, beats: 24 },
    { rhythm: 'sinus', bpm: 70, seconds: 3600 },
  ],
});

/** The scenario's life, with something done when its heart begins to race. */
async function live(atOnset: () => void) {
  const broker = await startAedes();
  afterwards(() => broker.close());
  const consumer = await subscribe(broker.url, 'bench');
  const bench = await startLockstep({ scenario: SCENARIO, brokerUrl: broker.url, model: BEAT_ECG });
  await bench.runTo(22_000);
  atOnset();
  await bench.runTo(60_000);
  // Back before the run of ventricular beats comes, which no rule can tell without it.
  await until('the model', () => bench.daemon.ready().ready);
  await bench.runTo(115_000);
  await until('the ends', () => consumer.distinct().filter(({ event }) => event === 'end').length >= 2);
  const wallZeroMs = bench.time.wallMs() - bench.elapsedMs();
  const raisedMs = (kind: string) => {
    const alert = consumer.distinct().find((one) => one.kind === kind && one.event === 'new');
    return alert ? Date.parse(alert.raisedAt) - wallZeroMs : null;
  };
  checkLives(consumer.distinct());
  consumer.checkAll();
  const result = {
    tachycardiaMs: raisedMs('extreme-tachycardia'),
    runMs: raisedMs('ventricular-tachycardia'),
    kinds: consumer
      .distinct()
      // In this test's hurried time a respawn of half a second is long enough for `inference-down`, too.
      .filter(({ event, category }) => event === 'new' && category === 'health')
      .map(({ kind }) => kind),
  };
  await bench.stop();
  return result;
}

it('SIGKILL of the model host: the alarm of the racing heart is not a moment later, and the next run is seen', async () => {
  expect(hosts()).toEqual([]);
  const undisturbed = await live(() => undefined);
  expect(undisturbed.kinds).toEqual(['extreme-tachycardia', 'ventricular-tachycardia']);
  let killed = 0;
  const disturbed = await live(() => {
    for (const pid of hosts()) {
      process.kill(pid, 'SIGKILL');
      killed = pid;
    }
  });
  expect(killed).toBeGreaterThan(0);
  expect(disturbed.tachycardiaMs).toBe(undisturbed.tachycardiaMs);
  expect(disturbed.kinds).toEqual(undisturbed.kinds);
  expect(disturbed.runMs! - undisturbed.runMs!).toBeLessThan(1000);
  expect(hosts()).not.toContain(killed);
}, 120_000);

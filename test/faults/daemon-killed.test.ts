import { join } from 'node:path';
import { expect, it } from 'vitest';
import { startAedes } from '../delivery/support/brokers.js';
import { slothd } from '../e2e/support/cli.js';
import { checkLives, subscribe } from '../e2e/support/contract.js';
import { daemonProcess, liveSensor } from '../e2e/support/live-sensor.js';
import { afterwards, freePort, pause, temporaryFolder, until } from '../e2e/support/world.js';

/** Stories 5 and 15: the daemon is killed (power cut, OOM, kill -9) in mid-episode and started again. */

/** Alerts that come and end within seconds, so that the test does not last minutes. */
const QUICK = { alarms: { 'extreme-tachycardia': { beats: 5, clearMs: 1000 } } };

/** Two processes' monotonic clocks are held together by readings of the wall clock, to the millisecond. */
const CLOCK_READING_MS = 5;
const apartMs = (a = '', b = '') => Math.abs(Date.parse(a) - Date.parse(b));

it('killed at the very moment an alert arrives: it is the same alert after the restart, and gets its one end', async () => {
  const broker = await startAedes();
  afterwards(() => broker.close());
  const consumer = await subscribe(broker.url, 'bench');
  const sensor = await liveSensor([
    { rhythm: 'sinus', bpm: 75, seconds: 5 },
    { rhythm: 'sinus-tachycardia', bpm: 175, rampSeconds: 1, seconds: 3600 },
  ]);
  const daemon = daemonProcess(sensor, broker.url, QUICK);
  const first = await daemon.start();
  sensor.heart.start();
  await until('the alert', () => consumer.alerts().length > 0, 40_000);
  const [alert] = consumer.alerts();
  expect(alert).toMatchObject({ event: 'new', kind: 'extreme-tachycardia' });

  // Its books are not written yet: an alert leaves before them (src/delivery/outbox.ts).
  first.child.kill('SIGKILL');
  await first.ended;
  // The broker says so for the dead one: the last will.
  await until('the last will', () => consumer.last('availability') === 'offline');
  await pause(500);
  const second = await daemon.start();
  await until('the birth', () => consumer.last('availability') === 'online');
  await until('the list', () => JSON.parse(consumer.last('chest/alarms') ?? '[]').length === 1);
  const [listed] = JSON.parse(consumer.last('chest/alarms')!);
  expect(listed).toMatchObject({ id: alert?.id, kind: 'extreme-tachycardia' });
  expect(apartMs(listed.raisedAt, alert?.raisedAt)).toBeLessThanOrEqual(CLOCK_READING_MS);
  // The heart still races: nothing new to say of it.
  await pause(3000);
  expect(consumer.distinct().filter(({ event }) => event !== 'update')).toHaveLength(1);

  sensor.become([{ rhythm: 'sinus', bpm: 70, seconds: 3600 }]);
  await until('the end', () => consumer.alerts().some(({ event }) => event === 'end'), 40_000);
  checkLives(consumer.distinct());
  const events = consumer.distinct();
  expect(new Set(events.map(({ id }) => id))).toEqual(new Set([alert?.id]));
  expect(apartMs(events.at(-1)?.onsetAt, alert?.onsetAt)).toBeLessThanOrEqual(CLOCK_READING_MS);
  expect(apartMs(events.at(-1)?.raisedAt, alert?.raisedAt)).toBeLessThanOrEqual(CLOCK_READING_MS);
  await until('the empty list', () => consumer.last('chest/alarms') === '[]');
  consumer.checkAll();

  second.child.kill('SIGTERM');
  expect(await second.ended).toBe(0);
}, 120_000);

it('killed while the broker is away, nothing it had raised is lost', async () => {
  let broker = await startAedes();
  const { port } = broker;
  const sensor = await liveSensor([
    { rhythm: 'sinus', bpm: 75, seconds: 5 },
    { rhythm: 'sinus-tachycardia', bpm: 175, rampSeconds: 1, seconds: 3600 },
  ]);
  const daemon = daemonProcess(sensor, broker.url, QUICK);
  const first = await daemon.start();
  await broker.close();
  sensor.heart.start();
  // Only its own log can tell that it was raised.
  await until('the alert in the log', () => first.out().includes('alert new: extreme-tachycardia'), 40_000);
  await pause(200);
  first.child.kill('SIGKILL');
  await first.ended;

  broker = await startAedes(port);
  afterwards(() => broker.close());
  const consumer = await subscribe(broker.url, 'bench');
  const second = await daemon.start();
  await until('the alert', () => consumer.alerts().length > 0, 20_000);
  expect(consumer.distinct()[0]).toMatchObject({
    event: 'new',
    sequence: 1,
    kind: 'extreme-tachycardia',
    replayed: true,
  });
  checkLives(consumer.distinct(), false);
  consumer.checkAll();
  second.child.kill('SIGTERM');
  expect(await second.ended).toBe(0);
}, 120_000);

it('killed right after an alert, its stretch is there after the restart, and replays to the same decisions', async () => {
  const broker = await startAedes();
  afterwards(() => broker.close());
  const consumer = await subscribe(broker.url, 'bench');
  const sensor = await liveSensor([
    { rhythm: 'sinus', bpm: 75, seconds: 8 },
    { rhythm: 'sinus-tachycardia', bpm: 175, rampSeconds: 1, seconds: 3600 },
  ]);
  // With its models: their answers are part of what was decided.
  const port = await freePort();
  const daemon = daemonProcess(sensor, broker.url, { ...QUICK, http: { port }, inference: {} });
  const first = await daemon.start();
  sensor.heart.start();
  await until('the alert', () => consumer.alerts().some(({ kind }) => kind === 'extreme-tachycardia'), 60_000);
  const { id } = consumer.alerts().find(({ kind }) => kind === 'extreme-tachycardia')!;
  // Long before the thirty seconds that are to follow it have been written.
  await pause(1000);
  first.child.kill('SIGKILL');
  await first.ended;

  const second = await daemon.start();
  const saved = join(temporaryFolder(), 'alarm.slothrec');
  const shown = await slothd('alerts', 'show', id.slice(0, 8), '--save', saved, '--config', daemon.config);
  expect(shown.code, shown.err).toBe(0);
  expect(JSON.parse(shown.out)).toMatchObject({ id, kind: 'extreme-tachycardia' });
  second.child.kill('SIGTERM');
  await second.ended;

  const replayed = await slothd('replay', saved);
  const said = `${replayed.out}${replayed.err}`;
  expect(replayed.code, said).toBe(0);
  const [, decisions, beats, events] =
    /the same (\d+) decisions to the last bit \((\d+) beats, (\d+) alert events?\)/.exec(said) ?? [];
  expect(Number(decisions), said).toBeGreaterThan(10);
  expect(Number(beats), said).toBeGreaterThan(10);
  expect(Number(events), said).toBeGreaterThanOrEqual(1);
}, 180_000);

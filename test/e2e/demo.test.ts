import { once } from 'node:events';
import net from 'node:net';
import mqtt from 'mqtt';
import { expect, it } from 'vitest';
import { slothd, startSlothd, untilSays } from './support/cli.js';
import { checkLives, subscribe } from './support/contract.js';
import { until } from './support/world.js';

/** What somebody sees who just typed `npm start`. Ports are asked for where none is free for certain. */

const PORTS = ['--broker-port', '0', '--http-port', '0'];

it('runs for the time asked, says where things are, and exits 0', async () => {
  const started = performance.now();
  const { code, out, err } = await slothd('demo', '--for', '20', '--speed', '4', ...PORTS);
  expect(err).toBe('');
  expect(code).toBe(0);
  // 20 s of demo time at four times the speed of life, and a start and an end.
  expect(performance.now() - started).toBeGreaterThan(5000);
  expect(out).toMatch(/^slothd \d+\.\d+\.\d+ demo: /m);
  expect(out).toMatch(/^dashboard {2}http:\/\/127\.0\.0\.1:\d+\//m);
  expect(out).toMatch(/^broker {5}mqtt:\/\/127\.0\.0\.1:\d+ .*mosquitto_sub -p \d+ -t 'slothd\/#'/m);
  expect(out).toContain('the heart: calm');
  expect(out).toMatch(/^00:\d\d \| chest +(\d+|--) bpm \| rhythm \S+ \| signal \S+ \| model /m);
  expect(out).toContain('the end of the demo');
  // Not on a terminal: no colours, no cursor.
  expect(out).not.toContain('\u001b');
  // A calm heart, and nothing to tell of it.
  expect(out).not.toContain('ALERT');
}, 60_000);

it('shows an alert to whoever subscribes, serves the dashboard, and Ctrl-C ends it with exit 0', async () => {
  const demo = startSlothd(['demo', '--speed', '5', ...PORTS]);
  await untilSays(demo, 'Ctrl-C ends it.');
  const broker = demo.out().match(/mqtt:\/\/127\.0\.0\.1:\d+/)?.[0] ?? '';
  const dashboard = demo.out().match(/http:\/\/127\.0\.0\.1:\d+\//)?.[0] ?? '';
  const consumer = await subscribe(broker, 'demo');
  expect((await fetch(new URL('/livez', dashboard))).status).toBe(200);
  expect(await (await fetch(dashboard)).text()).toContain('<html');
  await untilSays(demo, 'ALERT  extreme-tachycardia (high)');
  // A busy machine may have said something of itself before.
  const alert = await until('the alert at the broker', () =>
    consumer.alerts().find(({ kind }) => kind === 'extreme-tachycardia'),
  );
  expect(alert).toMatchObject({ event: 'new', category: 'health', sensor: 'chest' });
  expect(demo.out()).toMatch(
    /ALERT {2}extreme-tachycardia \(high\), \d+\.\d s after it truly began, \d+\.\d ms from wire to broker/,
  );
  checkLives(consumer.distinct(), false);
  consumer.checkAll();

  const interrupted = performance.now();
  demo.child.kill('SIGINT');
  expect(await demo.ended).toBe(0);
  expect(performance.now() - interrupted).toBeLessThan(10_000);
  expect(demo.err()).toBe('');
  expect(demo.out().trimEnd().endsWith('stopped')).toBe(true);
  expect(consumer.last('availability')).toBe('offline');
  const refused = mqtt.connect(broker, { reconnectPeriod: 0 });
  await new Promise<void>((resolve) => refused.once('error', () => resolve()));
  await refused.endAsync(true);
}, 60_000);

it('says in one line what is in its way, ends at once, and its ports are free again', async () => {
  const taken = net.createServer().listen(0, '127.0.0.1');
  await once(taken, 'listening');
  const { port } = taken.address() as net.AddressInfo;
  const { code, err } = await slothd('demo', '--broker-port', '0', '--http-port', String(port));
  taken.close();
  expect(err).toBe(`slothd: http port ${port} is taken: set http.port to a free one (0 takes any)\n`);
  expect(code).toBe(1);
});

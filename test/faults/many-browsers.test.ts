import { get, type IncomingMessage } from 'node:http';
import net from 'node:net';
import { expect, it } from 'vitest';
import { makeScenario } from '../../src/simulator/scenario.js';
import { WebServer, type WebView } from '../../src/watch/http.js';
import { startAedes } from '../delivery/support/brokers.js';
import { startLockstep } from '../e2e/support/lockstep.js';
import { afterwards, until } from '../e2e/support/world.js';

/** Fifty people look at the dashboard at once, and some of their browsers have stopped reading. */

const BROWSERS = 50;

interface Browser {
  readonly events: { readonly event: string; readonly data: string }[];
}

/** A browser that reads: every server-sent event, whole. */
async function browser(url: string): Promise<Browser> {
  const events: Browser['events'] = [];
  let buffered = '';
  const response = await new Promise<IncomingMessage>((resolve, reject) => {
    get(new URL('events', url), { agent: false }, resolve).on('error', reject);
  });
  expect(response.statusCode).toBe(200);
  response.setEncoding('utf8');
  response.on('data', (text: string) => {
    buffered += text;
    const whole = buffered.split('\n\n');
    buffered = whole.pop() ?? '';
    for (const one of whole) {
      const [, event, data] = /^event: (.*)\ndata: (.*)$/.exec(one) ?? [];
      if (event !== undefined && data !== undefined) events.push({ event, data: data.slice(0, 200) });
    }
  });
  response.on('error', () => undefined);
  afterwards(async () => void response.destroy());
  return { events };
}

/** A browser whose page hangs: it asked for events and never reads one. */
function hangingBrowser(url: string): void {
  const { hostname, port } = new URL(url);
  const socket = net.connect(Number(port), hostname);
  socket.pause();
  socket.on('error', () => undefined);
  socket.write(`GET /events HTTP/1.1\r\nHost: ${hostname}:${port}\r\n\r\n`);
  afterwards(async () => void socket.destroy());
}

it(`${BROWSERS} browsers, 5 of which hang: the others miss nothing, nothing is kept for those, telling costs little`, async () => {
  const server = new WebServer({ host: '127.0.0.1', port: 0, token: null, view: {} as WebView });
  afterwards(() => server.close());
  const url = await server.listen();
  const readers = await Promise.all(Array.from({ length: BROWSERS - 5 }, () => browser(url)));
  for (let n = 0; n < 5; n++) hangingBrowser(url);
  await until('all of them', () => server.events.size === BROWSERS);

  const filling = 'x'.repeat(10_000);
  const EVENTS = 1200;
  const costsMs: number[] = [];
  for (let n = 0; n < EVENTS; n++) {
    const from = performance.now();
    server.events.emit('beat', { n, filling });
    costsMs.push(performance.now() - from);
    // A daemon tells something every few milliseconds and does its own work between.
    if (n % 4 === 3) await new Promise((resolve) => setImmediate(resolve));
    // Readers keep up with life; a test that hurries must wait for them.
    while (n - readers.reduce((least, { events }) => Math.min(least, events.length), Number.POSITIVE_INFINITY) > 60) {
      await new Promise((resolve) => setTimeout(resolve, 1));
    }
  }
  await until('the last event everywhere', () => readers.every(({ events }) => events.length === EVENTS));
  for (const { events } of readers) {
    expect(events.every(({ data }, n) => data.startsWith(`{"n":${n},`))).toBe(true);
  }
  // 12 MB were meant for each hanging browser; all but what the kernel and half a megabyte took was dropped.
  expect(server.events.skipped).toBeGreaterThan(1000);
  costsMs.sort((a, b) => a - b);
  // Fifty writes to sockets. Generous: the machine may be busy.
  expect(costsMs[Math.floor(EVENTS / 2)]).toBeLessThan(10);
}, 120_000);

it('a whole daemon with fifty browsers raises its alarm at the same moment of the heart as with none', async () => {
  const scenario = makeScenario({
    episodes: [
      { rhythm: 'sinus', bpm: 70, seconds: 15 },
      { rhythm: 'sinus-tachycardia', bpm: 170, rampSeconds: 2, seconds: 3600 },
    ],
  });
  const live = async (watchers: number) => {
    const broker = await startAedes();
    const bench = await startLockstep({ scenario, brokerUrl: broker.url });
    const readers = await Promise.all(Array.from({ length: watchers }, () => browser(bench.daemon.dashboardUrl!)));
    for (let n = 0; n < Math.min(5, watchers); n++) hangingBrowser(bench.daemon.dashboardUrl!);
    let raisedMs = 0;
    bench.daemon.onAlert(({ event, kind, raisedMs: at }) => {
      if (event === 'new' && kind === 'extreme-tachycardia')
        raisedMs = at - bench.time.monotonicMs() + bench.elapsedMs();
    });
    await bench.runTo(35_000);
    expect(raisedMs).toBeGreaterThan(0);
    await until('the alert on every page', () =>
      readers.every(({ events }) =>
        events.some(({ event, data }) => event === 'alert' && data.includes('extreme-tachycardia')),
      ),
    );
    const beats = readers.map(({ events }) => events.filter(({ event }) => event === 'beat').length);
    expect(new Set(beats).size).toBeLessThanOrEqual(1);
    await bench.stop();
    await broker.close();
    return raisedMs;
  };
  const alone = await live(0);
  expect(await live(BROWSERS)).toBe(alone);
}, 120_000);

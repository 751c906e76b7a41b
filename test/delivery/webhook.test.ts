import { createHmac, timingSafeEqual } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import http from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { webhookSchema } from '../../src/config/webhook.js';
import { createMemoryStore } from '../../src/daemon/memory-store.js';
import { Delivery } from '../../src/delivery/publisher.js';
import type { KeyValueStore } from '../../src/domain/store.js';
import { startAedes, startConsumer } from './support/brokers.js';
import { closedAfterEach } from './support/keep.js';
import { change, collectLog, realClock, realTimers, settingsFor, tick, until } from './support/world.js';

const { keep, afterwards } = closedAfterEach();
const KEY = Buffer.from('a secret of twenty four b');

interface Post {
  readonly id: string;
  readonly body: { id: string; sequence: number; replayed: boolean; evidence: unknown; [more: string]: unknown };
  readonly valid: boolean;
  readonly path: string;
}

/** A receiver written from the documentation: checks the signature, answers as told. */
async function receiver(port = 0) {
  const posts: Post[] = [];
  const state = { answer: (_post: Post): number => 204 };
  const server = http.createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      const text = Buffer.concat(chunks).toString('utf8');
      const { 'webhook-id': id, 'webhook-timestamp': at, 'webhook-signature': signature } = request.headers;
      const wanted = `v1,${createHmac('sha256', KEY).update(`${id}.${at}.${text}`).digest('base64')}`;
      const given = String(signature);
      const fresh = Math.abs(Date.now() / 1000 - Number(at)) < 300;
      const valid = fresh && given.length === wanted.length && timingSafeEqual(Buffer.from(given), Buffer.from(wanted));
      const post = { id: String(id), body: JSON.parse(text), valid, path: request.url ?? '' };
      posts.push(post);
      const status = state.answer(post);
      response.writeHead(status, status >= 300 && status < 400 ? { location: '/elsewhere' } : {}).end();
    });
  });
  await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve));
  const bound = (server.address() as AddressInfo).port;
  const ids = () => posts.map(({ body }) => body.id);
  return {
    posts,
    ids,
    state,
    port: bound,
    url: `http://127.0.0.1:${bound}/hooks/slothd`,
    close: async () => {
      server.closeAllConnections();
      await new Promise<void>((resolve) => server.close(() => resolve()));
    },
  };
}

function secretFile(text = `whsec_${KEY.toString('base64')}\n`): string {
  const dir = mkdtempSync(join(tmpdir(), 'slothd-hook-'));
  afterwards(async () => rmSync(dir, { recursive: true, force: true }));
  const file = join(dir, 'secret');
  writeFileSync(file, text);
  return file;
}

function daemon(
  url: string,
  over: Record<string, unknown> = {},
  store: KeyValueStore = createMemoryStore(),
  mqtt = {},
) {
  const { log, lines } = collectLog();
  const delivery = new Delivery({
    settings: {
      ...settingsFor('mqtt://127.0.0.1:1', { enabled: false, outbox: { replayPerSecond: 1000 }, ...mqtt }),
      webhook: webhookSchema.parse({ url, secretFile: secretFile(), retryMinMs: 100, retryMaxMs: 1000, ...over }),
    },
    node: 'pi',
    version: '1.0.0',
    sensors: ['chest'],
    clock: realClock,
    timers: realTimers,
    store,
    log,
  });
  afterwards(() => delivery.stop());
  const raise = (id: string, more = {}) => delivery.alert(change(id, more), { arrivedAtMs: performance.now() }, []);
  return { delivery, lines, raise, hook: () => delivery.stats().webhook! };
}

async function stored(store: KeyValueStore, prefix: string): Promise<number> {
  let count = 0;
  for await (const _ of store.scan(prefix)) count++;
  return count;
}

test('each event is posted, signed, in order, with the same content as over MQTT', async () => {
  const target = keep(await receiver());
  const broker = keep(await startAedes());
  const consumer = keep(await startConsumer(broker.url));
  const { delivery, raise, hook } = daemon(target.url, {}, undefined, { enabled: true, url: broker.url });
  await delivery.start();
  await until(() => delivery.stats().connected, 'the broker');
  for (let n = 0; n < 5; n++) raise(`n-${n}`);
  raise('n-0', { event: 'end', sequence: 2, endedMs: 5000 });
  await until(() => hook().delivered === 6 && consumer.alerts().length === 6, 'all of both');
  expect(target.posts.every(({ valid }) => valid)).toBe(true);
  expect(target.posts.map(({ id }) => id)).toEqual(['n-0-1', 'n-1-1', 'n-2-1', 'n-3-1', 'n-4-1', 'n-0-2']);
  const plain = ({ latencyMs: _latency, replayed: _replayed, ...rest }: Record<string, unknown>) => rest;
  expect(target.posts.map(({ body }) => plain(body))).toEqual(consumer.alerts().map(plain));
  expect(hook()).toMatchObject({ lastError: '', delivered: 6, outbox: { entries: 0 } });
});

describe('a receiver that is away', () => {
  test('every alert comes in the end, marked, in order, under the same id at each attempt', async () => {
    const target = await receiver();
    const { port, url } = target;
    const { delivery, raise, hook, lines } = daemon(url);
    await delivery.start();
    raise('before');
    await until(() => hook().delivered === 1, 'the first');
    await target.close();
    for (let n = 0; n < 20; n++) raise(`n-${n}`);
    await until(() => /receiver|refused|nobody|no .* listens|cut/.test(hook().lastError), 'the reason');
    const back = keep(await receiver(port));
    let hiccups = 0;
    back.state.answer = () => (hiccups++ < 2 ? 503 : 200);
    await until(() => hook().outbox.entries === 0, 'all of them');
    const accepted = back.posts.slice(2);
    expect(back.posts.slice(0, 3).map(({ id }) => id)).toEqual(['n-0-1', 'n-0-1', 'n-0-1']);
    expect(accepted.map(({ body }) => body.id)).toEqual(Array.from({ length: 20 }, (_, n) => `n-${n}`));
    expect(accepted.every(({ valid, body }) => valid && body.replayed)).toBe(true);
    expect(lines.some(({ message }) => /answers again/.test(message))).toBe(true);
    raise('fresh');
    await until(() => back.ids().includes('fresh'), 'the fresh one');
    expect(back.posts.at(-1)?.body.replayed).toBe(false);
  });

  test('after kill -9 what was not taken comes from the disk; alert and alarm state are one batch', async () => {
    const store = createMemoryStore();
    const batches: string[][] = [];
    const watched: KeyValueStore = {
      ...store,
      batch: (writes) => {
        batches.push(writes.map(({ key }) => key));
        return store.batch(writes);
      },
    };
    const first = daemon('http://127.0.0.1:1/', {}, watched, { enabled: true });
    await first.delivery.start();
    first.delivery.alert(change('kept'), { arrivedAtMs: null }, [{ key: 'alarms/x', value: 'open' }]);
    await tick(50);
    const batch = batches.find((keys) => keys.includes('alarms/x'));
    expect(batch?.map((key) => key.split('/')[0]).sort()).toEqual(['alarms', 'outbox', 'webhook']);
    // No stop: the process is gone.
    const target = keep(await receiver());
    const second = daemon(target.url, {}, store);
    await second.delivery.start();
    await until(() => target.ids().includes('kept'), 'the alert of the earlier run');
    expect(target.posts[0]?.body).toMatchObject({ replayed: true, latencyMs: null });
    await second.delivery.stop();
    expect(await stored(store, 'webhook/')).toBe(0);
  });

  test('one that does not answer is left after its time', async () => {
    const target = keep(await receiver());
    const silent = http.createServer(() => undefined);
    await new Promise<void>((resolve) => silent.listen(0, '127.0.0.1', resolve));
    afterwards(async () => {
      silent.closeAllConnections();
      await new Promise<void>((resolve) => silent.close(() => resolve()));
    });
    const { delivery, raise, hook } = daemon(`http://127.0.0.1:${(silent.address() as AddressInfo).port}/`, {
      timeoutMs: 500,
    });
    await delivery.start();
    raise('x');
    await until(() => /did not answer within 500 ms/.test(hook().lastError), 'the reason');
    expect(hook().outbox.entries).toBe(1);
    expect(target.posts).toEqual([]);
  });
});

describe('answers that a person must act on', () => {
  const cases: Array<[number, RegExp]> = [
    [401, /secretFile the same there/],
    [404, /no such webhook/],
    [308, /has moved/],
    [429, /slower/],
    [500, /answers with 500/],
  ];
  test.each(cases)('%i: kept, said in words, delivered once it is mended', async (status, words) => {
    const target = keep(await receiver());
    target.state.answer = () => status;
    const { delivery, raise, hook } = daemon(target.url);
    await delivery.start();
    raise('x');
    await until(() => words.test(hook().lastError), `${words}`);
    expect(target.posts.every(({ path }) => path === '/hooks/slothd')).toBe(true);
    target.state.answer = () => 200;
    await until(() => hook().delivered === 1, 'the delivery');
  });

  test('a message refused as it is goes without its evidence, then is given up; the next one goes on', async () => {
    const target = keep(await receiver());
    target.state.answer = ({ body }) =>
      body.id === 'poison' ? 422 : body.id === 'big' && 'rrMs' in (body.evidence as object) ? 413 : 200;
    const { delivery, raise, hook } = daemon(target.url, { retryMaxMs: 1000 });
    await delivery.start();
    for (const id of ['big', 'poison', 'after']) raise(id);
    await until(() => hook().delivered === 2, 'the one behind them', 20_000);
    expect(target.ids()).toContain('after');
    expect(target.posts.find(({ body }) => body.id === 'big' && 'omitted' in (body.evidence as object))).toBeDefined();
    expect(hook()).toMatchObject({ delivered: 2, outbox: { undeliverable: 1, entries: 0 } });
  });

  test('no secret to be read is a reason, not a crash', async () => {
    const target = keep(await receiver());
    const { delivery, raise, hook } = daemon(target.url, { secretFile: '/nonexistent/secret' });
    await delivery.start();
    raise('x');
    await until(() => /webhook\.secretFile: \/nonexistent\/secret/.test(hook().lastError), 'the reason');
    expect(target.posts).toEqual([]);
  });
});

test('alerts below the priority asked for are not posted', async () => {
  const target = keep(await receiver());
  const { delivery, raise } = daemon(target.url, { minPriority: 'high' });
  await delivery.start();
  raise('medium');
  raise('high', { priority: 'high' });
  await until(() => target.posts.length > 0, 'the post');
  await tick(50);
  expect(target.ids()).toEqual(['high']);
});

describe('the section webhook', () => {
  test('works empty: no webhook', () => {
    expect(webhookSchema.parse({})).toMatchObject({ minPriority: 'low', timeoutMs: 10_000 });
  });

  const wrong: Array<[string, unknown, RegExp]> = [
    ['no secret', { url: 'https://x.example/' }, /needs a secret/],
    ['no URL', { url: 'x.example', secretFile: 'f' }, /give a URL/],
    ['another protocol', { url: 'ftp://x.example/', secretFile: 'f' }, /give a URL/],
    ['a password in the URL', { url: 'https://a:b@x.example/', secretFile: 'f' }, /no user or password/],
    ['an unknown key', { uri: 'x' }, /uri/],
  ];
  test.each(wrong)('refuses %s', (_what, value, words) => {
    const result = webhookSchema.safeParse(value);
    expect(result.success).toBe(false);
    expect(JSON.stringify(result.error?.issues)).toMatch(words);
  });
});

import { request } from 'node:http';
import { gunzipSync } from 'node:zlib';
import { afterEach, describe, expect, it } from 'vitest';
import { ASSET_PATHS } from '../../src/watch/dashboard/assets.js';
import { WebServer, type WebView } from '../../src/watch/http.js';

const view: WebView = {
  live: () => ({ healthy: true, reasons: [] }),
  ready: () => ({ ready: false, reasons: ['broker: not connected'] }),
  metricsText: async () => 'slothd_build_info{version="x"} 1\n',
  status: () => ({ node: 'test' }),
  about: () => ({ version: 'x' }),
  latency: () => ({ points: [] }),
  alerts: () => [{ id: 'a-1' }],
  alert: (id) => (id === 'a-1' ? { id, evidence: { rrMs: [800] } } : null),
  command: (verb, args) => {
    if (args.sensor !== 'chest') throw new Error('no sensor of that name; there are: chest');
    return { verb, ...args };
  },
};

let server: WebServer | null = null;

async function start(token: string | null = null): Promise<string> {
  server = new WebServer({ host: '127.0.0.1', port: 0, token, view });
  return server.listen();
}

afterEach(async () => {
  await server?.close();
  server = null;
});

function raw(url: string, headers: Record<string, string>, method = 'GET'): Promise<number> {
  return new Promise((resolve, reject) => {
    const sent = request(url, { headers, method }, (response) => {
      response.resume();
      resolve(response.statusCode ?? 0);
    });
    sent.on('error', reject);
    sent.end();
  });
}

function rawBytes(url: string, headers: Record<string, string>): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const sent = request(url, { headers }, async (response) => {
      const chunks: Buffer[] = [];
      for await (const chunk of response) chunks.push(chunk as Buffer);
      resolve(Buffer.concat(chunks));
    });
    sent.on('error', reject);
    sent.end();
  });
}

describe('WebServer', () => {
  it('answers health, metrics and the page with no inline script allowed', async () => {
    const url = await start();
    expect((await fetch(`${url}livez`)).status).toBe(200);
    const ready = await fetch(`${url}readyz`);
    expect(ready.status).toBe(503);
    expect(await ready.json()).toEqual({ ready: false, reasons: ['broker: not connected'] });
    expect(await (await fetch(`${url}metrics`)).text()).toContain('slothd_build_info');
    const page = await fetch(url);
    expect(page.headers.get('content-type')).toContain('text/html');
    expect(page.headers.get('content-security-policy')).toContain("script-src 'self'");
    expect(await page.text()).not.toMatch(/<script(?![^>]*src=)/);
  });

  it('serves no file outside its list', async () => {
    const url = await start();
    for (const path of ['../package.json', '..%2f..%2fpackage.json', 'constructor', '__proto__', 'index.html.map']) {
      expect((await fetch(url + path)).status).toBe(404);
    }
  });

  it('refuses a foreign Host header on loopback and methods that change things', async () => {
    const url = await start();
    expect(await raw(`${url}status`, { Host: 'evil.example' })).toBe(421);
    expect(await raw(`${url}status`, { Host: 'localhost:1' })).toBe(200);
    expect(await raw(`${url}status`, {}, 'POST')).toBe(405);
    expect(await raw(`${url}alerts/ack`, {})).toBe(405);
  });

  it('carries out ack and snooze, and tells what is wrong', async () => {
    const url = await start();
    const post = (path: string, body: string, headers: Record<string, string> = {}) =>
      fetch(url + path, { method: 'POST', body, headers: { 'Content-Type': 'application/json', ...headers } });
    const good = await post('alerts/ack', '{"sensor":"chest","kind":"pause"}');
    expect(await good.json()).toEqual({ ok: true, result: { verb: 'ack', sensor: 'chest', kind: 'pause' } });
    expect(await (await post('alerts/snooze', '{"sensor":"chest"}')).json()).toMatchObject({
      result: { verb: 'snooze' },
    });
    const wrong = await post('alerts/ack', '{"sensor":"foot"}');
    expect([wrong.status, await wrong.json()]).toEqual([
      400,
      { ok: false, error: 'no sensor of that name; there are: chest' },
    ]);
    for (const body of ['', 'x', '[]', 'null', '"a"']) expect((await post('alerts/ack', body)).status).toBe(400);
    expect((await post('alerts/ack', `"${'x'.repeat(20_000)}"`)).status).toBe(413);
  });

  it('lets no page of another site press the buttons', async () => {
    const url = await start();
    const body = '{"sensor":"chest","kind":"pause"}';
    const status = (headers: Record<string, string>) =>
      new Promise<number>((resolve, reject) => {
        const sent = request(`${url}alerts/ack`, { method: 'POST', headers }, (response) => {
          response.resume();
          resolve(response.statusCode ?? 0);
        });
        sent.on('error', reject);
        sent.end(body);
      });
    const json = { 'Content-Type': 'application/json' };
    const own = new URL(url).origin;
    expect(await status({ ...json, Origin: own, 'Sec-Fetch-Site': 'same-origin' })).toBe(200);
    expect(await status({ ...json, Origin: 'http://evil.example' })).toBe(403);
    expect(await status({ ...json, Origin: 'http://localhost:1' })).toBe(403);
    expect(await status({ ...json, Origin: 'null' })).toBe(403);
    expect(await status({ ...json, 'Sec-Fetch-Site': 'cross-site' })).toBe(403);
    expect(await status({ 'Content-Type': 'text/plain', Origin: own })).toBe(415);
    expect(await status({ 'Content-Type': 'application/x-www-form-urlencoded' })).toBe(415);
  });

  it('turns a flood of commands away', async () => {
    const url = await start();
    const statuses = new Map<number, number>();
    for (let i = 0; i < 40; i++) {
      const { status } = await fetch(`${url}alerts/ack`, {
        method: 'POST',
        headers: { 'Content-Type': 'application/json' },
        body: '{"sensor":"chest"}',
      });
      statuses.set(status, (statuses.get(status) ?? 0) + 1);
    }
    expect(statuses.get(200)).toBeGreaterThanOrEqual(20);
    expect(statuses.get(429)).toBeGreaterThan(5);
  });

  it('shows one alert with its evidence, and what runs', async () => {
    const url = await start();
    expect(await (await fetch(`${url}alerts`)).json()).toEqual([{ id: 'a-1' }]);
    expect(await (await fetch(`${url}alerts/a-1`)).json()).toMatchObject({ evidence: { rrMs: [800] } });
    expect((await fetch(`${url}alerts/a-2`)).status).toBe(404);
    expect(await (await fetch(`${url}about`)).json()).toEqual({ version: 'x' });
    expect(await (await fetch(`${url}latency`)).json()).toEqual({ points: [] });
  });

  it('is 100 kB or less in all, packed, and the same unpacked', async () => {
    const url = await start();
    let bytes = 0;
    for (const path of ASSET_PATHS) {
      const packed = await rawBytes(new URL(path, url).href, { 'Accept-Encoding': 'gzip' });
      const plain = await rawBytes(new URL(path, url).href, {});
      expect(gunzipSync(packed).equals(plain), path).toBe(true);
      bytes += packed.length;
    }
    expect(bytes).toBeLessThan(100_000);
  });

  it('asks for the token where one is set', async () => {
    const url = await start('secret');
    expect((await fetch(`${url}status`)).status).toBe(401);
    expect((await fetch(`${url}status`, { headers: { Authorization: 'Bearer wrong!' } })).status).toBe(401);
    expect((await fetch(`${url}status`, { headers: { Authorization: 'Bearer secret' } })).status).toBe(200);
    // As a browser sends it: any user, the token as password.
    const basic = (pair: string) => ({ headers: { Authorization: `Basic ${btoa(pair)}` } });
    expect((await fetch(`${url}status`)).headers.get('www-authenticate')).toMatch(/^Basic /);
    expect((await fetch(`${url}status`, basic('me:secret'))).status).toBe(200);
    expect((await fetch(`${url}status`, basic('secret:'))).status).toBe(401);
    expect((await fetch(`${url}alerts/ack`, { method: 'POST' })).status).toBe(401);
  });

  it('does not let a token be guessed at leisure', async () => {
    const url = await start('secret');
    const statuses = new Set<number>();
    for (let i = 0; i < 60; i++) statuses.add(await raw(`${url}status`, { Authorization: `Bearer ${i}` }));
    expect([...statuses].sort()).toEqual([401, 429]);
    expect((await fetch(`${url}status`, { headers: { Authorization: 'Bearer secret' } })).status).toBe(200);
  });

  it('refuses to be open to the network without a token', () => {
    expect(() => new WebServer({ host: '0.0.0.0', port: 0, token: null, view })).toThrow(/tokenFile/);
  });

  it('sends events, and skips a reader that does not read instead of buffering for it', async () => {
    const url = await start();
    const response = await fetch(`${url}events`);
    const reader = response.body!.getReader();
    await reader.read();
    server!.events.emit('beat', { t: 1 });
    expect(new TextDecoder().decode((await reader.read()).value)).toBe('event: beat\ndata: {"t":1}\n\n');
    const big = 'x'.repeat(200_000);
    for (let i = 0; i < 100; i++) server!.events.emit('bulk', big);
    expect(server!.events.skipped).toBeGreaterThan(0);
    await reader.cancel();
  });
});

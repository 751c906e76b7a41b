import { request } from 'node:http';
import { afterEach, describe, expect, it } from 'vitest';
import { WebServer, type WebView } from '../../src/watch/http.js';

const view: WebView = {
  live: () => ({ healthy: true, reasons: [] }),
  ready: () => ({ ready: false, reasons: ['broker: not connected'] }),
  metricsText: async () => 'slothd_build_info{version="x"} 1\n',
  status: () => ({ node: 'test' }),
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
  });

  it('asks for the token where one is set', async () => {
    const url = await start('secret');
    expect((await fetch(`${url}status`)).status).toBe(401);
    expect((await fetch(`${url}status`, { headers: { Authorization: 'Bearer wrong!' } })).status).toBe(401);
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

import { createServer, type IncomingMessage, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { askAt, listAlerts, showAlert, silence } from '../../src/cli/alerts.js';

const ALERTS = [
  { id: 'abc-1', event: 'new', kind: 'pause', priority: 'medium', sensor: 'chest', onsetAt: '2026-01-01T00:00:00Z' },
  { id: 'abd-2', event: 'end', kind: 'tachycardia', priority: 'medium', sensor: 'chest' },
];

let server: Server | undefined;
afterEach(() => server?.close());

async function serve(answer: (request: IncomingMessage, body: string) => readonly [number, string]): Promise<string> {
  server = createServer(async (request, response) => {
    let body = '';
    for await (const chunk of request) body += chunk;
    const [status, text] = answer(request, body);
    response.writeHead(status).end(text);
  });
  await new Promise<void>((resolve) => server!.listen(0, '127.0.0.1', resolve));
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
}

describe('alerts', () => {
  it('lists what is open and what has ended', async () => {
    const lines = (await listAlerts(async () => ALERTS)).trimEnd().split('\n');
    expect(lines[0]).toMatch(/^abc-1 +OPEN +medium +chest +pause +2026/);
    expect(lines[1]).toMatch(/^abd-2 +ended/);
    expect(await listAlerts(async () => [])).toBe('no alerts\n');
  });

  it('shows the one alert whose id begins so', async () => {
    const ask = async (path: string) => (path.startsWith('alerts?') ? ALERTS : { asked: path });
    expect(await showAlert(ask, 'abc')).toContain('alerts/abc-1');
    await expect(showAlert(ask, 'ab')).rejects.toThrow('2 alerts begin with ab');
    await expect(showAlert(ask, 'x')).rejects.toThrow('no alert begins with x');
  });

  it('sends a command with the token, and tells what the daemon refuses', async () => {
    const url = await serve(({ method, headers }, body) =>
      headers.authorization === 'Bearer secret' && method === 'POST' && JSON.parse(body).kind === 'pause'
        ? [200, '{"ok":true,"result":null}']
        : [400, '{"ok":false,"error":"no sensor \'x\'"}'],
    );
    await expect(askAt(url, 'secret')('alerts/ack', { kind: 'pause' })).resolves.toMatchObject({ ok: true });
    await expect(askAt(url, 'secret')('alerts/ack', { kind: 'x' })).rejects.toThrow("no sensor 'x'");
  });

  it('says until when an ack or a snooze was granted, and fails where it was not', async () => {
    const asked = { sensor: 'chest', kind: 'pause', minutes: 60 };
    const granted = async () => ({ ok: true, result: { accepted: true, until: '2026-01-01T00:10:00.000Z' } });
    expect(await silence(granted, 'snooze', asked)).toBe('pause of chest: snooze until 2026-01-01T00:10:00.000Z\n');
    const ended = async () => ({ ok: true, result: { accepted: false, reason: 'no pause alert is open' } });
    await expect(silence(ended, 'ack', asked)).rejects.toThrow('pause of chest: no pause alert is open');
  });

  it('tells plain refusals, and that nothing is there', async () => {
    const url = await serve(() => [401, 'a bearer token is needed\n']);
    await expect(askAt(url, null)('alerts')).rejects.toThrow('a bearer token is needed');
    server?.close();
    const page = await serve(() => [200, '<html>another program</html>']);
    await expect(askAt(page, null)('alerts')).rejects.toThrow(`what answers at ${page} is not slothd`);
    await expect(askAt('http://127.0.0.1:1/', null)('alerts')).rejects.toThrow('is it running?');
  });
});

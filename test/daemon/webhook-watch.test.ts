import { writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { askAt } from '../../src/cli/alerts.js';
import { checkWebhook } from '../../src/cli/doctor/webhook.js';
import { webhookSchema } from '../../src/config/webhook.js';
import { makeScenario } from '../../src/simulator/scenario.js';
import { startLive } from '../e2e/support/live.js';
import { afterwards, temporaryFolder, until } from '../e2e/support/world.js';

/** The webhook seen from outside: metrics, the test alert, and what `doctor` says of it. */

async function receiver(status: (method: string) => number) {
  const bodies: { kind: string; event: string }[] = [];
  const server = createServer(async (request, response) => {
    let text = '';
    for await (const chunk of request) text += chunk;
    const answer = status(request.method ?? '');
    if (request.method === 'POST' && answer < 300) bodies.push(JSON.parse(text));
    response.writeHead(answer).end();
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  afterwards(() => {
    server.closeAllConnections();
    server.close();
  });
  return { bodies, url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/hooks` };
}

function secretFile(text = 'a secret of some length'): string {
  const file = join(temporaryFolder(), 'secret');
  writeFileSync(file, text);
  return file;
}

it('the test alert reaches it, and metrics tell of it: up, delivered, waiting', async () => {
  let works = true;
  const hook = await receiver(() => (works ? 204 : 503));
  const { url } = await startLive(
    [{ name: 'chest', scenario: makeScenario({ episodes: [{ rhythm: 'sinus', bpm: 70, seconds: 600 }] }) }],
    {
      webhook: { url: hook.url, secretFile: secretFile(), retryMinMs: 100, retryMaxMs: 1000 },
      inference: { models: { beat: null, rhythm: null, shockable: null } },
    },
  );
  const ask = askAt(url, null);
  const metrics = async () => {
    const text = await (await fetch(new URL('/metrics', url))).text();
    return (name: string) => Number(new RegExp(`^slothd_${name} (\\S+)$`, 'm').exec(text)?.[1]);
  };
  await expect(ask('alerts/test', {})).resolves.toMatchObject({ ok: true, result: { id: expect.any(String) } });
  await expect(ask('alerts/test', { sensor: 'nobody' })).rejects.toThrow(/no sensor/);
  await until('the test alert', () => hook.bodies.filter(({ kind }) => kind === 'test').length === 2);
  const fine = await metrics();
  expect(fine('webhook_up')).toBe(1);
  expect(fine('webhook_delivered_total')).toBe(2);
  expect(fine('webhook_outbox_entries')).toBe(0);
  expect(fine('store_on_disk')).toBe(1);

  works = false;
  await ask('alerts/test', { sensor: 'chest' });
  let down = await metrics();
  for (let tries = 0; tries < 100 && down('webhook_up') !== 0; tries++) {
    await new Promise((resolve) => setTimeout(resolve, 50));
    down = await metrics();
  }
  expect(down('webhook_up')).toBe(0);
  expect(down('webhook_outbox_entries')).toBe(2);
  expect(down('webhook_attempts_total')).toBeGreaterThan(2);
  expect(down('webhook_given_up_total')).toBe(0);
}, 60_000);

describe('doctor', () => {
  const look = (url: string | undefined, file = secretFile()) =>
    checkWebhook({ webhook: webhookSchema.parse(url ? { url, secretFile: file } : {}) });

  it('says nothing where there is none, and that all is well where it is', async () => {
    expect(await look(undefined)).toEqual([]);
    const { url, bodies } = await receiver(() => 204);
    expect(await look(url)).toMatchObject([{ check: 'webhook', state: 'good' }]);
    expect(bodies).toEqual([]);
  });

  it('takes a refusal of an unsigned look for life', async () => {
    for (const status of [401, 403, 405]) {
      const { url } = await receiver(() => status);
      expect(await look(url), String(status)).toMatchObject([{ state: 'good' }]);
    }
  });

  it.each([
    [404, /no such webhook/],
    [410, /no such webhook/],
    [301, /has moved/],
    [503, /answers with 503/],
  ])('%i is bad, with what mends it', async (status, says) => {
    const { url } = await receiver(() => status);
    const [finding] = await look(url);
    expect(finding).toMatchObject({ check: 'webhook', state: 'bad', says: expect.stringMatching(says) });
    expect(finding?.fix).toMatch(/webhook/);
  });

  it('nobody there, no such host, no secret: each in words', async () => {
    const gone = createServer();
    await new Promise<void>((resolve) => gone.listen(0, '127.0.0.1', resolve));
    const { port } = gone.address() as AddressInfo;
    await new Promise((resolve) => gone.close(resolve));
    expect((await look(`http://127.0.0.1:${port}/x`))[0]).toMatchObject({
      state: 'bad',
      says: expect.stringMatching(/no receiver listens there/),
    });
    expect((await look('http://no-such-host.invalid/x'))[0]).toMatchObject({ state: 'bad' });
    const { url } = await receiver(() => 204);
    expect(await look(url, '/nonexistent/secret')).toMatchObject([
      { state: 'bad', says: expect.stringMatching(/webhook\.secretFile: \/nonexistent\/secret/) },
      { state: 'good' },
    ]);
    expect(await look(url, secretFile('\n'))).toMatchObject([
      { state: 'bad', says: expect.stringMatching(/empty/) },
      {},
    ]);
  });
});

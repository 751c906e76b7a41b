import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { webhookSchema } from '../../src/config/webhook.js';
import type { Delivery } from '../../src/delivery/publisher.js';
import { hasMosquitto, startMosquitto } from '../delivery/support/brokers.js';
import { deliveryTo } from '../delivery/support/delivery.js';
import { closedAfterEach } from '../delivery/support/keep.js';
import { startMqtt5Broker } from '../delivery/support/mqtt5-broker.js';
import { change, settingsFor, until } from '../delivery/support/world.js';

/** The programs that docs/receive-alerts.md shows are run as they stand there. */

const { keep, afterwards } = closedAfterEach();
const root = join(import.meta.dirname, '../..');
const page = readFileSync(join(root, 'docs/receive-alerts.md'), 'utf8');

/** The code block whose first line is this. */
function block(info: string): string {
  const found = page.split(`\`\`\`${info}\n`)[1]?.split('\n```')[0];
  if (!found) throw new Error(`docs/receive-alerts.md has no block ${info}`);
  return found;
}

function run(command: string, args: string[], input: string) {
  const child: ChildProcess = spawn(command, args, { cwd: root, stdio: ['pipe', 'pipe', 'pipe'], detached: true });
  let out = '';
  let err = '';
  child.stdout?.on('data', (chunk) => {
    out += chunk;
  });
  child.stderr?.on('data', (chunk) => {
    err += chunk;
  });
  child.stdin?.end(input);
  afterwards(async () => {
    if (child.pid && child.exitCode === null) process.kill(-child.pid, 'SIGKILL');
  });
  return { lines: () => out.split('\n').filter(Boolean), err: () => err };
}

function daemon(url: string, more: object = {}, mqtt: Record<string, unknown> = {}) {
  const { delivery } = deliveryTo(url, {}, { settings: { ...settingsFor(url, mqtt), ...more } });
  afterwards(() => delivery.stop());
  return delivery;
}

/** A tachycardia that is told twice and ends. */
function raise(delivery: Delivery): void {
  delivery.alert(change('a-1'), { arrivedAtMs: null }, []);
  delivery.alert(change('a-1'), { arrivedAtMs: null }, []);
  delivery.alert(change('a-1', { event: 'end', sequence: 2, endedMs: 5000 }), { arrivedAtMs: null }, []);
}

const TOLD = [/^new tachycardia \(medium\) pi\/chest since \d{4}-/, /^end tachycardia \(medium\) pi\/chest since/];

test('the Node consumer tells each event once', async () => {
  const broker = keep(await startMqtt5Broker());
  const consumer = run(process.execPath, ['--input-type=module', '-', broker.url], block('js consumer.mjs'));
  await until(() => broker.connects.some(({ clientId }) => clientId === 'my-consumer'), 'the consumer', 30_000);
  const delivery = daemon(broker.url);
  await delivery.start();
  await until(() => delivery.stats().connected, 'the connection');
  await until(() => broker.published.length > 0, 'the birth');
  await new Promise((resolve) => setTimeout(resolve, 300));
  raise(delivery);
  await until(() => consumer.lines().length >= 2, 'two lines', 20_000);
  expect(consumer.lines()).toEqual(TOLD.map((line) => expect.stringMatching(line)));
  expect(consumer.err()).toBe('');
});

test('the shell pipeline tells each event once', async ({ skip }) => {
  const there = hasMosquitto && spawnSync('jq', ['--version']).error === undefined;
  if (!there) skip('needs mosquitto, mosquitto_sub and jq');
  const broker = keep(await startMosquitto());
  const [script] = page
    .split('```sh\n')
    .slice(1)
    .map((part) => part.split('\n```')[0]!);
  expect(script).toContain('mosquitto_sub');
  const pipeline = run('bash', ['-s'], script!.replace('-h localhost', `-h 127.0.0.1 -p ${broker.port}`));
  await new Promise((resolve) => setTimeout(resolve, 1000));
  const delivery = daemon(broker.url);
  await delivery.start();
  await until(() => delivery.stats().connected, 'the connection');
  raise(delivery);
  await until(() => pipeline.lines().length >= 2, 'two lines', 20_000);
  expect(pipeline.lines().map((line) => line.split('\t').slice(0, 6))).toEqual([
    ['a-1', '1', 'new', 'tachycardia', 'medium', 'chest'],
    ['a-1', '2', 'end', 'tachycardia', 'medium', 'chest'],
  ]);
});

test('the Python consumer is Python', ({ skip }) => {
  const python = spawnSync('python3', ['-c', 'import ast, sys; ast.parse(sys.stdin.read())'], {
    input: block('py consumer.py'),
    encoding: 'utf8',
  });
  if (python.error) skip('python3 is not installed here');
  expect(python.stderr).toBe('');
  expect(python.status).toBe(0);
});

test('the webhook receiver takes what is signed and nothing else', async () => {
  const dir = mkdtempSync(join(tmpdir(), 'slothd-docs-'));
  afterwards(async () => rmSync(dir, { recursive: true, force: true }));
  const secretFile = join(dir, 'secret');
  writeFileSync(secretFile, 'c29tZSBzZWNyZXQgb2YgdHdlbnR5IGZvdXI=\n');
  const free = createServer();
  await new Promise<void>((resolve) => free.listen(0, '127.0.0.1', resolve));
  const { port } = free.address() as { port: number };
  await new Promise<void>((resolve) => free.close(() => resolve()));
  const receiver = run(
    process.execPath,
    ['--input-type=module', '-', secretFile, String(port)],
    block('js receiver.mjs'),
  );
  const url = `http://127.0.0.1:${port}/hooks/slothd`;
  const webhook = webhookSchema.parse({ url, secretFile, retryMinMs: 100, retryMaxMs: 1000 });
  const delivery = daemon('mqtt://127.0.0.1:1', { webhook }, { enabled: false });
  await delivery.start();
  raise(delivery);
  await until(() => receiver.lines().length >= 2 && delivery.stats().webhook?.outbox.entries === 0, 'two', 30_000);
  expect(receiver.lines()).toEqual([
    expect.stringMatching(/^new tachycardia \(medium\) on chest since/),
    expect.stringMatching(/^end tachycardia \(medium\) on chest since/),
  ]);
  const forged = await fetch(url, {
    method: 'POST',
    body: '{}',
    headers: { 'webhook-id': 'x', 'webhook-signature': 'v1,AAAA' },
  });
  expect(forged.status).toBe(401);
});

describe('examples in config/', () => {
  test('the Node-RED flow is wired, and its function lets each event through once', () => {
    const flow = JSON.parse(readFileSync(join(root, 'config/node-red/slothd-flow.json'), 'utf8')) as {
      id: string;
      type: string;
      func?: string;
      topic?: string;
      wires?: string[][];
      broker?: string;
    }[];
    const ids = new Set(flow.map(({ id }) => id));
    expect(ids.size).toBe(flow.length);
    for (const { id, wires = [], broker, type } of flow) {
      for (const target of wires.flat()) expect(ids, `${id} leads somewhere`).toContain(target);
      if (type.startsWith('mqtt ')) expect(ids).toContain(broker);
    }
    expect(flow.find(({ type, topic }) => type === 'mqtt in' && topic === 'slothd/+/+/alert')).toBeDefined();
    const func = flow.find(({ type }) => type === 'function')?.func ?? '';
    const memory = new Map<string, unknown>();
    const context = {
      get: (key: string) => memory.get(key),
      set: (key: string, value: unknown) => memory.set(key, value),
    };
    const once = new Function('msg', 'context', func) as (msg: object, c: object) => { payload: string } | null;
    const alert = {
      id: 'a',
      sequence: 1,
      event: 'new',
      kind: 'pause',
      priority: 'medium',
      onsetAt: 'x',
      replayed: true,
    };
    const msg = (payload: unknown) => ({ topic: 'slothd/pi/chest/alert', payload });
    expect(once(msg(alert), context)?.payload).toBe('new pause (medium) on chest of pi, since x [late]');
    expect(once(msg(alert), context)).toBeNull();
    expect(once(msg({ ...alert, sequence: 2 }), context)).not.toBeNull();
    expect(once(msg('not JSON'), context)).toBeNull();
    for (let n = 0; n < 3000; n++) once(msg({ ...alert, id: `n-${n}` }), context);
    expect((memory.get('seen') as string[]).length).toBe(2000);
  });

  test('the Home Assistant package is YAML of the documented shape', () => {
    const text = readFileSync(join(root, 'config/home-assistant/slothd-alerts.yaml'), 'utf8');
    const { automation } = parse(text) as {
      automation: { id: string; triggers: { trigger: string; topic: string }[] }[];
    };
    expect(automation.flatMap(({ triggers }) => triggers.map(({ trigger, topic }) => `${trigger} ${topic}`))).toEqual([
      'mqtt slothd/+/+/alert',
      'mqtt slothd/+/availability',
    ]);
    // Each template is closed.
    expect(text.split('{{').length).toBe(text.split('}}').length);
    expect(text.split('{%').length).toBe(text.split('%}').length);
  });
});

import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { Ajv, type ValidateFunction } from 'ajv';
import { Ajv2020 } from 'ajv/dist/2020.js';
import addFormats from 'ajv-formats';
import { describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { createMemoryStore } from '../../src/daemon/memory-store.js';
import { asyncApiDocument } from '../../src/delivery/asyncapi.js';
import { Delivery } from '../../src/delivery/publisher.js';
import { startAedes, startConsumer } from './support/brokers.js';
import { closedAfterEach } from './support/keep.js';
import { change, collectLog, realClock, realTimers, settingsFor, until } from './support/world.js';

/** The published document, read as a tool of somebody else's would: knowing AsyncAPI, nothing of slothd. */

const { keep, afterwards } = closedAfterEach();
const root = join(import.meta.dirname, '../..');
const text = readFileSync(join(root, 'docs/asyncapi.yaml'), 'utf8');

interface Document {
  readonly channels: Record<string, { address: string; messages: Record<string, { $ref: string }> }>;
  readonly operations: Record<string, { action: string; channel: { $ref: string }; bindings: Bindings }>;
  readonly components: { readonly messages: Record<string, { contentType: string; payload: { schema: object } }> };
}
interface Bindings {
  readonly mqtt?: { readonly qos: number; readonly retain: boolean };
}
const document = parse(text) as Document;

const format = addFormats.default ?? addFormats;

/** Everything a `$ref` points at is there. */
function dangling(value: unknown, at = ''): string[] {
  if (typeof value !== 'object' || value === null) return [];
  return Object.entries(value).flatMap(([key, inner]) => {
    if (key !== '$ref' || typeof inner !== 'string' || !/^#\/(channels|servers|components)/.test(inner)) {
      return dangling(inner, `${at}/${key}`);
    }
    let target: unknown = document;
    for (const step of inner.slice(2).split('/')) target = (target as Record<string, unknown> | undefined)?.[step];
    return target === undefined ? [`${at}: ${inner}`] : [];
  });
}

describe('docs/asyncapi.yaml', () => {
  test('is what the code makes', () => {
    expect(document, 'run npm run schemas').toEqual(JSON.parse(JSON.stringify(asyncApiDocument())));
  });

  test('is valid AsyncAPI 3.0.0, without a dangling reference', () => {
    const schema = createRequire(import.meta.url)('@asyncapi/specs/schemas/3.0.0-without-$id.json') as object;
    const ajv = new Ajv({ strict: false, validateFormats: true, logger: false });
    format(ajv);
    const validate = ajv.compile(schema);
    validate(document);
    expect(validate.errors ?? []).toEqual([]);
    expect(dangling(document)).toEqual([]);
    // The check itself can fail.
    expect(validate({ ...document, asyncapi: '3.0.0', channels: { alert: { address: 5 } } })).toBe(false);
  });
});

test('every message that is really sent is described, and is as described', async () => {
  const broker = keep(await startAedes());
  const consumer = keep(await startConsumer(broker.url, 4, ['slothd/#']));
  const delivery = new Delivery({
    settings: settingsFor(broker.url),
    node: 'pi',
    version: '1.0.0',
    sensors: ['chest'],
    clock: realClock,
    timers: realTimers,
    store: createMemoryStore(),
    log: collectLog().log,
  });
  afterwards(() => delivery.stop());
  delivery.onCommand(() => ({ pong: true }));
  await delivery.start();
  await until(() => delivery.stats().connected, 'the connection');
  delivery.about({ version: '1.0.0', models: [], limits: { 'tachycardia.aboveBpm': 150 } });
  delivery.health({
    ready: false,
    reasons: ['broker: away'],
    latency: { decode: { count: 0, p50Ms: null, p99Ms: null } },
    memory: { rssBytes: 1 },
    cpu: { share: null },
    temperatureC: null,
    throttled: null,
  });
  delivery.sensorAvailability('chest', true);
  delivery.alarms('chest', [change('a-1')]);
  delivery.vitals('chest', { hrBpm: null, rrMs: [], rhythm: 'unknown', quality: 'none', contact: null });
  delivery.alert(change('a-1'), { arrivedAtMs: performance.now() }, []);
  delivery.alert({ ...change('t-1'), kind: 'test', values: {} }, { arrivedAtMs: null }, []);
  delivery.alert(
    change('a-1', {
      event: 'end',
      sequence: 2,
      endedMs: 5000,
      evidence: { signal: { startAtMs: 0, rateHz: 250, unit: 'mV', samples: [0, Number.NaN] } },
      model: { name: 'beat-ecg', sha256: 'ab'.repeat(32), precision: 'int8', score: 0.93 },
    }),
    { arrivedAtMs: null },
    [],
  );
  await consumer.client.publishAsync('slothd/pi/cmd/ping', '{"requestId":1}', { qos: 1 });
  await until(() => consumer.on('slothd/pi/response/ping').length === 1 && consumer.alerts().length === 3, 'all of it');

  const ajv = new Ajv({ strict: false, allErrors: true });
  format(ajv);
  const topics = Object.values(document.channels)
    .filter(({ address }) => address.startsWith('slothd/'))
    .map(({ address, messages }) => {
      const pattern = new RegExp(`^${address.replaceAll(/\{\w+\}/g, '[^/]+')}$`);
      const name = Object.keys(messages)[0]!;
      return { pattern, address, name, ...document.components.messages[name]! };
    });
  const used = new Set<string>();
  const compiled = new Map<string, ValidateFunction>();
  for (const { topic, text: payload, packet } of consumer.heard) {
    const found = topics.find(({ pattern }) => pattern.test(topic));
    expect(found, `${topic} is described`).toBeDefined();
    used.add(found!.name);
    const value: unknown = found!.contentType === 'text/plain' ? payload : JSON.parse(payload);
    const { name, payload: described } = found!;
    const validate = compiled.get(name) ?? ajv.compile(described.schema);
    compiled.set(name, validate);
    validate(value);
    expect(validate.errors ?? [], `${topic} ${payload}`).toEqual([]);
    const operation = Object.values(document.operations).find(
      ({ channel, action }) => action === 'send' && channel.$ref === `#/channels/${found!.name}`,
    );
    if (operation) expect(packet.qos, topic).toBe(operation.bindings.mqtt?.qos);
  }
  expect([...used].sort()).toEqual(
    ['about', 'alarms', 'alert', 'answer', 'availability', 'command', 'health', 'sensorAvailability', 'vitals'].sort(),
  );
});

test('the schema files in config/ are valid JSON Schema 2020-12', () => {
  const files = ['about', 'alarms', 'alert', 'answer', 'availability', 'health', 'vitals'];
  for (const file of files) {
    const ajv = new Ajv2020({ strict: false });
    format(ajv as never);
    const schema = JSON.parse(readFileSync(join(root, `config/${file}.schema.json`), 'utf8')) as object;
    expect(ajv.validateSchema(schema), file).toBe(true);
    ajv.compile(schema);
  }
});

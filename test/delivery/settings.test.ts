import { describe, expect, test } from 'vitest';
import { homeAssistantSchema } from '../../src/config/home-assistant.js';
import { mqttSchema } from '../../src/config/mqtt.js';

describe('the section mqtt', () => {
  test('works empty', () => {
    expect(mqttSchema.parse({})).toMatchObject({
      enabled: true,
      url: 'mqtt://localhost:1883',
      baseTopic: 'slothd',
      protocol: 'auto',
      outbox: { inFlight: 32 },
    });
  });

  const wrong: Array<[string, unknown, RegExp]> = [
    ['an unknown key', { uri: 'x' }, /uri/],
    ['no URL', { url: 'localhost:1883' }, /mqtt:\/\/localhost:1883/],
    ['a secret in the URL', { url: 'mqtt://me:word@host' }, /passwordFile/],
    ['a password without a user', { passwordFile: '/x' }, /needs a username/],
    ['a certificate without its key', { tls: { certFile: '/x' } }, /come together/],
    ['a wildcard in the base topic', { baseTopic: 'a/+/b' }, /without \+ #/],
    ['waits upside down', { reconnectMinMs: 5000, reconnectMaxMs: 100 }, /reconnectMaxMs/],
    ['an outbox too small to hold an alert', { outbox: { maxBytes: 10 } }, /65536/],
  ];
  test.each(wrong)('refuses %s', (_what, value, words) => {
    const result = mqttSchema.safeParse(value);
    expect(result.success).toBe(false);
    expect(JSON.stringify(result.error?.issues)).toMatch(words);
  });

  test('takes base topics of one letter and of several levels', () => {
    for (const baseTopic of ['s', 'ward/3/slothd']) expect(mqttSchema.parse({ baseTopic }).baseTopic).toBe(baseTopic);
  });

  test('every setting is described', () => {
    const walk = (schema: Record<string, unknown>, path: string) => {
      for (const [key, value] of Object.entries((schema.properties ?? {}) as Record<string, Record<string, unknown>>)) {
        expect(value.description, `${path}.${key}`).toBeTruthy();
        walk(value, `${path}.${key}`);
      }
    };
    walk(mqttSchema.toJSONSchema({ io: 'input' }) as Record<string, unknown>, 'mqtt');
    walk(homeAssistantSchema.toJSONSchema({ io: 'input' }) as Record<string, unknown>, 'homeAssistant');
  });
});

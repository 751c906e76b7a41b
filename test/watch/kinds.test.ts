import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { alarmSettingsSchema } from '../../src/config/alarms.js';
import { discoveryPayload } from '../../src/delivery/home-assistant.js';
import { Topics } from '../../src/delivery/topics.js';
import { HEALTH_KINDS, TECHNICAL_KINDS, TEST_KIND } from '../../src/domain/alert.js';
import { ASSET_PATHS } from '../../src/watch/dashboard/assets.js';

/** Every kind of alert is known wherever a person may meet it: who adds one is told what is missing. */

const ROOT = join(import.meta.dirname, '../..');
const KINDS = [...HEALTH_KINDS, ...TECHNICAL_KINDS];
const read = (path: string) => readFileSync(join(ROOT, path), 'utf8');
/** Kinds in the first column of the tables of docs/alarms.md. */
const documented = [...read('docs/alarms.md').matchAll(/^\| `([a-z-]+)` \(/gm)].map(([, kind]) => kind);

describe('kinds of alerts', () => {
  it('the dashboard explains each of them, and the test alert', async () => {
    const page = '../../src/watch/dashboard/page/kinds.js';
    const { explanation } = (await import(page)) as { explanation(kind: string): string };
    expect(ASSET_PATHS).toContain('/kinds.js');
    for (const kind of [...KINDS, TEST_KIND]) expect(explanation(kind), kind).toMatch(/^[A-Z].{15,}\.$/);
    expect(new Set([...KINDS, TEST_KIND].map(explanation)).size).toBe(KINDS.length + 1);
    expect(explanation('constructor-of-nothing')).toBe('');
  });

  it('Home Assistant has a binary sensor for each', () => {
    const { components } = JSON.parse(discoveryPayload('pi', 'chest', '0', new Topics('slothd', 'pi'))) as {
      components: Record<string, { name: string; value_template: string }>;
    };
    const told = Object.keys(components).filter((key) => key.startsWith('alert_'));
    expect(told.sort()).toEqual(KINDS.map((kind) => `alert_${kind.replaceAll('-', '_')}`).sort());
    for (const kind of KINDS)
      expect(components[`alert_${kind.replaceAll('-', '_')}`]?.value_template).toContain(`'eq', '${kind}'`);
  });

  it('docs/alarms.md has a row for each, config has settings for each, the schema knows it', () => {
    expect([...documented].sort()).toEqual([...KINDS].sort());
    const settings = Object.keys(alarmSettingsSchema.parse({}));
    for (const kind of KINDS) expect(settings, kind).toContain(kind);
    const schema = read('config/alert.schema.json');
    for (const kind of [...KINDS, TEST_KIND]) expect(schema, kind).toContain(`"${kind}"`);
  });
});

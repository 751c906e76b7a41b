import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { alarmSettingsSchema } from '../../src/config/alarms.js';

interface Node {
  properties?: Record<string, Node>;
  description?: string;
  default?: unknown;
  type?: string;
}

describe('alarm settings', () => {
  it('every field has a default and a description', () => {
    const root = z.toJSONSchema(alarmSettingsSchema, { io: 'input' }) as Node;
    const lacking: string[] = [];
    const walk = (node: Node, path: string) => {
      for (const [name, child] of Object.entries(node.properties ?? {})) {
        const here = path ? `${path}.${name}` : name;
        if (!child.description) lacking.push(`${here}: description`);
        if (child.default === undefined) lacking.push(`${here}: default`);
        walk(child, here);
      }
    };
    walk(root, '');
    expect(lacking).toEqual([]);
    expect(Object.keys(root.properties ?? {}).length).toBeGreaterThan(15);
  });

  it('refuses unknown keys, wrong units and thresholds that cross', () => {
    expect(alarmSettingsSchema.safeParse({ tachycardia: { above: 120 } }).success).toBe(false);
    expect(alarmSettingsSchema.safeParse({ asystole: { afterMs: 4 } }).success).toBe(false);
    const crossed = alarmSettingsSchema.safeParse({ 'atrial-fibrillation': { on: 0.2 } });
    expect(crossed.error?.issues[0]?.path).toEqual(['atrial-fibrillation', 'off']);
  });

  it('is stable: what it gives out it takes in again', () => {
    const settings = alarmSettingsSchema.parse({ bradycardia: { belowBpm: 50 } });
    expect(alarmSettingsSchema.parse(settings)).toEqual(settings);
  });
});

import { readFileSync } from 'node:fs';
import mqtt from 'mqtt';
import { expect } from 'vitest';
import { z } from 'zod';
import { afterwards } from './world.js';

/** An alert as `docs` describe it to whoever writes a consumer; written down here anew, not imported. */
export interface AlertEvent {
  readonly schema: string;
  readonly id: string;
  readonly event: 'new' | 'update' | 'end';
  readonly sequence: number;
  readonly kind: string;
  readonly priority: string;
  readonly category: string;
  readonly sensor: string;
  readonly onsetAt: string;
  readonly raisedAt: string;
  readonly endedAt: string | null;
  readonly values: Readonly<Record<string, unknown>>;
  readonly evidence: { readonly rrMs?: readonly number[]; readonly signal?: { readonly samples: readonly number[] } };
  readonly model: { readonly name: string; readonly sha256: string; readonly precision: string } | null;
  readonly latencyMs: number | null;
  readonly replayed: boolean;
}

const SCHEMAS = ['about', 'alarms', 'alert', 'health', 'vitals'] as const;

const schemas = new Map(
  SCHEMAS.map((name) => {
    const file = new URL(`../../../config/${name}.schema.json`, import.meta.url);
    return [name, z.fromJSONSchema(JSON.parse(readFileSync(file, 'utf8')))];
  }),
);

/** Checks one message against the published schema of its topic. */
export function checkMessage(topic: string, text: string): void {
  const leaf = topic.split('/').at(-1) ?? '';
  if (leaf === 'availability') {
    expect(['online', 'offline'], topic).toContain(text);
    return;
  }
  const schema = schemas.get(leaf as (typeof SCHEMAS)[number]);
  if (schema) expect(schema.safeParse(JSON.parse(text)).error?.issues, `${topic} ${text}`).toBeUndefined();
}

export interface Message {
  readonly topic: string;
  readonly text: string;
  readonly retain: boolean;
  readonly qos: number;
}

/** A program of somebody else's: knows MQTT and the contract, nothing of slothd's code. */
export async function subscribe(url: string, node: string) {
  const root = `slothd/${node}`;
  const messages: Message[] = [];
  const client = mqtt.connect(url, { clientId: `somebody-${Math.random()}`, reconnectPeriod: 50 });
  client.on('error', () => undefined);
  client.on('message', (topic, payload, { retain, qos }) => {
    messages.push({ topic, text: payload.toString(), retain, qos });
  });
  afterwards(() => client.endAsync(true));
  await new Promise<void>((resolve) => client.once('connect', () => resolve()));
  await client.subscribeAsync([`${root}/#`, 'homeassistant/#'], { qos: 1 });
  const alerts = (): AlertEvent[] =>
    messages.filter(({ topic }) => topic.endsWith('/alert')).map(({ text }) => JSON.parse(text) as AlertEvent);
  return {
    messages,
    alerts,
    client,
    /** Alerts with what was delivered twice left out, by (id, sequence). */
    distinct(): AlertEvent[] {
      const seen = new Set<string>();
      return alerts().filter(({ id, sequence }) => {
        const key = `${id} ${sequence}`;
        return !seen.has(key) && seen.add(key);
      });
    },
    last: (leaf: string) => messages.findLast(({ topic }) => topic === `${root}/${leaf}`)?.text,
    checkAll(): void {
      for (const { topic, text } of messages) if (topic.startsWith(`${root}/`)) checkMessage(topic, text);
    },
    close: () => client.endAsync(true),
  };
}

/** Every alert began once, counted its events without a gap and, where `ended`, ended once and last. */
export function checkLives(alerts: readonly AlertEvent[], ended = true): void {
  for (const id of new Set(alerts.map((alert) => alert.id))) {
    const events = alerts.filter((alert) => alert.id === id);
    expect(events.map(({ sequence }) => sequence)).toEqual(events.map((_, i) => i + 1));
    const names = events.map(({ event }) => event);
    expect(names[0]).toBe('new');
    expect(names.filter((name) => name === 'new')).toHaveLength(1);
    if (!ended) continue;
    expect(names.at(-1), `${events[0]?.kind} ended`).toBe('end');
    expect(names.filter((name) => name === 'end')).toHaveLength(1);
    expect(events.at(-1)?.endedAt).not.toBeNull();
  }
}

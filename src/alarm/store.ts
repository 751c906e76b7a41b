import { HEALTH_KINDS, TECHNICAL_KINDS } from '../domain/alert.js';
import type { StoreWrite } from '../domain/store.js';
import { type AlarmSnapshot, openAlertSchema, snoozeSchema } from './snapshot.js';

/** Key prefix of one sensor's alarms; the name is escaped so that no sensor's keys can stand below another's. */
export function alarmPrefix(sensor: string): string {
  return `alarms/${encodeURIComponent(sensor)}/`;
}

/**
 * A snapshot as store writes, at most one key per kind and sort; what is no longer open is deleted. Written in the same
 * batch as the alert it tells of, an alert and its state are on the disk together or not at all.
 */
export function alarmWrites(sensor: string, snapshot: AlarmSnapshot): StoreWrite[] {
  const prefix = alarmPrefix(sensor);
  return [...HEALTH_KINDS, ...TECHNICAL_KINDS].flatMap((kind) => {
    const alert = snapshot.alerts.find((a) => a.kind === kind);
    const snooze = snapshot.snoozes.find((s) => s.kind === kind);
    return [
      { key: `${prefix}open/${kind}`, value: alert ? JSON.stringify(alert) : null },
      { key: `${prefix}snooze/${kind}`, value: snooze ? JSON.stringify(snooze) : null },
    ];
  });
}

/** What was read back. `damaged` lists keys whose value made no sense: they were left out. */
export interface ReadAlarms {
  readonly snapshot: AlarmSnapshot;
  readonly damaged: readonly string[];
}

/** Entries of `scan(alarmPrefix(sensor))` back to a snapshot. Never throws on what it reads. */
export function readAlarms(entries: Iterable<readonly [key: string, value: string]>): ReadAlarms {
  const alerts = new Map<string, AlarmSnapshot['alerts'][number]>();
  const snoozes = new Map<string, AlarmSnapshot['snoozes'][number]>();
  const damaged: string[] = [];
  for (const [key, value] of entries) {
    const parsed = parseJson(value);
    const alert = key.includes('/open/') ? openAlertSchema.safeParse(parsed) : null;
    const snooze = key.includes('/snooze/') ? snoozeSchema.safeParse(parsed) : null;
    if (alert?.success && key.endsWith(`/open/${alert.data.kind}`)) alerts.set(alert.data.kind, alert.data);
    else if (snooze?.success && key.endsWith(`/snooze/${snooze.data.kind}`)) {
      snoozes.set(snooze.data.kind, snooze.data);
    } else damaged.push(key);
  }
  return { snapshot: { alerts: [...alerts.values()], snoozes: [...snoozes.values()] }, damaged };
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

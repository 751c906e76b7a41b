import { HEALTH_KINDS, TECHNICAL_KINDS } from '../domain/alert.js';
import type { StoreWrite } from '../domain/store.js';
import { type AlarmSnapshot, openAlertSchema, snoozeSchema } from './snapshot.js';

/** Key prefix of one sensor's alarms; the name is escaped so that no sensor's keys can stand below another's. */
export function alarmPrefix(sensor: string): string {
  return `alarms/${encodeURIComponent(sensor)}/`;
}

/**
 * What the store has of one sensor's alarms: at most one key per kind and sort. Only what differs is written, and the
 * first time everything: nobody knows what is there. Written in the same batch as the alert it tells of, an alert and its
 * state are on the disk together or not at all.
 */
export class AlarmBook {
  private readonly prefix: string;
  /** As last written, by key; null: deleted. */
  private readonly written = new Map<string, string | null>();

  constructor(sensor: string) {
    this.prefix = alarmPrefix(sensor);
  }

  /** What makes the store's state this one. To be written, in the order of the calls: it counts as done. */
  writes(snapshot: AlarmSnapshot): StoreWrite[] {
    const out: StoreWrite[] = [];
    const put = (key: string, state: object | undefined) => {
      const value = state ? JSON.stringify(state) : null;
      if (this.written.get(key) === value) return;
      this.written.set(key, value);
      out.push({ key, value });
    };
    for (const kind of [...HEALTH_KINDS, ...TECHNICAL_KINDS]) {
      put(
        `${this.prefix}open/${kind}`,
        snapshot.alerts.find((alert) => alert.kind === kind),
      );
      put(
        `${this.prefix}snooze/${kind}`,
        snapshot.snoozes.find((snooze) => snooze.kind === kind),
      );
    }
    return out;
  }
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

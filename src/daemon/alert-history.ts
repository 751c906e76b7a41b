import { z } from 'zod';
import { type AlertChange, type Announcement, type Evidence, type ModelRef, TEST_KIND } from '../domain/alert.js';
import type { StreamMs } from '../domain/clock.js';
import type { KeyValueStore, StoreWrite } from '../domain/store.js';
import { type AlertQuery, matches } from './alert-query.js';

const shownAlertSchema = z.object({
  id: z.string(),
  kind: z.string(),
  sensor: z.string(),
  priority: z.string(),
  category: z.string(),
  event: z.string(),
  onsetAt: z.string(),
  raisedAt: z.string(),
  endedAt: z.string().nullable(),
  values: z.record(z.string(), z.union([z.number(), z.string(), z.boolean()])),
  model: z
    .object({ name: z.string(), sha256: z.string(), precision: z.string(), score: z.number().optional() })
    .nullable(),
  acknowledgedUntil: z.string().nullable(),
});

/** An alert as the dashboard and the command line show it: its newest event, in wall-clock time. */
export interface ShownAlert {
  readonly id: string;
  readonly kind: string;
  readonly sensor: string;
  readonly priority: string;
  readonly category: string;
  readonly event: string;
  readonly onsetAt: string;
  readonly raisedAt: string;
  readonly endedAt: string | null;
  readonly values: AlertChange['values'];
  readonly model: ModelRef | null;
  /** Until when somebody has said to have seen it; null: nobody has. */
  readonly acknowledgedUntil: string | null;
}

/** An alert with what led to it, which is too much to send with every list. */
export interface AlertDetails extends ShownAlert {
  readonly evidence: Evidence;
}

export interface AlertHistoryOptions {
  readonly maxAlerts: number;
  /** Of what is stored. */
  readonly maxBytes: number;
}

interface Entry {
  shown: ShownAlert;
  /** Its place in the store: by the time it was first told of. */
  readonly key: string;
  shownBytes: number;
  evidenceBytes: number;
}

const PREFIX = 'history/alert/';
const EVIDENCE_PREFIX = 'history/evidence/';
const TESTS_KEPT = 20;
/** Evidence held in memory: of the newest, which somebody is about to look at. */
const EVIDENCE_IN_MEMORY = 50;

/** The last alerts, newest first, open ones among them: in memory, and in the store for the next start. */
export class AlertHistory {
  private readonly alerts = new Map<string, Entry>();
  private readonly evidence = new Map<string, Evidence>();
  private writes: StoreWrite[] = [];
  private bytes = 0;
  private lastKeyMs = 0;

  constructor(private readonly options: AlertHistoryOptions = { maxAlerts: 1000, maxBytes: 16e6 }) {}

  /** Takes up what an earlier run remembered. Entries that make no sense are left out; returns how many. */
  async load(store: Pick<KeyValueStore, 'scan'>): Promise<number> {
    let damaged = 0;
    const sizes = new Map<string, number>();
    for await (const [key, value] of store.scan(EVIDENCE_PREFIX)) {
      sizes.set(key.slice(EVIDENCE_PREFIX.length), value.length);
    }
    for await (const [key, value] of store.scan(PREFIX)) {
      const parsed = shownAlertSchema.safeParse(parseJson(value));
      if (!parsed.success) {
        damaged++;
        this.writes.push({ key, value: null });
        continue;
      }
      const place = key.slice(PREFIX.length);
      const entry = {
        shown: parsed.data as ShownAlert,
        key: place,
        shownBytes: value.length,
        evidenceBytes: sizes.get(place) ?? 0,
      };
      this.bytes += entry.shownBytes + entry.evidenceBytes;
      this.alerts.set(parsed.data.id, entry);
      this.lastKeyMs = Math.max(this.lastKeyMs, Number.parseInt(place, 10) || 0);
    }
    return damaged;
  }

  add(change: Announcement, toWallMs: (tMs: StreamMs) => number): ShownAlert {
    const at = (tMs: StreamMs) => new Date(toWallMs(tMs)).toISOString();
    const { id, kind, sensor, priority, category, event, values } = change;
    const before = this.alerts.get(id);
    const shown: ShownAlert = {
      id,
      kind,
      sensor,
      priority,
      category,
      event,
      onsetAt: at(change.onsetMs),
      raisedAt: at(change.raisedMs),
      endedAt: change.endedMs === null ? null : at(change.endedMs),
      values,
      model: change.model,
      acknowledgedUntil: change.endedMs === null ? (before?.shown.acknowledgedUntil ?? null) : null,
    };
    const entry = before ?? {
      shown,
      key: this.nextKey(toWallMs(change.raisedMs), id),
      shownBytes: 0,
      evidenceBytes: 0,
    };
    this.alerts.delete(id);
    this.alerts.set(id, entry);
    this.put(entry, shown);
    // The waveform travels with the first event only.
    if (change.evidence.signal || entry.evidenceBytes === 0) this.keepEvidence(entry, change.evidence);
    if (kind === TEST_KIND) this.forgetOldTests();
    this.makeRoom();
    return shown;
  }

  /** Somebody acknowledged it; its place in the list stays. Returns the alert where that is news. */
  acknowledge(id: string, until: string | null): ShownAlert | null {
    const entry = this.alerts.get(id);
    if (!entry || entry.shown.acknowledgedUntil === until) return null;
    const shown = { ...entry.shown, acknowledgedUntil: until };
    this.put(entry, shown);
    return shown;
  }

  /** Whether an alert is remembered, and over. */
  hasEnded(id: string): boolean {
    return (this.alerts.get(id)?.shown.endedAt ?? null) !== null;
  }

  /** What has changed since the last call, for the store. */
  takeWrites(): StoreWrite[] {
    const { writes } = this;
    this.writes = [];
    return writes;
  }

  /** One alert with its evidence; null where it is not remembered. */
  async details(id: string, store: Pick<KeyValueStore, 'scan'>): Promise<AlertDetails | null> {
    const entry = this.alerts.get(id);
    if (!entry) return null;
    const held = this.evidence.get(id);
    if (held) return { ...entry.shown, evidence: held };
    for await (const [, value] of store.scan(EVIDENCE_PREFIX + entry.key)) {
      return { ...entry.shown, evidence: (parseJson(value) ?? {}) as Evidence };
    }
    return { ...entry.shown, evidence: {} };
  }

  /** Newest first. */
  list(query: AlertQuery = {}): ShownAlert[] {
    const { limit = Number.POSITIVE_INFINITY } = query;
    const out: ShownAlert[] = [];
    for (const { shown } of [...this.alerts.values()].reverse()) {
      if (out.length >= limit) break;
      if (matches(shown, query)) out.push(shown);
    }
    return out;
  }

  private put(entry: Entry, shown: ShownAlert): void {
    const value = JSON.stringify(shown);
    this.bytes += value.length - entry.shownBytes;
    entry.shown = shown;
    entry.shownBytes = value.length;
    this.writes.push({ key: PREFIX + entry.key, value });
  }

  private keepEvidence(entry: Entry, evidence: Evidence): void {
    const value = JSON.stringify(evidence);
    this.bytes += value.length - entry.evidenceBytes;
    entry.evidenceBytes = value.length;
    this.writes.push({ key: EVIDENCE_PREFIX + entry.key, value });
    const { id } = entry.shown;
    this.evidence.delete(id);
    this.evidence.set(id, evidence);
    const oldest = this.evidence.keys().next();
    if (this.evidence.size > EVIDENCE_IN_MEMORY && !oldest.done) this.evidence.delete(oldest.value);
  }

  /** The oldest that has ended goes; an open alert is never forgotten. */
  private makeRoom(): void {
    const { maxAlerts, maxBytes } = this.options;
    for (const [id, entry] of this.alerts) {
      if (this.alerts.size <= maxAlerts && this.bytes <= maxBytes) return;
      if (entry.shown.endedAt !== null) this.forget(id, entry);
    }
  }

  /** Tests must not cost real alerts their place: only the newest of them are kept. */
  private forgetOldTests(): void {
    const tests = [...this.alerts].filter(([, { shown }]) => shown.kind === TEST_KIND);
    for (const [id, entry] of tests.slice(0, -TESTS_KEPT)) this.forget(id, entry);
  }

  private forget(id: string, entry: Entry): void {
    this.alerts.delete(id);
    this.evidence.delete(id);
    this.bytes -= entry.shownBytes + entry.evidenceBytes;
    this.writes.push({ key: PREFIX + entry.key, value: null }, { key: EVIDENCE_PREFIX + entry.key, value: null });
  }

  /** In the order of telling, also where the clock was set back in between. */
  private nextKey(wallMs: number, id: string): string {
    this.lastKeyMs = Math.max(this.lastKeyMs + 1, Math.round(Math.max(0, wallMs)));
    return `${String(this.lastKeyMs).padStart(16, '0')}-${id}`;
  }
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

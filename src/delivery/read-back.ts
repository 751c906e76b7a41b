import { z } from 'zod';
import { HEALTH_KINDS, type ListedAlert, TECHNICAL_KINDS } from '../domain/alert.js';
import type { Timers } from '../domain/clock.js';
import type { DeliveryLog } from './log.js';
import { activeAlertSchema } from './payloads.js';

export interface ReadBackOptions {
  /** By topic of a list: whose it is. */
  readonly sensors: ReadonlyMap<string, string>;
  readonly timers: Timers;
  readonly log: DeliveryLog;
  /** Asks the broker for the lists; `answered` is told whether it lets us. */
  readonly ask: (answered: (granted: boolean) => void) => void;
  /** Called once: what an earlier run told of by sensor, for those whose list the broker has. */
  readonly onRead: (lists: ReadonlyMap<string, readonly ListedAlert[]>) => void;
  /** By topic: the sensor of an earlier run whose list that is; null where it is no list. */
  readonly formerOf: (topic: string) => string | null;
  /** The broker has a list of a sensor that is not ours any more; once for each. */
  readonly onFormer: (sensor: string, list: readonly ListedAlert[]) => void;
}

/** A broker may send what it keeps some time after its answer to the subscription. */
const SETTLE_MS = 300;
/** A broker that does not answer at all is not waited for longer than this: fresh alerts are held back meanwhile. */
const PATIENCE_MS = 10_000;
/** After a stall timers are due before what has arrived meanwhile is read: a last look in a turn of its own. */
const LAST_LOOK_MS = 10;
/** Every kind open at once, with its values, is a fifth of this. */
const LIST_MAX_BYTES = 64 * 1024;
/** Somebody else may write lists below our root; so many sensors no device ever lost. */
const MOST_FORMER = 100;

/**
 * The lists of open alerts as an earlier run of ours left them at the broker (retained), read once, on the first connection
 * after a start and before anything is said there; also those of sensors that were taken out of the config since. An alert is sent before it is on the disk; where the process was killed
 * in between, this is where it is found again. Somebody else may have written there, so nothing of it is believed that does
 * not look like ours.
 */
export class ReadBack {
  private state: 'wanted' | 'reading' | 'done' = 'wanted';
  private lists = new Map<string, readonly ListedAlert[]>();
  private connections = 0;
  /** Topics of former sensors that were heard. */
  private readonly former = new Set<string>();
  private cancel = () => {};

  constructor(private readonly options: ReadBackOptions) {}

  /** The broker was asked: until it has answered nothing else should be said. */
  get isReading(): boolean {
    return this.state === 'reading';
  }

  /** Connected, and nothing has been said yet. @returns whether the lists were asked for */
  connected(): boolean {
    if (this.state === 'done') return false;
    this.state = 'reading';
    const connection = ++this.connections;
    this.wait(PATIENCE_MS);
    this.options.ask((granted) => {
      if (this.state !== 'reading' || connection !== this.connections) return;
      if (granted) this.wait(SETTLE_MS);
      else this.finish();
    });
    return true;
  }

  /** The connection ended: the next one is asked, where this one had not answered. */
  disconnected(): void {
    this.cancel();
    if (this.state !== 'reading') return;
    this.state = 'wanted';
    this.lists.clear();
  }

  /** No timer of ours runs after this; what was held back stays so. */
  stop(): void {
    this.cancel();
  }

  /** Takes a message. @returns whether it was one of the lists */
  heard(topic: string, payload: Buffer, retained: boolean): boolean {
    const sensor = this.options.sensors.get(topic);
    if (sensor === undefined) return this.heardOfFormer(topic, payload, retained);
    // Not retained: somebody says it now, and we know better.
    if (this.state !== 'reading' || !retained) return true;
    const list = this.read(topic, payload);
    if (list !== null) this.lists.set(sensor, list);
    if (this.lists.size === this.options.sensors.size) this.finish();
    return true;
  }

  /** Nothing else speaks for such a sensor, so its list may come at any time. */
  private heardOfFormer(topic: string, payload: Buffer, retained: boolean): boolean {
    const sensor = this.options.formerOf(topic);
    if (sensor === null) return false;
    if (!retained || payload.length === 0 || this.former.has(topic) || this.former.size >= MOST_FORMER) return true;
    this.former.add(topic);
    this.options.onFormer(sensor, this.read(topic, payload) ?? []);
    return true;
  }

  private read(topic: string, payload: Buffer): ListedAlert[] | null {
    const list = readList(payload);
    if (list === null)
      this.options.log.warn({ topic }, 'the list of open alerts at the broker makes no sense; ignored');
    return list;
  }

  private wait(ms: number): void {
    this.cancel();
    const { timers } = this.options;
    this.cancel = timers.after(ms - LAST_LOOK_MS, () => {
      this.cancel = timers.after(LAST_LOOK_MS, () => this.finish());
    });
  }

  private finish(): void {
    this.cancel();
    this.state = 'done';
    const { lists } = this;
    this.lists = new Map();
    this.options.onRead(lists);
  }
}

/** Only what we could have written: an id in a log or a path must hold nothing but an id. */
const listedSchema = activeAlertSchema.extend({
  id: z.string().regex(/^[A-Za-z0-9-]{1,64}$/),
  kind: z.enum([...HEALTH_KINDS, ...TECHNICAL_KINDS]),
  sequence: z.number().int().min(1).max(1e6).default(1),
});

/** A retained list; null where it is none. What in it makes no sense, or names a kind twice, is left out. */
export function readList(payload: Buffer): ListedAlert[] | null {
  if (payload.length > LIST_MAX_BYTES) return null;
  let parsed: unknown;
  try {
    parsed = JSON.parse(payload.toString('utf8'));
  } catch {
    return null;
  }
  if (!Array.isArray(parsed)) return null;
  const byKind = new Map<string, ListedAlert>();
  for (const item of parsed) {
    const { success, data } = listedSchema.safeParse(item);
    if (!success || byKind.has(data.kind)) continue;
    const { id, sequence, kind, priority, values } = data;
    byKind.set(kind, {
      id,
      sequence,
      kind,
      priority,
      onsetAtMs: Date.parse(data.onsetAt),
      raisedAtMs: Date.parse(data.raisedAt),
      values: Object.fromEntries(
        Object.entries(values).flatMap(([name, value]) => (value === null ? [] : [[name, value]])),
      ),
    });
  }
  return [...byKind.values()];
}

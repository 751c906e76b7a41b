/** What the outbox keeps, and how it looks on the disk. */

/** Where the outbox keeps its entries; keys sort in the order of adding. */
export const OUTBOX_PREFIX = 'outbox/';

/** Telemetry is shed before any alert and is not written to the disk. */
export type OutboxClass = 'alert' | 'telemetry';

/** What goes in. `body` is the JSON object to send, less the fields that are known only at the moment of sending. */
export interface OutboxMessage {
  /** Order is kept among the messages with the same word here: a sensor, or one kind of message of a sensor. */
  readonly sensor: string;
  readonly topic: string;
  readonly class: OutboxClass;
  /** JSON text of an object. */
  readonly body: string;
  /** Monotonic time at which the bytes that caused it arrived; null where no bytes did. */
  readonly arrivedAtMs: number | null;
  /** No alarm, so it goes once it is on the disk; left out: it goes at once. */
  readonly afterDisk?: boolean;
  /** Goes before all that waits of its sensor: it is about what was sent before that. */
  readonly first?: boolean;
}

/** A message with its place in the outbox. */
export interface Entry extends OutboxMessage {
  readonly seq: number;
  readonly key: string;
  readonly bytes: number;
  /** Odometer (see `odometerMs`) at which it was added. */
  readonly addedAtMs: number;
  replayed: boolean;
  losses: number;
  refusals: number;
  /** The disk has not answered yet, and it may wait for that. */
  awaitsDisk: boolean;
  /** To be called once, when it was handed over or the disk has answered, whichever comes first; null: it was. */
  onKept: (() => void) | null;
}

/** The stored form of an entry. */
export function formatEntry(entry: Entry): string {
  const { seq, sensor, topic, body, addedAtMs } = entry;
  return JSON.stringify({ v: 1, seq, sensor, topic, addedAtMs: Math.round(addedAtMs), body });
}

/** Reads a stored entry back; null where it is none. */
export function parseEntry(key: string, text: string): Entry | null {
  try {
    const raw = JSON.parse(text) as Record<string, unknown>;
    const { v, seq, sensor, topic, addedAtMs, body } = raw;
    if (v !== 1 || typeof seq !== 'number' || typeof addedAtMs !== 'number') return null;
    if (typeof sensor !== 'string' || typeof topic !== 'string' || typeof body !== 'string') return null;
    const bytes = body.length + topic.length + 64;
    // Monotonic times of an earlier run mean nothing now.
    const message = { sensor, topic, class: 'alert', body, arrivedAtMs: null } as const;
    const sent = { replayed: true, losses: 0, refusals: 0, awaitsDisk: false, onKept: null };
    return { ...message, ...sent, seq, key, bytes, addedAtMs };
  } catch {
    return null;
  }
}

import type { DeliveryLog } from './log.js';
import type { Entry, OutboxClass } from './outbox-entry.js';
import type { SensorQueue } from './sensor-queue.js';

export interface OutboxBoundsOptions {
  readonly queues: ReadonlyMap<string, SensorQueue>;
  readonly maxBytes: number;
  readonly maxAgeMs: number;
  readonly log: DeliveryLog;
  /** Hears of an entry that was given up. */
  readonly onShed: (entry: Entry) => void;
  /** Alerts had to be given up, or there is room again. Never called from inside `enforce`. */
  readonly onFull?: ((state: { full: boolean; shedAlerts: number }) => void) | undefined;
}

/** Telemetry may fill at most this share, so that it never costs an alert its place. */
const TELEMETRY_SHARE = 0.5;
/** `full` ends when the load falls below this share: no flapping at the bound. */
const ROOM_SHARE = 0.8;

/** What the outbox holds, counted, and kept within its bounds: telemetry is given up before any alert, the oldest first. */
export class OutboxBounds {
  entries = 0;
  bytes = 0;
  full = false;
  shedAlerts = 0;
  shedTelemetry = 0;
  private telemetryBytes = 0;

  constructor(private readonly options: OutboxBoundsOptions) {}

  count(entry: Entry): void {
    this.entries++;
    this.bytes += entry.bytes;
    if (entry.class === 'telemetry') this.telemetryBytes += entry.bytes;
  }

  discount(entry: Entry): void {
    this.entries--;
    this.bytes -= entry.bytes;
    if (entry.class === 'telemetry') this.telemetryBytes -= entry.bytes;
    if (this.full && this.bytes < this.options.maxBytes * ROOM_SHARE) this.tellFull(false);
  }

  /** @param nowMs on the clock of `addedAtMs` */
  enforce(nowMs: number): void {
    const { maxBytes, maxAgeMs, queues } = this.options;
    while (this.telemetryBytes > maxBytes * TELEMETRY_SHARE && this.shedOldest('telemetry')) {}
    while (this.bytes > maxBytes && this.shedOldest('telemetry')) {}
    let alertsShed = false;
    while (this.bytes > maxBytes && this.shedOldest('alert')) alertsShed = true;
    if (alertsShed && !this.full) this.tellFull(true);
    for (const queue of queues.values()) {
      while (queue.head && queue.head.addedAtMs < nowMs - maxAgeMs) this.shed(queue, 0);
    }
  }

  private shedOldest(kind: OutboxClass): boolean {
    let found: SensorQueue | null = null;
    let foundAt = 0;
    let foundSeq = Number.POSITIVE_INFINITY;
    for (const queue of this.options.queues.values()) {
      const at = queue.oldestOf(kind);
      const seq = queue.at(at)?.seq ?? Number.POSITIVE_INFINITY;
      if (seq < foundSeq) {
        found = queue;
        foundAt = at;
        foundSeq = seq;
      }
    }
    if (found === null) return false;
    this.shed(found, foundAt);
    return true;
  }

  private shed(queue: SensorQueue, at: number): void {
    const entry = queue.removeAt(at);
    if (!entry) return;
    if (entry.class === 'alert') {
      this.shedAlerts++;
      // The first and then every hundredth: a full outbox must not fill the log as well.
      if (this.shedAlerts % 100 === 1) {
        this.options.log.error(
          { sensor: entry.sensor, topic: entry.topic, shedAlerts: this.shedAlerts },
          'an alert was given up: it waited too long or the outbox is full',
        );
      }
    } else {
      this.shedTelemetry++;
    }
    this.discount(entry);
    this.options.onShed(entry);
  }

  private tellFull(full: boolean): void {
    this.full = full;
    const { shedAlerts } = this;
    // Not from inside `enforce`: who listens will want to add the alert that says so.
    queueMicrotask(() => this.options.onFull?.({ full, shedAlerts }));
  }
}

import { randomBytes } from 'node:crypto';
import type { Clock, Timers } from '../domain/clock.js';
import type { KeyValueStore, StoreWrite } from '../domain/store.js';
import type { DeliveryLog } from './log.js';
import {
  type Entry,
  formatEntry,
  OUTBOX_PREFIX,
  type OutboxClass,
  type OutboxMessage,
  parseEntry,
} from './outbox-entry.js';
import type { StoreQueue } from './store-queue.js';

/** How a message that was handed over ended. `refused`: the broker said no; `undeliverable`: it can never be sent. */
export type SendOutcome = 'acked' | 'lost' | 'refused' | 'undeliverable';

/** Writes that go with a message; a function is asked only after the message is on the socket. */
export type MoreWrites = readonly StoreWrite[] | (() => readonly StoreWrite[]);

/** What the outbox hands to the link. */
export interface OutboxItem extends OutboxMessage {
  /** True when it waited for the broker or comes from an earlier run. */
  readonly replayed: boolean;
  /** How often a connection broke with this message on its way. */
  readonly losses: number;
}

/** Hands a message to the socket. False where nothing can be taken now; `done` is then never called. */
export type SendNow = (item: OutboxItem, done: (outcome: SendOutcome) => void) => boolean;

export interface OutboxSettings {
  readonly maxBytes: number;
  readonly maxAgeMs: number;
  readonly replayPerSecond: number;
}

export interface OutboxStats {
  readonly entries: number;
  readonly bytes: number;
  readonly inFlight: number;
  /** How long the oldest entry has been here, ms; 0 where there is none. */
  readonly oldestAgeMs: number;
  readonly full: boolean;
  readonly shedAlerts: number;
  readonly shedTelemetry: number;
  readonly refused: number;
  readonly undeliverable: number;
  readonly replayed: number;
  /** Entries of an earlier run found at the start. */
  readonly restored: number;
  /** Stored entries that could not be understood. */
  readonly unreadable: number;
  readonly storeFailures: number;
}

export interface OutboxOptions {
  readonly store: KeyValueStore;
  /** Where writes go; shared where several outboxes keep their entries in one store. */
  readonly queue: StoreQueue;
  /** What the keys of its entries start with. */
  readonly prefix?: string;
  readonly clock: Clock;
  readonly timers: Timers;
  readonly settings: OutboxSettings;
  readonly log: DeliveryLog;
  readonly send: SendNow;
  /** The hard bound was reached and alerts were given up, or there is room again. Never called from inside `add`. */
  readonly onFull?: (state: { full: boolean; shedAlerts: number }) => void;
}

interface SensorQueue {
  /** Waiting entries, oldest first. */
  readonly waiting: Entry[];
  /** How many of `waiting` are fresh: added while the link was up. */
  fresh: number;
  /** After a refusal: nothing goes out for this sensor until then (monotonic). */
  holdUntilMs: number;
  /** Refusals in a row. */
  refusals: number;
}

/** Telemetry may fill at most this share, so that it never costs an alert its place. */
const TELEMETRY_SHARE = 0.5;
/** `full` ends when the load falls below this share: no flapping at the bound. */
const ROOM_SHARE = 0.8;
/** A refusal holds a sensor's messages for so long, twice as long each time in a row: an access rule does not change in seconds. */
const REFUSAL_HOLD_MS = { first: 5_000, longest: 60_000 } as const;
const REPLAY_BURST = 10;
const AGE_SWEEP_MS = 60_000;

/**
 * Alerts on their way to the broker. An alert is handed to the socket and to the disk at the same time; it is forgotten
 * only when the broker has acknowledged it, so that at any moment either the broker has it or the disk has it (or the
 * process lived less than one fsync after raising it). Order is kept per sensor; nothing waits for another sensor.
 *
 * Fresh alerts go at once. What waited (broker away, earlier run, broken connection) goes again marked `replayed`,
 * oldest first at `replayPerSecond`; only where a fresh alert of the same sensor waits behind it, it goes as fast as the
 * link takes it, because order is kept.
 */
export class Outbox {
  private readonly queue: StoreQueue;
  private readonly prefix: string;
  private readonly sensors = new Map<string, SensorQueue>();
  private readonly inFlight = new Set<Entry>();
  /** Makes keys of this run differ from any left by an earlier one, even where those cannot be read. */
  private readonly run = randomBytes(3).toString('hex');
  private early: Array<{ message: OutboxMessage; extra: readonly StoreWrite[] }> | null = [];
  private linkUp = false;
  private seq = 0;
  private bytes = 0;
  private telemetryBytes = 0;
  private entries = 0;
  private odometerBaseMs: number;
  private tokens = REPLAY_BURST;
  private tokensAtMs: number;
  private cancelWake: (() => void) | null = null;
  private cancelSweep: (() => void) | null = null;
  private full = false;
  private shedAlerts = 0;
  private shedTelemetry = 0;
  private refused = 0;
  private undeliverable = 0;
  private replayed = 0;
  private restored = 0;
  private unreadable = 0;

  constructor(private readonly options: OutboxOptions) {
    this.queue = options.queue;
    this.prefix = options.prefix ?? OUTBOX_PREFIX;
    this.tokensAtMs = options.clock.monotonicMs();
    this.odometerBaseMs = -this.tokensAtMs;
  }

  /** Takes up what an earlier run left. Messages added before this has finished are kept behind it, in order. */
  async load(): Promise<void> {
    let oldestRunMs = 0;
    try {
      for await (const [key, value] of this.options.store.scan(this.prefix)) {
        const entry = parseEntry(key, value);
        if (entry === null) {
          this.unreadable++;
          this.queue.remove(key);
          continue;
        }
        this.seq = Math.max(this.seq, entry.seq);
        oldestRunMs = Math.max(oldestRunMs, entry.addedAtMs);
        this.restored++;
        this.enqueue(entry);
      }
    } catch (error) {
      this.options.log.error({ err: error }, 'the outbox of the earlier run could not be read to its end');
    }
    if (this.unreadable > 0) {
      this.options.log.error({ entries: this.unreadable }, 'unreadable entries in the outbox were dropped');
    }
    if (this.restored > 0) {
      this.options.log.info({ entries: this.restored }, 'alerts of an earlier run are sent again');
    }
    this.odometerBaseMs = oldestRunMs - this.options.clock.monotonicMs();
    const early = this.early ?? [];
    this.early = null;
    for (const { message, extra } of early) this.add(message, extra);
    this.enforceBounds();
    this.armSweep();
  }

  /**
   * Sends a message and stores it, at the same time. `extraWrites` go into the same atomic batch, so that what the
   * daemon remembers of an alarm and what it tells of it can never come apart.
   */
  add(message: OutboxMessage, extraWrites: MoreWrites = []): void {
    if (this.early) {
      this.early.push({ message, extra: writesOf(extraWrites) });
      return;
    }
    const own = this.take(message);
    const writes = [...writesOf(extraWrites), ...own];
    if (writes.length > 0) this.queue.write(writes);
    this.enforceBounds();
  }

  /** As `add`, for a message that another outbox takes as well: returns the writes that belong into the same batch. */
  share(message: OutboxMessage): StoreWrite[] {
    if (this.early) {
      this.early.push({ message, extra: [] });
      return [];
    }
    const writes = this.take(message);
    // What the bound costs an entry is taken back only after its own write was asked for.
    queueMicrotask(() => this.enforceBounds());
    return writes;
  }

  private take(message: OutboxMessage): StoreWrite[] {
    const seq = ++this.seq;
    const entry: Entry = {
      ...message,
      seq,
      key: `${this.prefix}${String(seq).padStart(15, '0')}-${this.run}`,
      bytes: message.body.length + message.topic.length + 64,
      addedAtMs: this.odometerMs(),
      replayed: !this.linkUp,
      losses: 0,
    };
    this.enqueue(entry);
    // First the socket, then the disk: the write to the socket is done when this returns, the fsync is not waited for.
    this.pumpFresh();
    return entry.class === 'alert' ? [{ key: entry.key, value: formatEntry(entry) }] : [];
  }

  /** Writes that belong to no message but must keep their order with those of `add`. */
  persist(writes: readonly StoreWrite[], stored?: () => void): void {
    this.queue.write(writes, stored);
  }

  /** The link is up or down. Down: everything unacknowledged will go again. */
  setLink(up: boolean): void {
    if (this.linkUp === up) return;
    this.linkUp = up;
    if (up) return;
    for (const sensor of this.sensors.values()) {
      for (const entry of sensor.waiting) entry.replayed = true;
      sensor.fresh = 0;
    }
    this.cancelWake?.();
    this.cancelWake = null;
  }

  /** Sends what did not wait, as far as the link takes it. Returns false when the link takes no more. */
  pumpFresh(): boolean {
    if (!this.linkUp) return false;
    for (const sensor of this.sensors.values()) {
      while (sensor.fresh > 0 && !this.held(sensor)) {
        const entry = sensor.waiting[0];
        if (!entry) break;
        if (!this.hand(sensor, entry)) return false;
      }
    }
    return true;
  }

  /** Sends what waited, at its rate. Call it when the link has room. */
  pumpReplay(): void {
    if (!this.linkUp) return;
    this.cancelWake?.();
    this.cancelWake = null;
    const now = this.options.clock.monotonicMs();
    const rate = this.options.settings.replayPerSecond;
    this.tokens = Math.min(REPLAY_BURST, this.tokens + ((now - this.tokensAtMs) / 1000) * rate);
    this.tokensAtMs = now;
    for (;;) {
      const next = this.oldestWaiting();
      if (next === null) {
        this.wakeForHeld(now);
        return;
      }
      if (this.tokens < 1) {
        this.wake(((1 - this.tokens) / rate) * 1000);
        return;
      }
      const entry = next.waiting[0];
      if (!entry || !this.hand(next, entry)) return;
      this.tokens -= 1;
    }
  }

  stats(): OutboxStats {
    return {
      entries: this.entries,
      bytes: this.bytes,
      inFlight: this.inFlight.size,
      oldestAgeMs: this.oldestAgeMs(),
      full: this.full,
      shedAlerts: this.shedAlerts,
      shedTelemetry: this.shedTelemetry,
      refused: this.refused,
      undeliverable: this.undeliverable,
      replayed: this.replayed,
      restored: this.restored,
      unreadable: this.unreadable,
      storeFailures: this.queue.failures,
    };
  }

  /** Stops all timers. The queue of writes and the store stay open: they are the caller's. */
  stop(): void {
    this.setLink(false);
    this.cancelSweep?.();
    this.cancelSweep = null;
  }

  /**
   * Time that this and earlier runs have been up, as far as the stored entries tell. Ages are measured on it, because
   * the wall clock may step by years and the monotonic one begins anew at each boot.
   */
  private odometerMs(): number {
    return this.odometerBaseMs + this.options.clock.monotonicMs();
  }

  private oldestAgeMs(): number {
    const now = this.odometerMs();
    let born = now;
    for (const { waiting } of this.sensors.values()) born = Math.min(born, waiting[0]?.addedAtMs ?? now);
    for (const entry of this.inFlight) born = Math.min(born, entry.addedAtMs);
    return now - born;
  }

  private held(sensor: SensorQueue): boolean {
    return sensor.holdUntilMs > this.options.clock.monotonicMs();
  }

  private hand(sensor: SensorQueue, entry: Entry): boolean {
    // Taken out first: the link may report the end of it before `send` returns.
    sensor.waiting.shift();
    if (!entry.replayed) sensor.fresh--;
    this.inFlight.add(entry);
    if (this.options.send(entry, (outcome) => this.ended(sensor, entry, outcome))) {
      if (entry.replayed) this.replayed++;
      return true;
    }
    this.inFlight.delete(entry);
    sensor.waiting.unshift(entry);
    if (!entry.replayed) sensor.fresh++;
    return false;
  }

  private ended(sensor: SensorQueue, entry: Entry, outcome: SendOutcome): void {
    if (!this.inFlight.delete(entry)) return;
    if (outcome === 'acked' || outcome === 'undeliverable') {
      if (outcome === 'undeliverable') this.undeliverable++;
      sensor.refusals = 0;
      this.forget(entry);
      return;
    }
    entry.replayed = true;
    if (outcome === 'lost') entry.losses++;
    if (outcome === 'refused') {
      this.refused++;
      const holdMs = Math.min(REFUSAL_HOLD_MS.longest, REFUSAL_HOLD_MS.first * 2 ** Math.min(sensor.refusals++, 10));
      sensor.holdUntilMs = this.options.clock.monotonicMs() + holdMs;
      if (this.cancelWake === null) this.wake(holdMs);
    }
    // Back to its place: several may come back, in any order.
    let at = 0;
    while (at < sensor.waiting.length && sensor.waiting[at]!.seq < entry.seq) at++;
    sensor.waiting.splice(at, 0, entry);
    // What is ahead of a fresh one goes with it (see `pumpFresh`), so the count of fresh ones needs no change.
  }

  private enqueue(entry: Entry): void {
    let sensor = this.sensors.get(entry.sensor);
    if (!sensor) {
      sensor = { waiting: [], fresh: 0, holdUntilMs: 0, refusals: 0 };
      this.sensors.set(entry.sensor, sensor);
    }
    sensor.waiting.push(entry);
    if (!entry.replayed) sensor.fresh++;
    this.entries++;
    this.bytes += entry.bytes;
    if (entry.class === 'telemetry') this.telemetryBytes += entry.bytes;
  }

  /** Takes an entry that no longer waits out of the books and off the disk. */
  private forget(entry: Entry): void {
    this.entries--;
    this.bytes -= entry.bytes;
    if (entry.class === 'telemetry') this.telemetryBytes -= entry.bytes;
    else this.queue.remove(entry.key);
    if (this.full && this.bytes < this.options.settings.maxBytes * ROOM_SHARE) this.tellFull(false);
  }

  /** The queue whose head goes next: alerts before telemetry, then the oldest. */
  private oldestWaiting(): SensorQueue | null {
    let best: SensorQueue | null = null;
    let bestHead: Entry | null = null;
    for (const sensor of this.sensors.values()) {
      const head = sensor.waiting[0];
      if (!head || this.held(sensor)) continue;
      const before =
        bestHead === null || (head.class === bestHead.class ? head.seq < bestHead.seq : head.class === 'alert');
      if (before) {
        best = sensor;
        bestHead = head;
      }
    }
    return best;
  }

  private enforceBounds(): void {
    const { maxBytes, maxAgeMs } = this.options.settings;
    while (this.telemetryBytes > maxBytes * TELEMETRY_SHARE && this.shedOldest('telemetry')) {}
    while (this.bytes > maxBytes && this.shedOldest('telemetry')) {}
    let alertsShed = false;
    while (this.bytes > maxBytes && this.shedOldest('alert')) alertsShed = true;
    if (alertsShed && !this.full) this.tellFull(true);
    const born = this.odometerMs() - maxAgeMs;
    for (const sensor of this.sensors.values()) {
      while (sensor.waiting[0] && sensor.waiting[0].addedAtMs < born) this.shed(sensor, 0);
    }
  }

  private shedOldest(kind: OutboxClass): boolean {
    let found: SensorQueue | null = null;
    let foundAt = 0;
    let foundSeq = Number.POSITIVE_INFINITY;
    for (const sensor of this.sensors.values()) {
      const at = sensor.waiting.findIndex((entry) => entry.class === kind);
      const seq = sensor.waiting[at]?.seq ?? Number.POSITIVE_INFINITY;
      if (seq < foundSeq) {
        found = sensor;
        foundAt = at;
        foundSeq = seq;
      }
    }
    if (found === null) return false;
    this.shed(found, foundAt);
    return true;
  }

  private shed(sensor: SensorQueue, at: number): void {
    const [entry] = sensor.waiting.splice(at, 1);
    if (!entry) return;
    if (!entry.replayed) sensor.fresh--;
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
    this.forget(entry);
  }

  private tellFull(full: boolean): void {
    this.full = full;
    const shedAlerts = this.shedAlerts;
    // Not from inside `add`: who listens will want to add the alert that says so.
    queueMicrotask(() => this.options.onFull?.({ full, shedAlerts }));
  }

  private wakeForHeld(now: number): void {
    let until = Number.POSITIVE_INFINITY;
    for (const sensor of this.sensors.values()) {
      if (sensor.waiting.length > 0 && sensor.holdUntilMs > now) until = Math.min(until, sensor.holdUntilMs);
    }
    if (until < Number.POSITIVE_INFINITY) this.wake(until - now);
  }

  private wake(delayMs: number): void {
    this.cancelWake?.();
    this.cancelWake = this.options.timers.after(Math.max(1, Math.ceil(delayMs)), () => {
      this.cancelWake = null;
      if (this.pumpFresh()) this.pumpReplay();
    });
  }

  private armSweep(): void {
    this.cancelSweep = this.options.timers.after(AGE_SWEEP_MS, () => {
      this.enforceBounds();
      this.armSweep();
    });
  }
}

/** The writes themselves, made now where they were still to be made. */
export function writesOf(writes: MoreWrites): readonly StoreWrite[] {
  return typeof writes === 'function' ? writes() : writes;
}

import { randomBytes } from 'node:crypto';
import type { Clock, Timers } from '../domain/clock.js';
import type { KeyValueStore, StoreWrite } from '../domain/store.js';
import type { DeliveryLog } from './log.js';
import { OutboxBounds } from './outbox-bounds.js';
import { type Entry, formatEntry, OUTBOX_PREFIX, type OutboxMessage, parseEntry } from './outbox-entry.js';
import { SensorQueue } from './sensor-queue.js';
import type { StoreQueue } from './store-queue.js';
import { TokenBucket } from './token-bucket.js';

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
  /** How often the broker said no to it. */
  readonly refusals: number;
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

const REPLAY_BURST = 10;
/** Places left free before those of a run, for what goes before all that waits. */
const FIRST_PLACES = 1_000;
const AGE_SWEEP_MS = 60_000;

/**
 * Alerts on their way to the broker. An alert is handed to the socket and to the disk at the same time; it is forgotten
 * only when the broker has acknowledged it, so that at any moment either the broker has it or the disk has it. Order is
 * kept per sensor; nothing waits for another sensor.
 *
 * Only what is an alarm goes ahead of its disk. The rest (`afterDisk`) waits for the disk's answer, some milliseconds, so
 * that a process that is killed never forgets having told it; of the alarms themselves the broker reminds it (see read-back.ts).
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
  private early: Array<{ message: OutboxMessage; extra: readonly StoreWrite[]; onKept: (() => void) | null }> | null =
    [];
  private linkUp = false;
  private seq = 0;
  /** Of the last that was put before all others; 0: no place is left. */
  private firstSeq = 0;
  private readonly bounds: OutboxBounds;
  private readonly replayTokens: TokenBucket;
  private odometerBaseMs: number;
  private cancelWake: (() => void) | null = null;
  private cancelSweep: (() => void) | null = null;
  private refused = 0;
  private undeliverable = 0;
  private replayed = 0;
  private restored = 0;
  private unreadable = 0;

  constructor(private readonly options: OutboxOptions) {
    this.queue = options.queue;
    this.prefix = options.prefix ?? OUTBOX_PREFIX;
    const { clock, settings, log, onFull } = options;
    this.odometerBaseMs = -clock.monotonicMs();
    this.replayTokens = new TokenBucket(clock, settings.replayPerSecond, REPLAY_BURST);
    this.bounds = new OutboxBounds({
      ...settings,
      queues: this.sensors,
      log,
      onShed: (entry) => this.unstore(entry),
      onFull,
    });
  }

  /** Takes up what an earlier run left. Messages added before this has finished are kept behind it, in order. */
  async load(): Promise<void> {
    let oldestRunMs = 0;
    let lowestSeq = Number.POSITIVE_INFINITY;
    try {
      for await (const [key, value] of this.options.store.scan(this.prefix)) {
        const entry = parseEntry(key, value);
        if (entry === null) {
          this.unreadable++;
          this.queue.remove(key);
          continue;
        }
        this.seq = Math.max(this.seq, entry.seq);
        lowestSeq = Math.min(lowestSeq, entry.seq);
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
    this.seq += FIRST_PLACES;
    this.firstSeq = Math.min(lowestSeq, this.seq + 1);
    const early = this.early ?? [];
    this.early = null;
    for (const { message, extra, onKept } of early) this.add(message, extra, onKept);
    this.enforceBounds();
    this.armSweep();
  }

  /**
   * Sends a message and stores it, at the same time. `extraWrites` go into the same atomic batch, so that what the
   * daemon remembers of an alarm and what it tells of it can never come apart.
   * @param onKept called once, when it was handed over or the disk has answered, whichever comes first: from then on the
   *   message is known of beyond this process
   */
  add(message: OutboxMessage, extraWrites: MoreWrites = [], onKept: (() => void) | null = null): void {
    if (this.early) {
      this.early.push({ message, extra: writesOf(extraWrites), onKept });
      return;
    }
    const entry = this.take(message, onKept);
    const writes = [...writesOf(extraWrites), ...storedForm(entry)];
    const waits = entry.awaitsDisk || entry.onKept !== null;
    if (writes.length > 0) this.queue.write(writes, waits ? () => this.diskAnswered(entry) : undefined);
    this.enforceBounds();
  }

  /** Something was sent and is not acknowledged, or will be sent as soon as the disk has answered. */
  get isBusy(): boolean {
    return this.inFlight.size > 0 || [...this.sensors.values()].some((sensor) => !sensor.isReady);
  }

  /** Something of this sensor waits that neither the broker nor, as yet, the disk knows of. */
  hasUnkept(sensor: string): boolean {
    return this.sensors.get(sensor)?.hasUnkept ?? false;
  }

  /** Whether something of this sensor waits whose body has this text in it. */
  holds(sensor: string, text: string): boolean {
    return this.sensors.get(sensor)?.includes(text) ?? false;
  }

  /** As `add`, for a message that another outbox takes as well: returns the writes that belong into the same batch. */
  share(message: OutboxMessage): StoreWrite[] {
    if (this.early) {
      this.early.push({ message, extra: [], onKept: null });
      return [];
    }
    const entry = this.take(message, null);
    // What the bound costs an entry is taken back only after its own write was asked for.
    queueMicrotask(() => this.enforceBounds());
    return storedForm(entry);
  }

  private take(message: OutboxMessage, onKept: (() => void) | null): Entry {
    const seq = message.first && this.firstSeq > 1 ? --this.firstSeq : ++this.seq;
    const entry: Entry = {
      ...message,
      seq,
      key: `${this.prefix}${String(seq).padStart(15, '0')}-${this.run}`,
      bytes: message.body.length + message.topic.length + 64,
      addedAtMs: this.odometerMs(),
      replayed: !this.linkUp,
      losses: 0,
      refusals: 0,
      // A disk that refuses is not waited for.
      awaitsDisk: message.afterDisk === true && !this.queue.failing,
      onKept,
    };
    this.enqueue(entry);
    // First the socket, then the disk: the fsync is not waited for.
    this.pumpFresh();
    return entry;
  }

  private diskAnswered(entry: Entry): void {
    entry.awaitsDisk = false;
    const room = this.pumpFresh();
    kept(entry);
    if (room) this.pumpReplay();
  }

  /** Writes that belong to no message but must keep their order with those of `add`. */
  persist(writes: readonly StoreWrite[]): void {
    this.queue.write(writes);
  }

  /** The link is up or down. Down: everything unacknowledged will go again. */
  setLink(up: boolean): void {
    if (this.linkUp === up) return;
    this.linkUp = up;
    if (up) return;
    for (const sensor of this.sensors.values()) sensor.markReplayed();
    this.cancelWake?.();
    this.cancelWake = null;
  }

  /** Sends what did not wait, as far as the link takes it. Returns false when the link takes no more. */
  pumpFresh(): boolean {
    if (!this.linkUp) return false;
    for (const sensor of this.sensors.values()) {
      while (sensor.hasFresh && sensor.isReady && !this.held(sensor)) {
        if (!this.hand(sensor)) return false;
      }
    }
    return true;
  }

  /** Sends what waited, at its rate. Call it when the link has room. */
  pumpReplay(): void {
    if (!this.linkUp) return;
    this.cancelWake?.();
    this.cancelWake = null;
    for (;;) {
      const next = this.oldestWaiting();
      if (next === null) {
        this.wakeForHeld();
        return;
      }
      const { waitMs } = this.replayTokens;
      if (waitMs > 0) {
        this.wake(waitMs);
        return;
      }
      if (!this.hand(next)) return;
      this.replayTokens.take();
    }
  }

  stats(): OutboxStats {
    const { entries, bytes, full, shedAlerts, shedTelemetry } = this.bounds;
    return {
      entries,
      bytes,
      inFlight: this.inFlight.size,
      oldestAgeMs: this.oldestAgeMs(),
      full,
      shedAlerts,
      shedTelemetry,
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
    for (const { head } of this.sensors.values()) born = Math.min(born, head?.addedAtMs ?? now);
    for (const entry of this.inFlight) born = Math.min(born, entry.addedAtMs);
    return now - born;
  }

  private held(sensor: SensorQueue): boolean {
    return sensor.isHeld(this.options.clock.monotonicMs());
  }

  private hand(sensor: SensorQueue): boolean {
    // Taken out first: the link may report the end of it before `send` returns.
    const entry = sensor.shift();
    if (!entry) return false;
    this.inFlight.add(entry);
    if (this.options.send(entry, (outcome) => this.ended(sensor, entry, outcome))) {
      if (entry.replayed) this.replayed++;
      kept(entry);
      return true;
    }
    this.inFlight.delete(entry);
    sensor.place(entry);
    return false;
  }

  private ended(sensor: SensorQueue, entry: Entry, outcome: SendOutcome): void {
    if (!this.inFlight.delete(entry)) return;
    if (outcome === 'acked' || outcome === 'undeliverable') {
      if (outcome === 'undeliverable') this.undeliverable++;
      sensor.settled();
      this.forget(entry);
      return;
    }
    entry.replayed = true;
    if (outcome === 'lost') entry.losses++;
    if (outcome === 'refused') {
      this.refused++;
      entry.refusals++;
      const holdMs = sensor.refused(this.options.clock.monotonicMs());
      if (this.cancelWake === null) this.wake(holdMs);
    }
    // Back to its place: several may come back, in any order.
    sensor.place(entry);
  }

  private enqueue(entry: Entry): void {
    let sensor = this.sensors.get(entry.sensor);
    if (!sensor) {
      sensor = new SensorQueue();
      this.sensors.set(entry.sensor, sensor);
    }
    sensor.place(entry);
    this.bounds.count(entry);
  }

  /** Takes an entry that no longer waits out of the books and off the disk. */
  private forget(entry: Entry): void {
    this.bounds.discount(entry);
    this.unstore(entry);
  }

  private unstore(entry: Entry): void {
    if (entry.class === 'alert') this.queue.remove(entry.key);
  }

  /** The queue whose head goes next: alerts before telemetry, then the oldest. */
  private oldestWaiting(): SensorQueue | null {
    let best: SensorQueue | null = null;
    let bestHead: Entry | null = null;
    for (const sensor of this.sensors.values()) {
      const { head } = sensor;
      if (!head || !sensor.isReady || this.held(sensor)) continue;
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
    this.bounds.enforce(this.odometerMs());
  }

  private wakeForHeld(): void {
    const now = this.options.clock.monotonicMs();
    let until = Number.POSITIVE_INFINITY;
    for (const sensor of this.sensors.values()) {
      if (sensor.length > 0 && sensor.isHeld(now)) until = Math.min(until, sensor.heldUntilMs);
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

function kept(entry: Entry): void {
  const { onKept } = entry;
  entry.onKept = null;
  onKept?.();
}

/** What of an entry goes to the disk. */
function storedForm(entry: Entry): StoreWrite[] {
  return entry.class === 'alert' ? [{ key: entry.key, value: formatEntry(entry) }] : [];
}

/** The writes themselves, made now where they were still to be made. */
export function writesOf(writes: MoreWrites): readonly StoreWrite[] {
  return typeof writes === 'function' ? writes() : writes;
}

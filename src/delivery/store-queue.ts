import type { Timers } from '../domain/clock.js';
import type { KeyValueStore, StoreWrite } from '../domain/store.js';
import type { DeliveryLog } from './log.js';

/** Deletes are no hurry: waiting for a neighbour saves an fsync, and a lost delete only means a duplicate. */
const LAZY_MS = 250;
const RETRY_MIN_MS = 1_000;
const RETRY_MAX_MS = 60_000;

/**
 * Writes to the store one batch at a time, in the order they were asked for. What arrives while a batch is on its way to
 * the disk goes together in the next one. A batch that fails (disk full) is kept and tried again with newer values laid
 * over it, so that a state written later is never overwritten by an older one.
 */
export class StoreQueue {
  /** Batches that failed since the start. */
  failures = 0;
  private pending = new Map<string, string | null>();
  private waiting: Array<() => void> = [];
  private busy = false;
  /** Something other than deletes is pending. */
  private urgent = false;
  private retryMs = 0;
  private closed = false;
  private cancelTimer: (() => void) | null = null;
  private idle: Array<() => void> = [];

  constructor(
    private readonly store: KeyValueStore,
    private readonly timers: Timers,
    private readonly log: DeliveryLog,
  ) {}

  /** True while the last attempt failed. */
  get failing(): boolean {
    return this.retryMs > 0;
  }

  /** Writes together; `tried` is called once the disk has answered, with yes or with no. */
  write(writes: readonly StoreWrite[], tried?: () => void): void {
    for (const { key, value } of writes) this.pending.set(key, value);
    if (tried) this.waiting.push(tried);
    this.urgent = true;
    if (!this.failing) this.flush();
  }

  /** Removes a key some time soon. */
  remove(key: string): void {
    this.pending.set(key, null);
    if (!this.busy && this.cancelTimer === null) this.arm(LAZY_MS);
  }

  /** Writes what is pending and resolves when there is nothing left, or when the disk refused. */
  private async drain(): Promise<void> {
    this.retryMs = 0;
    this.flush();
    if (this.busy) await new Promise<void>((resolve) => this.idle.push(resolve));
  }

  /** Brings pending writes to the disk; no timer of ours runs after this. The store stays open: it is the caller's. */
  async stop(): Promise<void> {
    await this.drain();
    this.closed = true;
    this.disarm();
  }

  private flush(): void {
    if (this.busy || (this.pending.size === 0 && this.waiting.length === 0)) return;
    this.disarm();
    this.busy = true;
    this.urgent = false;
    const batch = this.pending;
    const waiting = this.waiting;
    this.pending = new Map();
    this.waiting = [];
    const writes = Array.from(batch, ([key, value]) => ({ key, value }));
    this.store.batch(writes).then(
      () => {
        if (this.failing) this.log.info({}, 'the state store takes writes again');
        this.retryMs = 0;
        this.busy = false;
        for (const tried of waiting) tried();
        this.next();
      },
      (error: unknown) => {
        this.failures++;
        for (const [key, value] of this.pending) batch.set(key, value);
        this.pending = batch;
        this.busy = false;
        this.urgent = true;
        if (!this.failing) {
          this.log.error(
            { err: error },
            'the state store refused a write: alerts are sent, but would not survive a restart',
          );
        }
        this.retryMs = Math.min(RETRY_MAX_MS, Math.max(RETRY_MIN_MS, this.retryMs * 2));
        if (!this.closed) this.arm(this.retryMs);
        for (const tried of waiting) tried();
        this.tellIdle();
      },
    );
  }

  private next(): void {
    if (this.urgent || (this.pending.size > 0 && this.idle.length > 0)) this.flush();
    else if (this.pending.size > 0 && !this.closed) this.arm(LAZY_MS);
    if (!this.busy) this.tellIdle();
  }

  private tellIdle(): void {
    const idle = this.idle;
    this.idle = [];
    for (const resolve of idle) resolve();
  }

  private arm(delayMs: number): void {
    this.disarm();
    this.cancelTimer = this.timers.after(delayMs, () => {
      this.cancelTimer = null;
      this.flush();
    });
  }

  private disarm(): void {
    this.cancelTimer?.();
    this.cancelTimer = null;
  }
}

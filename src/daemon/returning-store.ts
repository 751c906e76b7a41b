import { existsSync } from 'node:fs';
import { cp, mkdtemp, rename, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Timers } from '../domain/clock.js';
import type { StoreWrite } from '../domain/store.js';
import type { DurableStore, StoreLog, StoreState } from './level-store.js';
import { createMemoryStore } from './memory-store.js';

/** How often the disk is tried again: a card that has room again is used within this. */
const RETRY_MS = 10_000;
/** Memory that is a file system on every Linux; what is copied there is not larger than the store. */
const SHARED_MEMORY = '/dev/shm';

export interface ReturningStoreOptions {
  /** The store's folder, which could not be opened. */
  readonly dir: string;
  /** Opens a store; `error` where that fails. */
  readonly open: (dir: string) => Promise<{ readonly store: DurableStore } | { readonly error: Error }>;
  readonly timers: Timers;
  readonly log: StoreLog;
}

/**
 * A store whose disk cannot be written at the start: full, or not there yet. It lives in memory, begins with what the disk
 * holds as far as that can be read, tries the disk again from time to time, and from then on is on it.
 */
export class ReturningStore implements DurableStore {
  readonly badEntries = 0;
  private readonly memory = createMemoryStore();
  private disk: DurableStore | null = null;
  /** Whether memory began with all that the disk holds: then what it lacks was removed since. */
  private knowsDisk = false;
  private cancelRetry: (() => void) | null = null;
  private closed = false;
  /** Writes and the way back to the disk, one after the other. */
  private turn: Promise<void> = Promise.resolve();

  private constructor(private readonly options: ReturningStoreOptions) {}

  static async begin(options: ReturningStoreOptions): Promise<ReturningStore> {
    const store = new ReturningStore(options);
    await store.readDisk();
    store.retryLater();
    return store;
  }

  get state(): StoreState {
    return this.disk?.state ?? 'memory-only';
  }

  get bytesWritten(): number {
    return this.disk?.bytesWritten ?? 0;
  }

  batch(writes: readonly StoreWrite[]): Promise<void> {
    return this.inTurn(() => (this.disk ?? this.memory).batch(writes));
  }

  scan(prefix: string): AsyncIterable<readonly [string, string]> {
    return (this.disk ?? this.memory).scan(prefix);
  }

  async close(): Promise<void> {
    this.closed = true;
    this.cancelRetry?.();
    await this.inTurn(async () => {
      await this.memory.close();
      await this.disk?.close();
    });
  }

  /** LevelDB cannot open a store without writing to its folder, but it can open a copy where there is room. */
  private async readDisk(): Promise<void> {
    const { dir, log, open } = this.options;
    if (!existsSync(dir)) {
      this.knowsDisk = true;
      return;
    }
    const folder = await mkdtemp(join(existsSync(SHARED_MEMORY) ? SHARED_MEMORY : tmpdir(), 'slothd-store-')).catch(
      () => null,
    );
    if (folder === null) return;
    try {
      const copy = join(folder, 'store');
      await cp(dir, copy, { recursive: true });
      const opened = await open(copy);
      if ('error' in opened) throw opened.error;
      const writes: StoreWrite[] = [];
      for await (const [key, value] of opened.store.scan('')) writes.push({ key, value });
      await opened.store.close();
      await this.memory.batch(writes);
      this.knowsDisk = true;
      log.info({ dir, entries: writes.length }, 'what the state store holds was read; changes stay in memory');
    } catch (error) {
      log.error({ dir, err: error }, 'what the state store holds could not be read; it is left for later');
    } finally {
      await rm(folder, { recursive: true, force: true }).catch(() => undefined);
    }
  }

  private retryLater(): void {
    if (this.closed) return;
    this.cancelRetry = this.options.timers.after(RETRY_MS, () => {
      void this.inTurn(() => this.goBack()).finally(() => {
        if (this.disk === null) this.retryLater();
      });
    });
  }

  /** The disk becomes what memory is. @returns quietly where there still is no room */
  private async goBack(): Promise<void> {
    const { dir, open, log } = this.options;
    if (this.closed || !(await this.makeWay())) return;
    // Another daemon that holds the folder is a reason to stay in memory, too.
    const opened = await open(dir).catch((error: Error) => ({ error }));
    if ('error' in opened) return;
    const { store } = opened;
    try {
      const writes = new Map<string, string | null>();
      for await (const [key] of store.scan('')) writes.set(key, null);
      for await (const [key, value] of this.memory.scan('')) writes.set(key, value);
      await store.batch(Array.from(writes, ([key, value]) => ({ key, value })));
      this.disk = store;
      log.info({ dir, entries: writes.size }, 'the state folder can be written again: alerts survive a restart again');
    } catch {
      // Room for the store's own files, and not for what goes in.
      await store.close().catch(() => undefined);
    }
  }

  /** What could not be read must not be mixed with keys of this life: it is moved aside, whole. */
  private async makeWay(): Promise<boolean> {
    const { dir, log } = this.options;
    if (this.knowsDisk) return true;
    for (let n = 1; ; n++) {
      const aside = `${dir}.unread-${n}`;
      if (existsSync(aside)) continue;
      try {
        await rename(dir, aside);
      } catch {
        return false;
      }
      log.error(
        { dir, aside },
        'the state store that could not be read was moved aside; unsent alerts in it are not sent',
      );
      this.knowsDisk = true;
      return true;
    }
  }

  private inTurn(run: () => Promise<void>): Promise<void> {
    const mine = this.turn.then(run);
    this.turn = mine.catch(() => undefined);
    return mine;
  }
}

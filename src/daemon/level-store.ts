import { existsSync } from 'node:fs';
import { mkdir, rename, rm } from 'node:fs/promises';
import { crc32 } from 'node:zlib';
import { ClassicLevel } from 'classic-level';
import type { Logger } from 'pino';
import type { Timers } from '../domain/clock.js';
import type { KeyValueStore, StoreWrite } from '../domain/store.js';
import { ReturningStore } from './returning-store.js';
import { systemTimers } from './system-clock.js';

/** The log methods used here; pino's logger is one. */
export type StoreLog = Pick<Logger, 'info' | 'warn' | 'error'>;

/** Two daemons on one state folder: somebody has to stop one of them. */
export class StoreInUseError extends Error {
  override readonly name = 'StoreInUseError';
}

/** Folders of unreadable stores kept for a person to look at; older ones are removed so that a bad card does not fill. */
const KEPT_ASIDE = 3;

/** How the store came up, for `/readyz` and `doctor`. */
export type StoreState = 'ok' | 'repaired' | 'fresh-after-corruption' | 'memory-only';

export interface DurableStore extends KeyValueStore {
  readonly state: StoreState;
  /** Entries stepped over because their checksum did not fit. */
  readonly badEntries: number;
  /** Bytes of keys and values handed to the disk since the start; LevelDB's own files come on top. */
  readonly bytesWritten: number;
}

/**
 * Opens the store in folder `dir` (made where missing). Never fails for what is on the disk: a damaged store is
 * repaired; one beyond repair is moved to `<dir>.corrupt-N` and a fresh one begun; a folder that cannot be written at all
 * gives a store in memory that goes back to the disk once there is room. Each of these is logged as an error.
 * @throws StoreInUseError only where another process has the store open: two daemons on one state folder are a mistake to stop at.
 */
export async function openLevelStore(dir: string, log: StoreLog, timers: Timers = systemTimers): Promise<DurableStore> {
  const opened = await openOnDisk(dir, log);
  if ('store' in opened) return opened.store;
  log.error(
    { dir, err: opened.error },
    'the state folder cannot be used: alerts are kept in memory alone and do not survive a restart',
  );
  return ReturningStore.begin({ dir, log, timers, open: (folder) => openOnDisk(folder, log) });
}

async function openOnDisk(dir: string, log: StoreLog): Promise<{ store: DurableStore } | { error: Error }> {
  try {
    await mkdir(dir, { recursive: true });
  } catch (error) {
    return { error: causeOf(error) };
  }
  const first = await tryOpen(dir);
  if (first.db) return { store: new LevelStore(first.db, 'ok', first.badEntries, log) };
  if (isDiskTrouble(first.error)) return { error: causeOf(first.error) };

  log.error({ dir, err: first.error }, 'the state store is damaged; repairing it');
  try {
    await ClassicLevel.repair(dir);
  } catch (error) {
    log.error({ dir, err: error }, 'the state store could not be repaired');
  }
  const second = await tryOpen(dir);
  if (second.db) {
    log.error({ dir }, 'the state store was repaired; what could be read is back');
    return { store: new LevelStore(second.db, 'repaired', second.badEntries, log) };
  }

  try {
    const aside = await moveAside(dir);
    log.error(
      { dir, aside },
      'the state store is beyond repair: moved aside, unsent alerts in it are lost; starting afresh',
    );
    await mkdir(dir, { recursive: true });
  } catch (error) {
    return { error: causeOf(error) };
  }
  const third = await tryOpen(dir);
  if (third.db) return { store: new LevelStore(third.db, 'fresh-after-corruption', third.badEntries, log) };
  return { error: causeOf(third.error) };
}

type Opened = { db: ClassicLevel; badEntries: number; error?: undefined } | { db?: undefined; error: unknown };

/** Opens and reads everything once: LevelDB notices some damage only when it meets it. */
async function tryOpen(dir: string): Promise<Opened> {
  // Small caches: the store holds kilobytes, and the daemon's memory must stay flat.
  const db = new ClassicLevel(dir, { cacheSize: 256 * 1024, writeBufferSize: 1024 * 1024, maxOpenFiles: 32 });
  try {
    await db.open();
    let badEntries = 0;
    for await (const [key, value] of db.iterator()) if (unseal(key, value) === null) badEntries++;
    return { db, badEntries };
  } catch (error) {
    await db.close().catch(() => undefined);
    const cause = causeOf(error);
    if (cause.code === 'LEVEL_LOCKED') {
      throw new StoreInUseError(
        `the state folder ${dir} is in use by another slothd; stop it or set another stateDir`,
        {
          cause: error,
        },
      );
    }
    return { error: cause };
  }
}

class LevelStore implements DurableStore {
  bytesWritten = 0;
  /**
   * A write has failed. LevelDB may have left half a record at the end of its log; it would go on behind it, say that all is
   * well, and at the next start lose everything from the half record on. So the store is opened anew before it is written to.
   */
  private torn = false;
  private reopening: Promise<void> | null = null;

  constructor(
    private readonly db: ClassicLevel,
    readonly state: StoreState,
    public badEntries: number,
    private readonly log: StoreLog,
  ) {
    if (badEntries > 0) log.error({ badEntries }, 'the state store holds damaged entries; they are left out');
  }

  async batch(writes: readonly StoreWrite[]): Promise<void> {
    if (writes.length === 0) return;
    let bytes = 0;
    const operations = writes.map(({ key, value }) => {
      bytes += key.length + (value?.length ?? 0);
      return value === null
        ? ({ type: 'del', key } as const)
        : ({ type: 'put', key, value: seal(key, value) } as const);
    });
    if (this.torn) await this.reopen();
    try {
      // `sync` makes LevelDB call fsync; classic-level does so in libuv's thread pool, so the event loop goes on.
      await this.db.batch(operations, { sync: true });
    } catch (error) {
      this.torn = true;
      throw causeOf(error);
    }
    this.bytesWritten += bytes;
  }

  /** @throws Error while there is still no room; the next write tries again */
  private reopen(): Promise<void> {
    this.reopening ??= (async () => {
      try {
        if (this.db.status === 'open') await this.db.close();
        await this.db.open();
        this.torn = false;
      } catch (error) {
        throw causeOf(error);
      } finally {
        this.reopening = null;
      }
    })();
    return this.reopening;
  }

  async *scan(prefix: string): AsyncIterable<readonly [string, string]> {
    try {
      for await (const [key, sealed] of this.db.iterator({ gte: prefix, lt: `${prefix}\uffff` })) {
        const value = unseal(key, sealed);
        if (value !== null) yield [key, value];
      }
    } catch (error) {
      this.log.error({ prefix, err: causeOf(error) }, 'the state store could not be read to its end');
    }
  }

  async close(): Promise<void> {
    await this.db.close();
  }
}

/** Value as stored: eight hex digits of CRC-32 over key and value, a colon, the value. */
function seal(key: string, value: string): string {
  return `${checksum(key, value)}:${value}`;
}

function unseal(key: string, sealed: string): string | null {
  const value = sealed.slice(9);
  return sealed.charAt(8) === ':' && sealed.slice(0, 8) === checksum(key, value) ? value : null;
}

function checksum(key: string, value: string): string {
  return crc32(value, crc32(key)).toString(16).padStart(8, '0');
}

function causeOf(error: unknown): NodeJS.ErrnoException {
  const cause = error instanceof Error && error.cause instanceof Error ? error.cause : error;
  return (cause instanceof Error ? cause : new Error(String(cause))) as NodeJS.ErrnoException;
}

/** A disk that is full, read-only or forbidden: moving files aside would not help and could lose what is there. */
function isDiskTrouble(error: unknown): boolean {
  return /No space left|File too large|Read-only file system|Permission denied|Too many open files|Disk quota/i.test(
    causeOf(error).message,
  );
}

async function moveAside(dir: string): Promise<string> {
  for (let n = 1; n <= KEPT_ASIDE; n++) {
    const aside = `${dir}.corrupt-${n}`;
    if (!existsSync(aside)) {
      await rename(dir, aside);
      return aside;
    }
  }
  await rm(`${dir}.corrupt-1`, { recursive: true, force: true });
  for (let n = 2; n <= KEPT_ASIDE; n++) await rename(`${dir}.corrupt-${n}`, `${dir}.corrupt-${n - 1}`);
  const aside = `${dir}.corrupt-${KEPT_ASIDE}`;
  await rename(dir, aside);
  return aside;
}

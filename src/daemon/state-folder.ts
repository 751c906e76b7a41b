import { existsSync } from 'node:fs';
import { mkdir, open, readdir, readFile, rename } from 'node:fs/promises';
import { join } from 'node:path';
import type { Timers } from '../domain/clock.js';
import type { DurableStore, StoreLog } from './level-store.js';
import { openLevelStore } from './level-store.js';
import { systemTimers } from './system-clock.js';

/**
 * Version of what the store's entries mean (open alarms, snoozes, outbox). One that a former version would misread gets
 * the next number, and a step in MIGRATIONS.
 */
export const STORE_FORMAT = 1;

/** Step N brings a store of format N to N + 1, in place. */
export type Migration = (store: DurableStore) => Promise<void>;
export const MIGRATIONS: Readonly<Record<number, Migration>> = {};

const FORMAT_FILE = 'format.json';
const STORE_FOLDER = 'store';
/** What LevelDB keeps in its folder. */
const LEVELDB_FILE = /^(CURRENT|LOCK|LOG(\.old)?|MANIFEST-\d+|\d+\.(log|ldb|sst|dbtmp))$/;

interface FormatNote {
  readonly store: number;
  /** Version of slothd that wrote it, for a person. */
  readonly by: string;
}

/**
 * Opens the store of a state folder, whatever version of slothd used the folder before. An older format is brought up
 * to date in place. A newer one, after a downgrade, is moved aside to `store.format-N` untouched, said as an error, and a
 * fresh one begun: a guess at entries of an unknown meaning could raise or swallow an alarm.
 * @param format ours; other values are for tests
 * @throws Error only where another process has the store open
 */
export async function openStateStore(
  stateDir: string,
  version: string,
  log: StoreLog,
  format = STORE_FORMAT,
  migrations: Readonly<Record<number, Migration>> = MIGRATIONS,
  timers: Timers = systemTimers,
): Promise<DurableStore> {
  const folder = join(stateDir, STORE_FOLDER);
  let found: number | null = null;
  try {
    await mkdir(stateDir, { recursive: true });
    await adoptOldLayout(stateDir, folder);
    const note = await readNote(stateDir);
    found = note?.store ?? (existsSync(folder) ? 1 : null);
    if (note && note.store > format) {
      const aside = await freeName(`${folder}.format-${note.store}`);
      await rename(folder, aside).catch(() => undefined);
      log.error(
        { aside, by: note.by, theirs: note.store, ours: format },
        `the state store was written by a newer slothd (${note.by}): kept in ${aside}, unsent alerts in it wait for that version; starting afresh`,
      );
      found = null;
    }
  } catch (error) {
    // A folder that cannot be written is the store's own business: it goes on in memory and says so.
    log.error({ stateDir, err: error }, 'the state folder cannot be looked at');
  }
  const store = await openLevelStore(folder, log, timers);
  for (let step = found ?? format; step < format; step++) {
    await migrations[step]?.(store);
    log.info({ from: step, to: step + 1 }, 'the state store was brought up to date');
  }
  // Where nothing can be written the next start will note it.
  if (store.state === 'memory-only') return store;
  await writeNote(stateDir, { store: format, by: version }).catch((error: Error) =>
    log.error({ err: error }, 'the state format could not be noted'),
  );
  return store;
}

/** Before formats were noted the store lay in the state folder itself. `CURRENT` goes last: a cut in between is mended. */
async function adoptOldLayout(stateDir: string, folder: string): Promise<void> {
  if (!existsSync(join(stateDir, 'CURRENT'))) return;
  await mkdir(folder, { recursive: true });
  const files = (await readdir(stateDir)).filter((name) => LEVELDB_FILE.test(name) && name !== 'CURRENT');
  for (const name of [...files, 'CURRENT']) await rename(join(stateDir, name), join(folder, name));
}

async function readNote(stateDir: string): Promise<FormatNote | null> {
  const text = await readFile(join(stateDir, FORMAT_FILE), 'utf8').catch(() => null);
  if (text === null) return null;
  try {
    const { store, by } = JSON.parse(text) as Partial<FormatNote>;
    return Number.isInteger(store) ? { store: store as number, by: String(by) } : null;
  } catch {
    return null;
  }
}

/** Only where it changes: the card is not written to at each start. */
async function writeNote(stateDir: string, note: FormatNote): Promise<void> {
  const before = await readNote(stateDir);
  if (before?.store === note.store && before.by === note.by) return;
  const path = join(stateDir, FORMAT_FILE);
  const file = await open(`${path}.new`, 'w', 0o644);
  try {
    await file.writeFile(`${JSON.stringify(note)}\n`);
    await file.sync();
  } finally {
    await file.close();
  }
  await rename(`${path}.new`, path);
}

async function freeName(wanted: string): Promise<string> {
  let name = wanted;
  for (let more = 2; existsSync(name); more++) name = `${wanted}-${more}`;
  return name;
}

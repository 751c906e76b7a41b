import { execFileSync } from 'node:child_process';
import { mkdir, rm, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { AlarmEngine } from '../../src/alarm/engine.js';
import { openLevelStore } from '../../src/daemon/level-store.js';
import { ReturningStore } from '../../src/daemon/returning-store.js';
import { openStateStore } from '../../src/daemon/state-folder.js';
import type { StoreWrite } from '../../src/domain/store.js';
import { settingsWith } from '../alarm/bench.js';
import { collectLog, ManualTime, tick } from '../delivery/support/world.js';
import { afterwards, temporaryFolder } from '../e2e/support/world.js';

/** Story 15: the disk is full when slothd starts. */

async function content(store: { scan(prefix: string): AsyncIterable<readonly [string, string]> }) {
  const out: Record<string, string> = {};
  for await (const [key, value] of store.scan('')) out[key] = value;
  return out;
}

const put = (key: string, value: string | null): StoreWrite => ({ key, value });

/** The folder cannot be opened until `room` is set; the store itself is the real one. */
function lackingRoom(dir: string) {
  const { log, lines } = collectLog();
  const time = new ManualTime();
  const disk = { room: false, refusesWrites: false };
  const open = async (folder: string) => {
    // A copy elsewhere may be opened: only the disk itself is full.
    if (folder === dir && !disk.room) return { error: new Error('IO error: No space left on device') };
    const store = await openLevelStore(folder, log as never);
    if (folder !== dir || !disk.refusesWrites) return { store };
    return {
      store: Object.assign(Object.create(store), {
        batch: () => Promise.reject(new Error('No space left')),
        close: () => store.close(),
      }),
    };
  };
  return { begin: () => ReturningStore.begin({ dir, open, timers: time, log: log as never }), time, disk, lines };
}

async function wait(time: ManualTime, ms: number): Promise<void> {
  time.advance(ms);
  for (let n = 0; n < 40; n++) await tick(5);
}

it('begins with what the disk holds, takes writes in memory, and brings all of it to the disk once there is room', async () => {
  const dir = join(temporaryFolder(), 'store');
  const former = await openLevelStore(dir, collectLog().log as never);
  await former.batch([put('outbox/1', 'unsent'), put('outbox/2', 'unsent too'), put('alarms/chest', 'open')]);
  await former.close();

  const { begin, time, disk, lines } = lackingRoom(dir);
  const store = await begin();
  expect(store.state).toBe('memory-only');
  expect(await content(store)).toEqual({ 'outbox/1': 'unsent', 'outbox/2': 'unsent too', 'alarms/chest': 'open' });
  await store.batch([put('outbox/1', null), put('outbox/3', 'new'), put('alarms/chest', 'ended')]);
  await wait(time, 60_000);
  expect(store.state).toBe('memory-only');

  // Room for LevelDB's own files, and none for what goes in.
  disk.room = true;
  disk.refusesWrites = true;
  await wait(time, 10_000);
  expect(store.state).toBe('memory-only');
  await store.batch([put('outbox/4', 'newer')]);

  disk.refusesWrites = false;
  await wait(time, 10_000);
  expect(store.state).toBe('ok');
  expect(lines.some(({ message }) => /survive a restart again/.test(message))).toBe(true);
  await store.batch([put('outbox/5', 'on the disk')]);
  await store.close();

  const after = await openLevelStore(dir, collectLog().log as never);
  expect(await content(after)).toEqual({
    'outbox/2': 'unsent too',
    'outbox/3': 'new',
    'outbox/4': 'newer',
    'outbox/5': 'on the disk',
    'alarms/chest': 'ended',
  });
  await after.close();
});

it('a former store that cannot be read is moved aside whole before its folder is used', async () => {
  const dir = join(temporaryFolder(), 'store');
  // A folder that holds a folder where LevelDB keeps a file: neither a copy nor the thing itself can be opened.
  await mkdir(join(dir, 'CURRENT'), { recursive: true });
  await writeFile(join(dir, '000003.log'), 'something');
  const { log, lines } = collectLog();
  const time = new ManualTime();
  let tries = 0;
  const store = await ReturningStore.begin({
    dir,
    timers: time,
    log: log as never,
    open: async (folder) =>
      tries++ === 0 ? { error: new Error('IO error') } : { store: await openLevelStore(folder, log as never) },
  });
  await store.batch([put('outbox/1', 'of this life')]);
  await wait(time, 10_000);
  expect(store.state).toBe('ok');
  await store.close();
  expect(lines.some(({ message }) => /moved aside/.test(message))).toBe(true);
  const after = await openLevelStore(dir, log as never);
  expect(await content(after)).toEqual({ 'outbox/1': 'of this life' });
  await after.close();
});

it('is an alert of its own kind, and ends when the disk is back', () => {
  const changes: { event: string; kind: string; values: unknown }[] = [];
  const engine = new AlarmEngine({
    sensor: 'chest',
    settings: settingsWith(),
    emit: ({ event, kind, values }) => changes.push({ event, kind, values }),
    newId: () => `id-${changes.length}`,
    capture: () => undefined,
    modelInfo: () => null,
  });
  const device = { outboxFull: false, shedAlerts: 0, clockSynced: true };
  const run = (fromMs: number, toMs: number, memoryOnly: boolean) => {
    for (let tMs = fromMs; tMs < toMs; tMs += 100) {
      engine.link(tMs, 'data');
      if (tMs % 1000 === 0) engine.device(tMs, { ...device, memoryOnly });
      engine.tick(tMs);
    }
  };
  run(0, 5000, true);
  expect(changes).toEqual([
    { event: 'new', kind: 'outbox-full', values: { shedAlerts: 0, disk: 'cannot be written' } },
  ]);
  run(5000, 120_000, false);
  expect(changes.filter(({ kind }) => kind === 'outbox-full').map(({ event }) => event)).toEqual(['new', 'end']);
});

/** A disk of one megabyte, where this user may mount one. */
function smallDisk(): string | null {
  const folder = temporaryFolder();
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=1m', 'tmpfs', folder], { stdio: 'ignore' });
  } catch {
    return null;
  }
  afterwards(() => execFileSync('umount', [folder]));
  return folder;
}

it('on a disk that is really full', async ({ skip }) => {
  const disk = smallDisk();
  if (disk === null) skip('this user may not mount a small disk');
  const time = new ManualTime();
  const { log } = collectLog();
  const open = () => openStateStore(disk!, '1.0.0', log as never, undefined, undefined, time);
  const first = await open();
  expect(first.state).toBe('ok');
  await first.batch([put('outbox/1', 'unsent')]);
  await first.close();

  const filler = join(disk!, 'filler');
  await writeFile(filler, Buffer.alloc(2 << 20)).catch(() => undefined);
  const store = await open();
  expect(store.state).toBe('memory-only');
  expect(await content(store)).toEqual({ 'outbox/1': 'unsent' });
  await store.batch([put('outbox/2', 'raised on a full disk')]);
  await wait(time, 10_000);
  expect(store.state).toBe('memory-only');

  await truncate(filler, 0);
  await rm(filler);
  await wait(time, 10_000);
  expect(store.state).toBe('ok');
  await store.close();
  const after = await open();
  expect(after.state).toBe('ok');
  expect(await content(after)).toEqual({ 'outbox/1': 'unsent', 'outbox/2': 'raised on a full disk' });
  await after.close();
});

import { cp, mkdir, mkdtemp, readdir, readFile, rm, stat, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ClassicLevel } from 'classic-level';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { type DurableStore, openLevelStore } from '../../src/daemon/level-store.js';
import { collectLog } from '../delivery/support/world.js';

/** Story 15 of the acceptance criteria: the power goes at any moment. */

let root: string;
beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'slothd-store-'));
});
afterEach(() => rm(root, { recursive: true, force: true }));

async function contents(store: DurableStore): Promise<Map<string, string>> {
  const found = new Map<string, string>();
  for await (const [key, value] of store.scan('')) found.set(key, value);
  return found;
}

const quiet = () => collectLog().log;

async function fileOf(dir: string, pattern: RegExp): Promise<string> {
  const name = (await readdir(dir)).find((file) => pattern.test(file));
  if (!name) throw new Error(`no ${pattern} in ${dir}`);
  return join(dir, name);
}

/** A store cut off in the middle of its life: what its files look like while it is open, after `n` synced batches. */
async function storeInMidLife(n: number) {
  const live = join(root, 'live');
  const store = await openLevelStore(live, quiet());
  const log = await fileOf(live, /\.log$/);
  const sizes: number[] = [];
  for (let i = 0; i < n; i++) {
    await store.batch([
      { key: `outbox/${String(i).padStart(3, '0')}`, value: JSON.stringify({ n: i, text: 'beat '.repeat(4) }) },
      { key: 'alarm/state', value: String(i) },
    ]);
    sizes.push((await stat(log)).size);
  }
  const picture = join(root, 'picture');
  await cp(live, picture, { recursive: true });
  await store.close();
  return { picture, sizes };
}

async function copyOf(picture: string): Promise<string> {
  const dir = join(root, 'case');
  await rm(dir, { recursive: true, force: true });
  for (const name of await readdir(root)) {
    if (name.startsWith('case.corrupt')) await rm(join(root, name), { recursive: true, force: true });
  }
  await cp(picture, dir, { recursive: true });
  return dir;
}

describe('the store truncated at every byte', () => {
  test('its log: opens, and nothing whose write had ended before is missing; a batch is there whole or not at all', async () => {
    const { picture, sizes } = await storeInMidLife(4);
    const size = sizes.at(-1) ?? 0;
    expect(size).toBeGreaterThan(400);
    for (let cut = 0; cut <= size; cut++) {
      const dir = await copyOf(picture);
      await truncate(await fileOf(dir, /\.log$/), cut);
      const store = await openLevelStore(dir, quiet());
      const found = await contents(store);
      await store.close();
      const acknowledged = sizes.filter((end) => end <= cut).length;
      const entries = [...found.keys()].filter((key) => key.startsWith('outbox/')).length;
      expect(entries, `cut at ${cut}`).toBe(acknowledged);
      expect(found.get('alarm/state'), `cut at ${cut}`).toBe(entries === 0 ? undefined : String(entries - 1));
    }
  }, 120_000);

  test.each([
    ['its manifest', /^MANIFEST-/],
    ['its pointer to the manifest', /^CURRENT$/],
  ])('%s: opens, and everything is still there', async (_what, pattern) => {
    const { picture } = await storeInMidLife(8);
    const { size } = await stat(await fileOf(picture, pattern));
    for (let cut = 0; cut <= size; cut++) {
      const dir = await copyOf(picture);
      await truncate(await fileOf(dir, pattern), cut);
      const store = await openLevelStore(dir, quiet());
      const found = await contents(store);
      await store.batch([{ key: 'after', value: 'works' }]);
      await store.close();
      expect(
        [...found.keys()].filter((key) => key.startsWith('outbox/')),
        `cut at ${cut}`,
      ).toHaveLength(8);
    }
  });

  test('its tables (sampled): opens and takes writes', async () => {
    const { picture } = await storeInMidLife(8);
    // Opening turns the log into a table.
    await (await openLevelStore(picture, quiet())).close();
    const { size } = await stat(await fileOf(picture, /\.ldb$/));
    for (let cut = 0; cut <= size; cut += 25) {
      const dir = await copyOf(picture);
      await truncate(await fileOf(dir, /\.ldb$/), cut);
      const store = await openLevelStore(dir, quiet());
      await store.batch([{ key: 'after', value: 'works' }]);
      expect((await contents(store)).get('after'), `cut at ${cut}`).toBe('works');
      await store.close();
    }
  });

  test('any single file missing: opens and takes writes', async () => {
    const { picture } = await storeInMidLife(8);
    for (const name of await readdir(picture)) {
      const dir = await copyOf(picture);
      await rm(join(dir, name));
      const store = await openLevelStore(dir, quiet());
      await store.batch([{ key: 'after', value: 'works' }]);
      expect((await contents(store)).get('after'), name).toBe('works');
      await store.close();
    }
  });
});

test('flipped bits anywhere: opens, and never returns a value that was not written', async () => {
  const { picture } = await storeInMidLife(8);
  const good = await contentsOfCopy(picture);
  for (const pattern of [/\.log$/, /^MANIFEST-/, /^CURRENT$/]) {
    const bytes = await readFile(await fileOf(picture, pattern));
    for (let at = 0; at < bytes.length; at += 19) {
      const dir = await copyOf(picture);
      const bad = Buffer.from(bytes);
      bad[at]! ^= 1 << (at % 8);
      await writeFile(await fileOf(dir, pattern), bad);
      const store = await openLevelStore(dir, quiet());
      for (const [key, value] of await contents(store)) {
        if (key === 'alarm/state') expect(Number(value)).toBeLessThan(8);
        else expect(value, `bit at ${at} of ${pattern}`).toBe(good.get(key));
      }
      await store.close();
    }
  }
}, 60_000);

async function contentsOfCopy(picture: string): Promise<Map<string, string>> {
  const store = await openLevelStore(await copyOf(picture), quiet());
  const found = await contents(store);
  await store.close();
  return found;
}

test('an entry whose checksum does not fit is stepped over and counted', async () => {
  const dir = join(root, 'store');
  const store = await openLevelStore(dir, quiet());
  await store.batch([
    { key: 'a', value: 'one' },
    { key: 'b', value: 'two' },
  ]);
  await store.close();
  // Written past our checksums, as a card that returns the wrong block would.
  const raw = new ClassicLevel(dir);
  const two = await raw.get('b');
  await raw.put('a', String(two));
  await raw.close();
  const { log, lines } = collectLog();
  const again = await openLevelStore(dir, log);
  expect(again.badEntries).toBe(1);
  expect([...(await contents(again))]).toEqual([['b', 'two']]);
  expect(lines.some(({ level }) => level === 'error')).toBe(true);
  await again.close();
});

test('beyond repair: moved aside with a loud word, a fresh one begun, and only so many kept', async () => {
  const dir = join(root, 'store');
  for (let round = 0; round < 5; round++) {
    await rm(dir, { recursive: true, force: true });
    // Folders where LevelDB wants files: neither opening nor repair can get past them.
    await mkdir(join(dir, 'CURRENT'), { recursive: true });
    await mkdir(join(dir, 'MANIFEST-000001', 'x'), { recursive: true });
    const { log, lines } = collectLog();
    const store = await openLevelStore(dir, log);
    await store.batch([{ key: 'k', value: 'v' }]);
    expect((await contents(store)).get('k')).toBe('v');
    expect(store.state).toBe('fresh-after-corruption');
    expect(lines.some(({ level }) => level === 'error')).toBe(true);
    await store.close();
  }
  const aside = (await readdir(root)).filter((name) => name.startsWith('store.corrupt-'));
  expect(aside.length).toBeLessThanOrEqual(3);
});

test('a folder that cannot be: a store in memory, loudly', async () => {
  const file = join(root, 'file');
  await writeFile(file, 'not a folder');
  const { log, lines } = collectLog();
  const store = await openLevelStore(file, log);
  expect(store.state).toBe('memory-only');
  await store.batch([{ key: 'k', value: 'v' }]);
  expect((await contents(store)).get('k')).toBe('v');
  expect(lines.some(({ level }) => level === 'error')).toBe(true);
  await store.close();
});

test('two daemons on one folder: the second is told so', async () => {
  const dir = join(root, 'store');
  const store = await openLevelStore(dir, quiet());
  await expect(openLevelStore(dir, quiet())).rejects.toThrow(/in use by another slothd/);
  await store.batch([{ key: 'k', value: 'v' }]);
  await store.close();
});

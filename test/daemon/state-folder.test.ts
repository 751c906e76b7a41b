import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { openLevelStore } from '../../src/daemon/level-store.js';
import { openStateStore } from '../../src/daemon/state-folder.js';
import { temporaryFolder } from '../e2e/support/world.js';

function quiet() {
  const errors: string[] = [];
  const note = (...args: unknown[]) => void errors.push(args.map((arg) => JSON.stringify(arg)).join(' '));
  return { info: () => undefined, warn: note, error: note, errors } as never as Parameters<typeof openLevelStore>[1] & {
    errors: string[];
  };
}

async function content(store: Awaited<ReturnType<typeof openStateStore>>): Promise<Record<string, string>> {
  const found: Record<string, string> = {};
  for await (const [key, value] of store.scan('')) found[key] = value;
  return found;
}

const entry = { key: 'outbox/1', value: '{"v":1}' };

describe('the state folder between versions', () => {
  it('takes over a store of the layout before formats were noted', async () => {
    const dir = temporaryFolder();
    const old = await openLevelStore(dir, quiet());
    await old.batch([entry]);
    await old.close();
    const store = await openStateStore(dir, '0.2.0', quiet());
    expect(await content(store)).toEqual({ 'outbox/1': '{"v":1}' });
    await store.close();
    expect(existsSync(join(dir, 'CURRENT'))).toBe(false);
    expect(JSON.parse(readFileSync(join(dir, 'format.json'), 'utf8'))).toEqual({ store: 1, by: '0.2.0' });
    // And again, with nothing left to move.
    const again = await openStateStore(dir, '0.2.0', quiet());
    expect(await content(again)).toEqual({ 'outbox/1': '{"v":1}' });
    await again.close();
  });

  it('upgrade: each step runs once, in order', async () => {
    const dir = temporaryFolder();
    const first = await openStateStore(dir, '1.0.0', quiet(), 1);
    await first.batch([entry]);
    await first.close();
    const ran: number[] = [];
    const steps = {
      1: async (store: typeof first) => {
        ran.push(1);
        await store.batch([{ key: 'outbox/1', value: '{"v":2}' }]);
      },
      2: async () => void ran.push(2),
    };
    for (let start = 0; start < 2; start++) {
      const store = await openStateStore(dir, '3.0.0', quiet(), 3, steps);
      expect(await content(store)).toEqual({ 'outbox/1': '{"v":2}' });
      await store.close();
    }
    expect(ran).toEqual([1, 2]);
  });

  it('downgrade: a newer store is kept untouched, said, and a fresh one begun', async () => {
    const dir = temporaryFolder();
    const newer = await openStateStore(dir, '3.0.0', quiet(), 3);
    await newer.batch([entry]);
    await newer.close();
    const log = quiet();
    const store = await openStateStore(dir, '1.0.0', log, 1);
    expect(await content(store)).toEqual({});
    expect(log.errors.join()).toMatch(/written by a newer slothd \(3\.0\.0\): kept in .*store\.format-3/);
    await store.close();
    expect(readdirSync(dir).sort()).toEqual(['format.json', 'store', 'store.format-3']);
    const aside = await openLevelStore(join(dir, 'store.format-3'), quiet());
    expect(await content(aside as never)).toEqual({ 'outbox/1': '{"v":1}' });
    await aside.close();
  });
});

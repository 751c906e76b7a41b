import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { GzipMember } from '../../../src/daemon/flight/gzip-member.js';
import { FlightShelf } from '../../../src/daemon/flight/shelf.js';

let dir = '';
const warnings: unknown[] = [];
const log = { warn: (...args: unknown[]) => warnings.push(args) } as never;

beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'slothd-shelf-'));
  warnings.length = 0;
});
afterEach(() => rm(dir, { recursive: true, force: true }));

/** Bytes that gzip cannot make smaller. */
const noise = (length: number, seed: number) => {
  let x = seed;
  return Uint8Array.from({ length }, () => {
    x = (x * 16_807) % 2_147_483_647;
    return x & 255;
  });
};

describe('frozen stretches on the disk', () => {
  it('are there for the next process, the newest version of each', async () => {
    const shelf = new FlightShelf(join(dir, 'flight'), 1e6, log);
    shelf.save('a-1', [new GzipMember(noise(100, 1))]);
    shelf.save('a-1', [new GzipMember(noise(60, 2)), new GzipMember(noise(60, 3))]);
    await shelf.settled();
    const next = new FlightShelf(join(dir, 'flight'), 1e6, log);
    expect(await next.load('a-1')).toEqual(Buffer.concat([noise(60, 2), noise(60, 3)]));
    expect(await next.load('b')).toBeNull();
    expect(await next.load('../a-1')).toBeNull();
  });

  it('are bounded in bytes: the oldest goes, and so does what a crash left half written', async () => {
    await writeFile(join(dir, 'x.slothrec.gz.new'), 'half');
    const shelf = new FlightShelf(dir, 35_000, log);
    for (const [i, id] of ['a', 'b', 'c', 'd', 'e'].entries()) {
      shelf.save(id, [new GzipMember(noise(10_000, i + 1))]);
      await shelf.settled();
      await new Promise((resolve) => setTimeout(resolve, 15));
    }
    expect((await readdir(dir)).sort()).toEqual(['c.slothrec.gz', 'd.slothrec.gz', 'e.slothrec.gz']);
  });

  it('cost nothing but themselves where the disk cannot be written', async () => {
    await writeFile(join(dir, 'file'), '');
    const shelf = new FlightShelf(join(dir, 'file', 'below'), 1e6, log);
    shelf.save('a', [new GzipMember(noise(10, 1))]);
    await shelf.settled();
    expect(warnings).toHaveLength(1);
    expect(await shelf.load('a')).toBeNull();
  });

  it('wait in bounded memory: in a storm on a slow disk some are left out, and that is said once', async () => {
    const shelf = new FlightShelf(join(dir, 'flight'), 1e9, log);
    const big = new Uint8Array(30 * 1024 * 1024);
    for (const id of ['a', 'b', 'c', 'd']) shelf.save(id, [new GzipMember(big)]);
    await shelf.settled();
    expect((await readdir(join(dir, 'flight'))).sort()).toEqual(['a.slothrec.gz', 'b.slothrec.gz']);
    expect(warnings).toHaveLength(1);
    shelf.save('e', [new GzipMember(big)]);
    await shelf.settled();
    expect(await shelf.load('e')).toHaveLength(big.length);
    expect(warnings).toHaveLength(1);
  });

  it('are kept again where somebody removed their folder', async () => {
    const shelf = new FlightShelf(join(dir, 'flight'), 1e6, log);
    shelf.save('a', [new GzipMember(noise(10, 1))]);
    await shelf.settled();
    await rm(join(dir, 'flight'), { recursive: true });
    shelf.save('b', [new GzipMember(noise(10, 2))]);
    await shelf.settled();
    shelf.save('c', [new GzipMember(noise(10, 3))]);
    await shelf.settled();
    expect(await shelf.load('c')).toEqual(Buffer.from(noise(10, 3)));
  });
});

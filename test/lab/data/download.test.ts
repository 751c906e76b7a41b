import { createHash } from 'node:crypto';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Database } from '../../../src/lab/data/catalogue.js';
import { downloadDatabase } from '../../../src/lab/data/download.js';
import { findDatabase, needDatabase } from '../../../src/lab/data/find.js';

const files: Record<string, Buffer> = { '1.dat': Buffer.alloc(50_000, 7), '1.hea': Buffer.from('1 1 250 10\n') };
const database: Database = { name: 'db', title: '', path: 'db/1/', files: /^\d\.(dat|hea)$/, cite: '' };

let server: Server;
let archive: string;
let folder: string;
let requests: string[];
/** Bytes after which the first answer for a .dat breaks off. */
let breakAfter: number | null;
let corrupt: boolean;

beforeEach(async () => {
  requests = [];
  breakAfter = null;
  corrupt = false;
  server = createServer((request, response) => {
    const name = request.url!.split('/').pop()!;
    const range = /bytes=(\d+)-/.exec(request.headers.range ?? '');
    requests.push(`${name}${range ? `@${range[1]}` : ''}`);
    if (name === 'SHA256SUMS.txt') {
      const lines = Object.entries(files).map(
        ([file, body]) => `${createHash('sha256').update(body).digest('hex')} ${file}`,
      );
      response.end([...lines, `${'0'.repeat(64)} ../evil.dat`, `${'0'.repeat(64)} RECORDS`].join('\n'));
      return;
    }
    const body = files[name]!;
    const from = range ? Number(range[1]) : 0;
    response.writeHead(range ? 206 : 200, { 'Content-Length': body.length - from });
    if (breakAfter !== null && name.endsWith('.dat')) {
      // Cut once the bytes are through: what a reset overtakes never reaches the reader.
      response.write(body.subarray(from, breakAfter), () => setTimeout(() => response.destroy(), 150));
      breakAfter = null;
      return;
    }
    response.end(corrupt && name.endsWith('.dat') ? Buffer.alloc(body.length - from, 8) : body.subarray(from));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  archive = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
  folder = await mkdtemp(join(tmpdir(), 'slothd-data-'));
});

afterEach(async () => {
  server.closeAllConnections();
  server.close();
  await rm(folder, { recursive: true });
});

const get = () => downloadDatabase(database, { archive, folder, onProgress: () => {} });

describe('downloadDatabase', () => {
  it('fetches what the archive lists and the database uses, nothing else, and only once', async () => {
    expect(await get()).toEqual({ total: 2, fetched: 2 });
    expect((await readdir(join(folder, 'db'))).sort()).toEqual(['1.dat', '1.hea']);
    expect(await readFile(join(folder, 'db', '1.dat'))).toEqual(files['1.dat']);
    expect(await get()).toEqual({ total: 2, fetched: 0 });
  });

  it('goes on where a broken download stopped', async () => {
    breakAfter = 20_000;
    await get();
    expect(requests.filter((name) => name.startsWith('1.dat@'))).toHaveLength(1);
    expect(await readFile(join(folder, 'db', '1.dat'))).toEqual(files['1.dat']);
  });

  it('mends a file that was changed on the disk', async () => {
    await get();
    await writeFile(join(folder, 'db', '1.dat'), 'spoilt');
    expect(await get()).toEqual({ total: 2, fetched: 1 });
  });

  it('refuses bytes that do not match their checksum and leaves no such file behind', async () => {
    corrupt = true;
    await expect(get()).rejects.toThrow(/checksum/);
    expect(await readdir(join(folder, 'db'))).toEqual([]);
  });

  it('says so when the archive is out of reach', async () => {
    await expect(
      downloadDatabase(database, { archive: 'http://127.0.0.1:1/', folder, onProgress: () => {} }),
    ).rejects.toThrow(/cannot be reached/);
  });
});

describe('findDatabase', () => {
  it('looks in $SLOTHD_DATA, then in the cache, and says how to get what is missing', async () => {
    await get();
    expect(findDatabase('db', { SLOTHD_DATA: folder })).toBe(join(folder, 'db'));
    expect(findDatabase('db', { XDG_CACHE_HOME: folder })).toBeNull();
    expect(() => needDatabase('db', { XDG_CACHE_HOME: folder })).toThrow(/slothd data get db/);
  });
});

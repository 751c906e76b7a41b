import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { mkdir, open, rename, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { CHECKSUMS, type Database } from './catalogue.js';
import { LabDataError } from './find.js';

export interface DownloadProgress {
  readonly file: string;
  readonly done: number;
  readonly total: number;
  readonly bytes: number;
}

export interface DownloadOptions {
  readonly archive: string;
  readonly folder: string;
  readonly onProgress: (progress: DownloadProgress) => void;
  readonly fetch?: typeof fetch;
  readonly signal?: AbortSignal;
}

const TRIES = 4;

/**
 * Downloads a database into `folder`/name: what is there and right is kept, a file that broke off goes on where it
 * stopped, every file is checked against the archive's SHA-256, and none appears under its name before it is whole.
 * @returns how many files there are, and how many had to be fetched
 * @throws LabDataError
 */
export async function downloadDatabase(
  database: Database,
  options: DownloadOptions,
): Promise<{ total: number; fetched: number }> {
  const base = options.archive + database.path;
  const sums = await fetchSums(base, database, options);
  const target = join(options.folder, database.name);
  await mkdir(target, { recursive: true });
  let fetched = 0;
  let done = 0;
  let bytes = 0;
  for (const [file, sha256] of sums) {
    const path = join(target, file);
    if ((await hashOf(path)) !== sha256) {
      bytes += await fetchFile(base + file, path, sha256, options);
      fetched++;
    }
    options.onProgress({ file, done: ++done, total: sums.size, bytes });
  }
  return { total: sums.size, fetched };
}

async function fetchSums(base: string, database: Database, options: DownloadOptions): Promise<Map<string, string>> {
  const response = await get(base + CHECKSUMS, {}, options);
  if (!response.ok) throw new LabDataError(`${base}${CHECKSUMS}: the archive answered ${response.status}`);
  const sums = new Map<string, string>();
  for (const line of (await response.text()).split('\n')) {
    const [, sha256, file] = /^([0-9a-f]{64})\s+\*?(\S+)\s*$/.exec(line) ?? [];
    // The pattern admits plain names only, so nothing can be written outside the folder.
    if (sha256 && file && database.files.test(file)) sums.set(file, sha256);
  }
  if (sums.size === 0) throw new LabDataError(`${base}${CHECKSUMS} lists none of the expected files`);
  return sums;
}

/** @returns bytes received */
async function fetchFile(url: string, path: string, sha256: string, options: DownloadOptions): Promise<number> {
  const part = `${path}.part`;
  let received = 0;
  for (let attempt = 1; ; attempt++) {
    try {
      const have = (await stat(part).catch(() => null))?.size ?? 0;
      const response = await get(url, have > 0 ? { Range: `bytes=${have}-` } : {}, options);
      if (response.status === 416) await rm(part, { force: true });
      else if (!response.ok || !response.body) throw new Error(`the archive answered ${response.status}`);
      else {
        const file = await open(part, response.status === 206 ? 'a' : 'w');
        try {
          for await (const chunk of response.body) {
            await file.write(chunk);
            received += chunk.length;
          }
        } finally {
          await file.close();
        }
      }
      if ((await hashOf(part)) === sha256) {
        await rename(part, path);
        return received;
      }
      await rm(part, { force: true });
      throw new Error('what came does not match its checksum');
    } catch (error) {
      if (options.signal?.aborted || attempt === TRIES) {
        throw new LabDataError(`${url}: ${(error as Error).message} (what came so far is kept; run the command again)`);
      }
    }
  }
}

async function get(url: string, headers: Record<string, string>, options: DownloadOptions): Promise<Response> {
  try {
    return await (options.fetch ?? fetch)(url, { headers, signal: options.signal });
  } catch (error) {
    const cause = (error as { cause?: Error }).cause?.message;
    throw new LabDataError(`${url} cannot be reached: ${cause ?? (error as Error).message}`);
  }
}

async function hashOf(path: string): Promise<string | null> {
  if (!(await stat(path).catch(() => null))) return null;
  const hash = createHash('sha256');
  await pipeline(createReadStream(path), hash);
  return hash.digest('hex');
}

import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';

export interface Asset {
  readonly type: string;
  readonly body: Buffer;
}

/** The page's files, by the only paths it may be asked for: nothing outside this list can be read. */
const FILES: Readonly<Record<string, readonly [file: string, type: string]>> = {
  '/': ['index.html', 'text/html; charset=utf-8'],
  '/dashboard.css': ['dashboard.css', 'text/css; charset=utf-8'],
  '/dashboard.js': ['dashboard.js', 'text/javascript; charset=utf-8'],
};

/** They stand beside the sources and are not compiled; dist/watch/dashboard is two folders deeper than the package. */
const FOLDER = new URL('../../../src/watch/dashboard/page/', import.meta.url);

const cache = new Map<string, Asset>();

/** @returns the file behind a URL path, or null */
export async function findAsset(path: string): Promise<Asset | null> {
  const entry = Object.hasOwn(FILES, path) ? FILES[path] : undefined;
  if (!entry) return null;
  const [file, type] = entry;
  let asset = cache.get(file);
  if (!asset) {
    asset = { type, body: await readFile(fileURLToPath(new URL(file, FOLDER))) };
    cache.set(file, asset);
  }
  return asset;
}

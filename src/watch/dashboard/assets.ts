import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';

export interface Asset {
  readonly type: string;
  readonly body: Buffer;
  readonly gzipped: Buffer;
}

/** They stand beside the sources and are not compiled; dist/watch/dashboard is as deep in the package as src/. */
const PAGE = fileURLToPath(new URL('../../../src/watch/dashboard/page/', import.meta.url));
const DOCS = fileURLToPath(new URL('../../../docs/', import.meta.url));
const TEXT = 'text/plain; charset=utf-8';
const HTML = 'text/html; charset=utf-8';
const CSS = 'text/css; charset=utf-8';
const SCRIPT = 'text/javascript; charset=utf-8';

/** Where uPlot's files are, wherever npm has put the package. */
const uPlot = (file: string) => () =>
  join(dirname(createRequire(import.meta.url).resolve('uplot/package.json')), 'dist', file);
const doc = (file: string) => () => join(DOCS, file);
const own = (file: string) => () => join(PAGE, file);

/** The page's files, by the only paths it may be asked for: nothing outside this list can be read. */
const FILES: Readonly<Record<string, readonly [file: () => string, type: string]>> = {
  '/': [own('index.html'), HTML],
  '/dashboard.css': [own('dashboard.css'), CSS],
  '/dashboard.js': [own('dashboard.js'), SCRIPT],
  '/elements.js': [own('elements.js'), SCRIPT],
  '/sensors.js': [own('sensors.js'), SCRIPT],
  '/trace.js': [own('trace.js'), SCRIPT],
  '/intervals.js': [own('intervals.js'), SCRIPT],
  '/alerts.js': [own('alerts.js'), SCRIPT],
  '/kinds.js': [own('kinds.js'), SCRIPT],
  '/latency.js': [own('latency.js'), SCRIPT],
  '/system.js': [own('system.js'), SCRIPT],
  '/docs/dashboards': [doc('dashboards.md'), TEXT],
  '/docs/latency': [doc('latency.md'), TEXT],
  '/uplot.js': [uPlot('uPlot.iife.min.js'), SCRIPT],
  '/uplot.css': [uPlot('uPlot.min.css'), CSS],
};

/** Every path of the page, for tests of its size. */
export const ASSET_PATHS: readonly string[] = Object.keys(FILES);

const cache = new Map<string, Asset>();

/** @returns the file behind a URL path, or null */
export async function findAsset(path: string): Promise<Asset | null> {
  const entry = Object.hasOwn(FILES, path) ? FILES[path] : undefined;
  if (!entry) return null;
  let asset = cache.get(path);
  if (!asset) {
    const [file, type] = entry;
    const body = await readFile(file());
    asset = { type, body, gzipped: gzipSync(body, { level: 9 }) };
    cache.set(path, asset);
  }
  return asset;
}

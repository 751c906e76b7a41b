// What `npm ci` downloads and lays down on a fresh machine: everything, and what a device needs alone.
// Usage: npm run bench:install
import { execFileSync, spawnSync } from 'node:child_process';
import { copyFileSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { save, table } from './lib/report.mjs';

const megabytes = (folder) =>
  Math.round(Number(execFileSync('du', ['-sb', folder]).toString().split('\t')[0]) / 1e5) / 10;
const rows = [];
const results = {};
for (const [name, omit] of [
  ['everything (laptop, lab)', []],
  ['a device (no lab, no tests)', ['--omit=optional', '--omit=dev']],
]) {
  const folder = mkdtempSync(join(tmpdir(), 'slothd-install-'));
  const cache = join(folder, 'cache');
  for (const file of ['package.json', 'package-lock.json', '.npmrc']) copyFileSync(file, join(folder, file));
  const started = performance.now();
  const { status, stderr } = spawnSync('npm', ['ci', '--cache', cache, ...omit], { cwd: folder });
  if (status !== 0) throw new Error(stderr.toString());
  const seconds = Math.round((performance.now() - started) / 100) / 10;
  results[name] = { downloadMB: megabytes(cache), installedMB: megabytes(join(folder, 'node_modules')), seconds };
  rows.push([name, ...Object.values(results[name])]);
  rmSync(folder, { recursive: true });
}
save('install', { results });
table(['npm ci', 'download MB', 'installed MB', 'seconds'], rows);

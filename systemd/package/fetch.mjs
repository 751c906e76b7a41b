// Packages of the npm registry that `npm ci` does not bring: those of another architecture.
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';

/**
 * The unpacked package `name@version`, downloaded once into `cache` and checked against `integrity` at each use.
 * @returns folder with the package's files
 * @throws Error when the content is not what was pinned
 */
export function fetchPackage(name, version, integrity, cache) {
  mkdirSync(cache, { recursive: true });
  const archive = join(cache, `${name.replace(/^@/, '').replace('/', '-')}-${version}.tgz`);
  if (!existsSync(archive)) {
    execFileSync('npm', ['pack', '--silent', '--pack-destination', cache, `${name}@${version}`], {
      stdio: ['ignore', 'ignore', 'inherit'],
    });
  }
  const found = `sha512-${createHash('sha512').update(readFileSync(archive)).digest('base64')}`;
  if (found !== integrity) {
    rmSync(archive);
    throw new Error(`${name}@${version}: its content is ${found}, pinned is ${integrity}`);
  }
  const folder = archive.replace(/\.tgz$/, '');
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder);
  execFileSync('tar', ['--extract', '--gzip', '--strip-components=1', '--directory', folder, '--file', archive]);
  return folder;
}

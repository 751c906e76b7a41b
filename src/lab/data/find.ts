import { statSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';

/** Recordings that are not there; the message says how to get them. */
export class LabDataError extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'LabDataError';
  }
}

/** Where `slothd data get` puts recordings: the user's cache. */
export function cacheFolder(env: NodeJS.ProcessEnv = process.env): string {
  return join(env.XDG_CACHE_HOME || join(homedir(), '.cache'), 'slothd', 'data');
}

/** Where recordings are looked for, first $SLOTHD_DATA, then the cache. */
export function dataFolders(env: NodeJS.ProcessEnv = process.env): string[] {
  return [...(env.SLOTHD_DATA ? [env.SLOTHD_DATA] : []), cacheFolder(env)];
}

/** The folder of one database, or null where it is not on this machine. */
export function findDatabase(name: string, env: NodeJS.ProcessEnv = process.env): string | null {
  for (const folder of dataFolders(env)) {
    const path = join(folder, name);
    if (statSync(path, { throwIfNoEntry: false })?.isDirectory()) return path;
  }
  return null;
}

/** As `findDatabase`. @throws LabDataError where it is not there */
export function needDatabase(name: string, env: NodeJS.ProcessEnv = process.env): string {
  const found = findDatabase(name, env);
  if (found) return found;
  throw new LabDataError(
    `the recordings '${name}' are not in ${dataFolders(env).join(' or ')}: \`slothd data get ${name}\` downloads them`,
  );
}

import { execFile } from 'node:child_process';
import { constants } from 'node:fs';
import { access, readdir, readFile, readlink, realpath, statfs } from 'node:fs/promises';
import { userInfo } from 'node:os';

export interface DiskFigures {
  readonly freeBytes: number;
  readonly freeInodes: number;
  /** 0 where the file system counts none (btrfs, vfat). */
  readonly inodes: number;
}

/** The machine as the checks see it; a test brings its own. Nothing here throws: what cannot be read is null or empty. */
export interface System {
  readonly user: string;
  text(path: string): Promise<string | null>;
  list(folder: string): Promise<readonly string[]>;
  /** Where a link points, unresolved. */
  link(path: string): Promise<string | null>;
  /** The file itself behind all links; null where there is none. */
  real(path: string): Promise<string | null>;
  mayReadAndWrite(path: string): Promise<boolean>;
  disk(path: string): Promise<DiskFigures | null>;
  /** Standard output of a program; null where it is missing or fails. */
  run(program: string, args: readonly string[]): Promise<string | null>;
  wallMs(): number;
}

const RUN_MS = 5000;

export const thisMachine: System = {
  user: userInfo().username,
  text: (path) => readFile(path, 'utf8').catch(() => null),
  list: (folder) => readdir(folder).catch(() => []),
  link: (path) => readlink(path).catch(() => null),
  real: (path) => realpath(path).catch(() => null),
  mayReadAndWrite: (path) =>
    access(path, constants.R_OK | constants.W_OK).then(
      () => true,
      () => false,
    ),
  disk: (path) =>
    statfs(path).then(
      ({ bavail, bsize, ffree, files }) => ({ freeBytes: bavail * bsize, freeInodes: ffree, inodes: files }),
      () => null,
    ),
  run: (program, args) =>
    new Promise((resolve) => {
      execFile(program, [...args], { timeout: RUN_MS }, (error, stdout) => resolve(error ? null : stdout));
    }),
  wallMs: () => Date.now(),
};

export interface Process {
  readonly pid: number;
  readonly name: string;
}

/** Every process that can be seen, from /proc. */
export async function processes(system: System): Promise<Process[]> {
  const pids = (await system.list('/proc')).filter((name) => /^\d+$/.test(name));
  const names = await Promise.all(pids.map((pid) => system.text(`/proc/${pid}/comm`)));
  return pids.flatMap((pid, index) => (names[index] == null ? [] : [{ pid: Number(pid), name: names[index]!.trim() }]));
}

/** Who has a file open. Other people's processes show this only to root. */
export async function holdersOf(path: string, system: System): Promise<Process[]> {
  const holders: Process[] = [];
  for (const process of await processes(system)) {
    const folder = `/proc/${process.pid}/fd`;
    const targets = await Promise.all((await system.list(folder)).map((fd) => system.link(`${folder}/${fd}`)));
    if (targets.includes(path)) holders.push(process);
  }
  return holders;
}

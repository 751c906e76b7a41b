import { execFile } from 'node:child_process';
import { constants } from 'node:fs';
import { access, readdir, readFile, readlink, realpath, stat, statfs } from 'node:fs/promises';
import { userInfo } from 'node:os';

export interface DiskFigures {
  readonly freeBytes: number;
  readonly freeInodes: number;
  /** 0 where the file system counts none (btrfs, vfat). */
  readonly inodes: number;
}

/** Whose a file is, and its mode with the kind of file (inode(7)). */
export interface Owner {
  readonly uid: number;
  readonly gid: number;
  readonly mode: number;
}

/** The machine as the checks see it; a test brings its own. Nothing here throws: what cannot be read is null or empty. */
export interface System {
  readonly user: string;
  /** Root is refused nothing, so what others may do is judged by owners and modes. */
  readonly isRoot: boolean;
  text(path: string): Promise<string | null>;
  list(folder: string): Promise<readonly string[]>;
  /** Where a link points, unresolved. */
  link(path: string): Promise<string | null>;
  /** The file itself behind all links; null where there is none. */
  real(path: string): Promise<string | null>;
  mayReadAndWrite(path: string): Promise<boolean>;
  /** Why a file or folder may not be written to: the system's code, such as EROFS; null where it may. */
  whyNotWritable(path: string): Promise<string | null>;
  owner(path: string): Promise<Owner | null>;
  disk(path: string): Promise<DiskFigures | null>;
  /** Standard output of a program; null where it is missing or fails. */
  run(program: string, args: readonly string[]): Promise<string | null>;
  wallMs(): number;
}

const RUN_MS = 5000;

export const thisMachine: System = {
  user: userName(),
  isRoot: process.getuid?.() === 0,
  text: (path) => readFile(path, 'utf8').catch(() => null),
  list: (folder) => readdir(folder).catch(() => []),
  link: (path) => readlink(path).catch(() => null),
  real: (path) => realpath(path).catch(() => null),
  mayReadAndWrite: (path) =>
    access(path, constants.R_OK | constants.W_OK).then(
      () => true,
      () => false,
    ),
  whyNotWritable: (path) =>
    access(path, constants.W_OK).then(
      () => null,
      ({ code }: NodeJS.ErrnoException) => code ?? 'EACCES',
    ),
  owner: (path) =>
    stat(path).then(
      ({ uid, gid, mode }) => ({ uid, gid, mode }),
      () => null,
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

/** A container may run us under a number that has no name. */
function userName(): string {
  try {
    return userInfo().username;
  } catch {
    return `user ${process.getuid?.() ?? '?'}`;
  }
}

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

/**
 * Who has a terminal open. Other people's processes show this only to root. Who keeps the other end of a virtual port
 * (`slothd simulate`, socat) keeps this one open, too, and is no rival.
 */
export async function holdersOf(path: string, system: System): Promise<Process[]> {
  const holders: Process[] = [];
  for (const process of await processes(system)) {
    const folder = `/proc/${process.pid}/fd`;
    const fds = await system.list(folder);
    const targets = await Promise.all(fds.map((fd) => system.link(`${folder}/${fd}`)));
    if (!targets.includes(path)) continue;
    const masters = fds.filter((_, at) => /^\/dev\/(pts\/)?ptmx$/.test(targets[at] ?? ''));
    const infos = await Promise.all(masters.map((fd) => system.text(`/proc/${process.pid}/fdinfo/${fd}`)));
    const index = /^\/dev\/pts\/(\d+)$/.exec(path)?.[1];
    if (infos.some((info) => index !== undefined && /^tty-index:\s+(\d+)/m.exec(info ?? '')?.[1] === index)) continue;
    holders.push(process);
  }
  return holders;
}

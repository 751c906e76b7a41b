import { mkdir, readdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { gunzip } from 'node:zlib';
import type { Logger } from 'pino';
import type { GzipMember } from './gzip-member.js';

const unpack = promisify(gunzip);
const EXTENSION = '.slothrec.gz';
/** Frozen stretches are a megabyte or two; more unpacked is no file of ours. */
const MOST_UNPACKED = 256 * 1024 * 1024;
/**
 * What may wait for the disk: room for an alert of each of 64 sensors at once, but a storm on a slow card must not
 * fill the memory.
 */
const MOST_WAITING_BYTES = 64 * 1024 * 1024;

/**
 * The frozen stretches in a folder, one packed file an alert, bounded in bytes: the oldest goes first. A disk that cannot
 * be written costs the recordings and nothing else.
 */
export class FlightShelf {
  private work: Promise<void> = Promise.resolve();
  private readonly waiting = new Map<string, { readonly members: readonly GzipMember[]; readonly bytes: number }>();
  private waitingBytes = 0;
  /** Something found no place to wait since the disk last caught up, and that was said. */
  private saidLate = false;
  private folderMade = false;
  /** Path and bytes of what is kept, oldest first; null before the first look. */
  private files: Map<string, number> | null = null;

  constructor(
    private readonly dir: string,
    private readonly maxBytes: number,
    private readonly log: Pick<Logger, 'warn'>,
  ) {}

  /**
   * Writes in the background, whole or not at all; of several versions that wait the newest is written. What finds too much
   * waiting is left out.
   */
  save(id: string, members: readonly GzipMember[]): void {
    if (!isId(id)) return;
    const former = this.waiting.get(id);
    const bytes = members.reduce((sum, { length }) => sum + length, 0);
    const waitingBytes = this.waitingBytes + bytes - (former?.bytes ?? 0);
    if (waitingBytes > MOST_WAITING_BYTES && this.waiting.size > 0) {
      this.leaveOut();
      return;
    }
    this.waitingBytes = waitingBytes;
    this.waiting.set(id, { members, bytes });
    if (former) return;
    this.work = this.work.then(async () => {
      const newest = this.waiting.get(id)!;
      this.waiting.delete(id);
      this.waitingBytes -= newest.bytes;
      if (this.waiting.size === 0) this.saidLate = false;
      try {
        const packed = await Promise.all(newest.members.map((member) => member.packed()));
        await this.write(join(this.dir, `${id}${EXTENSION}`), Buffer.concat(packed));
      } catch (error) {
        this.folderMade = false;
        this.log.warn({ id, err: error }, 'the recording of an alert could not be kept');
      }
    });
  }

  private async write(file: string, packed: Buffer): Promise<void> {
    if (!this.folderMade) await mkdir(this.dir, { recursive: true });
    this.folderMade = true;
    await writeFile(`${file}.new`, packed);
    await rename(`${file}.new`, file);
    await this.makeRoom(file, packed.length);
  }

  /** Said once until the disk has caught up: a storm is when a log is full enough. */
  private leaveOut(): void {
    if (this.saidLate) return;
    this.saidLate = true;
    this.log.warn(
      { waitingBytes: this.waitingBytes },
      'recordings of alerts come faster than the disk takes them: some are left out',
    );
  }

  /** The file of an alert, unpacked; null where there is none. */
  async load(id: string): Promise<Buffer | null> {
    if (!isId(id)) return null;
    await this.work;
    const packed = await readFile(join(this.dir, `${id}${EXTENSION}`)).catch(() => null);
    return packed && (await unpack(packed, { maxOutputLength: MOST_UNPACKED }));
  }

  /** Resolves when everything given so far is written. */
  settled(): Promise<void> {
    return this.work;
  }

  private async makeRoom(newest: string, bytes: number): Promise<void> {
    // Looked at once: a folder of hundreds of recordings is not asked for their sizes at every alert.
    this.files ??= await this.look();
    // The newest stands last, also where it is written a second time.
    this.files.delete(newest);
    this.files.set(newest, bytes);
    let total = [...this.files.values()].reduce((sum, held) => sum + held, 0);
    for (const [file, held] of this.files) {
      if (total <= this.maxBytes) break;
      if (file === newest) continue;
      await rm(file, { force: true });
      this.files.delete(file);
      total -= held;
    }
  }

  /** The recordings of earlier runs, oldest first; what a crash left half written is removed. */
  private async look(): Promise<Map<string, number>> {
    const found: { file: string; bytes: number; atMs: number }[] = [];
    for (const name of await readdir(this.dir)) {
      const file = join(this.dir, name);
      if (name.endsWith('.new')) await rm(file, { force: true });
      else if (name.endsWith(EXTENSION)) {
        const { size, mtimeMs } = await stat(file);
        found.push({ file, bytes: size, atMs: mtimeMs });
      }
    }
    found.sort((a, b) => a.atMs - b.atMs);
    return new Map(found.map(({ file, bytes }) => [file, bytes]));
  }
}

function isId(id: string): boolean {
  return /^[\w-]{1,64}$/.test(id);
}

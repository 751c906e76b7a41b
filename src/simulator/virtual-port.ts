import fs from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import { ReadStream } from 'node:tty';

/**
 * The native half of node-pty. Its own `open()` in JavaScript is not used: it reads from the slave side as well, which
 * takes the host's bytes away, and it loses a descriptor on each call (libuv opens the slave anew, the first one stays).
 */
interface NativePty {
  open(cols: number, rows: number): { readonly master: number; readonly slave: number; readonly pty: string };
}

/** Sets a terminal raw the way `serialport` does when it opens one. */
export type MakeRaw = (devicePath: string) => Promise<void>;

export interface VirtualPortOptions {
  /**
   * A stable name for the port: a symbolic link that follows it through `replug()`. An existing link is replaced,
   * anything else of that name is an error.
   */
  readonly link?: string;
  /** Most bytes kept for a reader that is slow, default 65,536; more are lost and counted, as in a UART. */
  readonly queueBytes?: number;
  /** Bytes that no one took for this long are lost too: a wire remembers nothing. Default 1000 ms. */
  readonly keepMs?: number;
  readonly makeRaw?: MakeRaw;
}

interface Waiting {
  bytes: Uint8Array;
  sinceMs: number;
}

/** How often a full port is tried again, ms. */
const RETRY_MS = 4;

/**
 * A serial port made of a pseudoterminal: what is written here comes out of a device file that `serialport` (or `cat`)
 * opens like a real one, and what the host writes is given to the `onData` listener. Bytes 00 to FF pass unchanged in
 * both directions and nothing is echoed. No system package, no root, no child process.
 *
 * The master side is written with plain non-blocking writes and a bounded queue of our own, because a stream would keep
 * every byte while nobody reads the port. One descriptor of the slave side stays open here, so that a host that closes
 * the port does not hang the master up (EIO).
 */
export class VirtualPort {
  /** Bytes lost because nobody took them in time. */
  lostBytes = 0;
  private connection: { fd: number; master: ReadStream; holdFd: number; devicePath: string } | null = null;
  private listener: (bytes: Uint8Array) => void = () => {};
  private readonly waiting: Waiting[] = [];
  private waitingBytes = 0;
  private retry: NodeJS.Timeout | null = null;

  private constructor(
    private readonly pty: NativePty,
    private readonly options: VirtualPortOptions,
  ) {}

  /** Creates and plugs in a port. Throws where this platform has no pseudoterminals or the link cannot be made. */
  static async open(options: VirtualPortOptions = {}): Promise<VirtualPort> {
    const port = new VirtualPort(loadPty(), options);
    await port.replug();
    return port;
  }

  /** Where the host finds the port: the link if there is one, else the device. */
  get path(): string {
    return this.options.link ?? this.devicePath;
  }

  /** The device file itself, such as /dev/pts/3. It changes with `replug()`. Empty while unplugged. */
  get devicePath(): string {
    return this.connection?.devicePath ?? '';
  }

  get plugged(): boolean {
    return this.connection !== null;
  }

  /** What the host writes to the device. One listener; a new one replaces the old. */
  onData(listener: (bytes: Uint8Array) => void): void {
    this.listener = listener;
  }

  /** From the device to the host. Never blocks, never throws; what does not fit is counted in `lostBytes`. */
  write(bytes: Uint8Array): void {
    if (this.connection === null || this.waitingBytes + bytes.length > (this.options.queueBytes ?? 65_536)) {
      this.lostBytes += bytes.length;
      return;
    }
    // A copy: the caller may use its buffer again, and what cannot be written now waits here.
    this.waiting.push({ bytes: bytes.slice(), sinceMs: performance.now() });
    this.waitingBytes += bytes.length;
    if (this.retry === null) this.drain();
  }

  /** Pulls the plug: the host's open port closes with an error and the link vanishes. */
  unplug(): void {
    const { connection } = this;
    if (connection === null) return;
    this.connection = null;
    if (this.retry !== null) clearTimeout(this.retry);
    this.retry = null;
    this.lose(this.waiting.length);
    this.removeLink(connection.devicePath);
    fs.closeSync(connection.holdFd);
    connection.master.destroy();
  }

  /** Plugs the device in again: a new device file, the same link. */
  async replug(): Promise<void> {
    if (this.connection !== null) return;
    const { pty, options } = this;
    const { master: fd, slave: holdFd, pty: devicePath } = pty.open(80, 24);
    const master = new ReadStream(fd);
    // A read error means the pty is gone; `unplug()` does the rest.
    master.on('error', () => this.unplug());
    master.on('data', (bytes: Uint8Array) => this.listener(bytes));
    this.connection = { fd, master, holdFd, devicePath };
    try {
      // A fresh terminal echoes and turns CR into LF until somebody sets it raw: do so before anybody can write.
      await (options.makeRaw ?? makeRawWithSerialport)(devicePath);
      this.makeLink(devicePath);
    } catch (error) {
      this.unplug();
      throw error;
    }
  }

  /** Unplugs for good. */
  close(): void {
    this.unplug();
  }

  private drain(): void {
    this.retry = null;
    const { connection } = this;
    if (connection === null) return;
    const oldestKeptMs = performance.now() - (this.options.keepMs ?? 1000);
    let old = 0;
    while (old < this.waiting.length && this.waiting[old]!.sinceMs < oldestKeptMs) old++;
    this.lose(old);
    while (this.waiting.length > 0) {
      const head = this.waiting[0]!;
      const written = writeSome(connection.fd, head.bytes);
      this.waitingBytes -= written;
      if (written < head.bytes.length) {
        head.bytes = head.bytes.subarray(written);
        this.retry = setTimeout(() => this.drain(), RETRY_MS);
        return;
      }
      this.waiting.shift();
    }
  }

  private lose(count: number): void {
    for (const { bytes } of this.waiting.splice(0, count)) {
      this.waitingBytes -= bytes.length;
      this.lostBytes += bytes.length;
    }
  }

  private makeLink(devicePath: string): void {
    const { link } = this.options;
    if (link === undefined) return;
    const found = fs.lstatSync(link, { throwIfNoEntry: false });
    if (found !== undefined && !found.isSymbolicLink()) throw new Error(`${link} exists and is not a symbolic link`);
    fs.mkdirSync(path.dirname(link), { recursive: true });
    // Rename replaces at once: no moment without a link for a host that looks just then.
    const temporary = `${link}.${process.pid}.tmp`;
    fs.rmSync(temporary, { force: true });
    fs.symlinkSync(devicePath, temporary);
    fs.renameSync(temporary, link);
  }

  /** Only our own link: somebody may have taken the name over. */
  private removeLink(devicePath: string): void {
    const { link } = this.options;
    if (link === undefined) return;
    try {
      if (fs.readlinkSync(link) === devicePath) fs.unlinkSync(link);
    } catch {
      // Gone already.
    }
  }
}

/** Loaded only when a port is wanted: the rest of slothd must start on machines for which there is no prebuilt binary. */
function loadPty(): NativePty {
  try {
    const require = createRequire(import.meta.url);
    const { requireBinary } = require('@lydell/node-pty/requireBinary.js') as {
      requireBinary(name: string): NativePty;
    };
    return requireBinary('pty.node');
  } catch (error) {
    // Its first line alone: what follows is advice about an install of its own.
    const [why] = (error as Error).message.split('\n');
    throw new Error(`no virtual serial ports here (${why}); use TCP instead`);
  }
}

/** Bytes the kernel took; 0 when it is full or the other side is gone. */
function writeSome(fd: number, bytes: Uint8Array): number {
  try {
    return fs.writeSync(fd, bytes);
  } catch {
    return 0;
  }
}

async function makeRawWithSerialport(devicePath: string): Promise<void> {
  const { SerialPort } = await import('serialport');
  // The settings belong to the terminal and outlive this opening. No lock: the host may lock it.
  const port = await SerialPort.binding.open({ path: devicePath, baudRate: 115_200, lock: false });
  await port.close();
}

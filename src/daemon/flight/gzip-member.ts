import { promisify } from 'node:util';
import { constants, gzip } from 'node:zlib';

const pack = promisify(gzip);
/**
 * The fast level: an alert storm packs a piece for each alert, on cores that the other alerts need. It takes a quarter of
 * the time of the default level for a quarter more bytes.
 */
const LEVEL = constants.Z_BEST_SPEED;

/** zlib asks for a quarter of a megabyte before the first byte; a window no larger than what is packed finds as much. */
function packing(bytes: number) {
  const windowBits = Math.min(constants.Z_DEFAULT_WINDOWBITS, Math.max(9, Math.ceil(Math.log2(bytes + 1))));
  return { level: LEVEL, windowBits, memLevel: windowBits - 7 };
}

/**
 * Bytes that are one member of a gzip file, packed in the background, once, for all files they become part of: members one
 * after the other are a file that unpacks to their bytes one after the other (RFC 1952, 2.2).
 */
export class GzipMember {
  private held: Uint8Array;
  private packing: Promise<Uint8Array> | null = null;

  /** @param bytes unpacked; not to be changed from here on */
  constructor(bytes: Uint8Array) {
    this.held = bytes;
  }

  /** Bytes of memory held now: packed, where that is done. */
  get length(): number {
    return this.held.length;
  }

  /** The packed bytes. Rejects where there is no memory to pack them in. */
  packed(): Promise<Uint8Array> {
    this.packing ??= pack(this.held, packing(this.held.length)).then((packed) => {
      this.held = packed;
      return packed;
    });
    return this.packing;
  }

  /** Packs soon, for the memory's sake; where that fails the bytes stay as they are. */
  shrink(): void {
    this.packed().catch(() => {
      this.packing = null;
    });
  }
}

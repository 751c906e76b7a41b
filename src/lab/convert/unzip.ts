import { crc32 } from 'node:zlib';
import { ConvertError } from './error.js';

/** More than a model for a Pi or its dataset holds: a small file may not fill the memory. */
const MAX_UNPACKED_BYTES = 1024 ** 3;
/** PKWARE's APPNOTE.TXT 6.3, sections 4.3.12 and 4.3.16. */
const DIRECTORY_ENTRY = 0x02014b50;
const END = 0x06054b50;

export interface Unzipped {
  /** Names of all entries. */
  readonly names: readonly string[];
  /** Those that were wanted. */
  readonly files: ReadonlyMap<string, Uint8Array>;
}

/**
 * Entries of a zip archive, whole: sizes are limited, and checksums compared.
 * @param file for the messages
 * @param kind what the file should be, as ".keras"
 * @throws ConvertError when it is damaged, is no zip archive, or unpacks to too much
 */
export async function unzip(
  bytes: Buffer,
  file: string,
  kind: string,
  wanted: (name: string) => boolean,
): Promise<Unzipped> {
  const { unzipSync } = await import('fflate').catch(() => {
    throw new ConvertError(
      `reading ${kind} files needs fflate: \`npm install --include=optional\` in the slothd folder`,
    );
  });
  const names: string[] = [];
  let unpacked = 0;
  let entries: Record<string, Uint8Array>;
  try {
    entries = unzipSync(bytes, {
      filter({ name, originalSize }) {
        names.push(name);
        if (!wanted(name)) return false;
        unpacked += originalSize;
        if (unpacked > MAX_UNPACKED_BYTES) throw new Error(`unpacks to more than ${MAX_UNPACKED_BYTES / 2 ** 30} GiB`);
        return true;
      },
    });
    const sums = checksums(bytes);
    for (const [name, content] of Object.entries(entries)) {
      if (sums.has(name) && sums.get(name) !== crc32(content)) throw new Error(`its checksum does not fit '${name}'`);
    }
  } catch (error) {
    throw new ConvertError(
      `${file}: is not a readable ${kind} archive (${(error as Error).message}); is it whole? Save or copy it again`,
    );
  }
  return { names, files: new Map(Object.entries(entries)) };
}

/** The checksums in the archive's index: the library that unpacks does not compare them. */
function checksums(bytes: Buffer): Map<string, number> {
  const sums = new Map<string, number>();
  let end = bytes.length - 22;
  while (end >= 0 && bytes.readUInt32LE(end) !== END) end--;
  let at = end < 0 ? bytes.length : bytes.readUInt32LE(end + 16);
  while (at + 46 <= bytes.length && bytes.readUInt32LE(at) === DIRECTORY_ENTRY) {
    const nameLength = bytes.readUInt16LE(at + 28);
    sums.set(bytes.toString('utf8', at + 46, at + 46 + nameLength), bytes.readUInt32LE(at + 16));
    at += 46 + nameLength + bytes.readUInt16LE(at + 30) + bytes.readUInt16LE(at + 32);
  }
  return sums;
}

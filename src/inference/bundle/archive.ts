import { gunzipSync, inflateRawSync } from 'node:zlib';
import { BundleError } from './manifest.js';

/** More than any bundle holds; an archive that unpacks to more is a mistake or an attack. */
const MAX_BYTES = 64 * 1024 * 1024;
const MAX_FILES = 64;

/**
 * The files of a bundle's archive (`.tar.gz`, `.tar` or `.zip`, told by its content), by plain name. One folder around
 * them all is allowed and left off. Nothing is written: what the names say cannot lead anywhere.
 * @throws BundleError for an archive that is damaged, too large, or holds anything but plain files and folders
 */
export function readArchive(bytes: Buffer): Map<string, Buffer> {
  const files = new Map<string, Buffer>();
  let total = 0;
  const add = (path: string, content: Buffer) => {
    total += content.length;
    if (total > MAX_BYTES || files.size >= MAX_FILES)
      throw new BundleError(`the archive holds more than ${MAX_FILES} files or ${MAX_BYTES / 2 ** 20} MiB`);
    files.set(path, content);
  };
  try {
    if (bytes.length >= 4 && bytes.readUInt32LE(0) === ZIP_ENTRY) readZip(bytes, add);
    else if (bytes[0] === 0x1f && bytes[1] === 0x8b)
      readTar(gunzipSync(bytes, { maxOutputLength: 2 * MAX_BYTES }), add);
    else readTar(bytes, add);
  } catch (error) {
    if (error instanceof BundleError) throw error;
    throw new BundleError(`the archive is damaged: ${(error as Error).message}`);
  }
  return withoutFolder(files);
}

type Add = (path: string, content: Buffer) => void;

/** POSIX.1-1988 ustar, as GNU and BSD tar write it: 512-byte headers, sizes in octal. */
const BLOCK = 512;

function readTar(bytes: Buffer, add: Add): void {
  for (let at = 0; at + BLOCK <= bytes.length; ) {
    const header = bytes.subarray(at, at + BLOCK);
    if (header.every((byte) => byte === 0)) return;
    const text = (from: number, length: number) => {
      const field = header.subarray(from, from + length);
      const end = field.indexOf(0);
      return field.subarray(0, end < 0 ? length : end).toString('utf8');
    };
    const sum = header.reduce((total, byte, index) => total + (index >= 148 && index < 156 ? 32 : byte), 0);
    if (Number.parseInt(text(148, 8), 8) !== sum) throw new BundleError('is neither a tar nor a zip archive');
    const size = Number.parseInt(text(124, 12) || '0', 8);
    if (!(size >= 0) || at + BLOCK + size > bytes.length) throw new BundleError('the archive ends too early');
    const prefix = text(257, 5) === 'ustar' ? text(345, 155) : '';
    const path = plain(prefix ? `${prefix}/${text(0, 100)}` : text(0, 100));
    const type = text(156, 1) || '0';
    const content = bytes.subarray(at + BLOCK, at + BLOCK + size);
    if (type === '0') add(path, content);
    // 5: a folder; x and g: times and owners in more detail. Links and devices have no business in a bundle.
    else if (!'5xg'.includes(type)) throw new BundleError(`${path}: is no plain file (tar type ${type})`);
    at += BLOCK + Math.ceil(size / BLOCK) * BLOCK;
  }
}

/** Signatures and offsets of PKWARE's APPNOTE.TXT 6.3, sections 4.3.7, 4.3.12 and 4.3.16. */
const ZIP_ENTRY = 0x04034b50;
const ZIP_DIRECTORY = 0x02014b50;
const ZIP_END = 0x06054b50;
const S_IFMT = 0o170000;
const S_IFLNK = 0o120000;

function readZip(bytes: Buffer, add: Add): void {
  let end = bytes.length - 22;
  while (end >= 0 && bytes.readUInt32LE(end) !== ZIP_END) end--;
  if (end < 0) throw new BundleError('the archive ends too early');
  let at = bytes.readUInt32LE(end + 16);
  for (let entries = bytes.readUInt16LE(end + 10); entries > 0; entries--) {
    if (bytes.readUInt32LE(at) !== ZIP_DIRECTORY) throw new BundleError("the archive's index is damaged");
    const method = bytes.readUInt16LE(at + 10);
    const packed = bytes.readUInt32LE(at + 20);
    const size = bytes.readUInt32LE(at + 24);
    const nameLength = bytes.readUInt16LE(at + 28);
    const path = plain(bytes.subarray(at + 46, at + 46 + nameLength).toString('utf8'));
    const mode = bytes.readUInt32LE(at + 38) >>> 16;
    if ((mode & S_IFMT) === S_IFLNK) throw new BundleError(`${path}: is no plain file`);
    const local = bytes.readUInt32LE(at + 42);
    at += 46 + nameLength + bytes.readUInt16LE(at + 30) + bytes.readUInt16LE(at + 32);
    if (path.endsWith('/')) continue;
    if (size > MAX_BYTES) throw new BundleError(`${path}: ${size} bytes are too many`);
    const from = local + 30 + bytes.readUInt16LE(local + 26) + bytes.readUInt16LE(local + 28);
    const content = bytes.subarray(from, from + packed);
    if (content.length !== packed) throw new BundleError('the archive ends too early');
    if (method === 0) add(path, content);
    else if (method === 8) add(path, inflateRawSync(content, { maxOutputLength: Math.max(1, size) }));
    else throw new BundleError(`${path}: packed in a way (${method}) that is not read here; use deflate`);
  }
}

/** @throws BundleError where a path would lead out of the folder it is unpacked in */
function plain(path: string): string {
  const parts = path.replace(/^(\.\/)+/, '').split('/');
  if (path.startsWith('/') || path.includes('\\') || path.includes('\0') || parts.includes('..'))
    throw new BundleError(`the archive holds the path ${JSON.stringify(path)}, which leads out of it`);
  return parts.join('/');
}

function withoutFolder(files: Map<string, Buffer>): Map<string, Buffer> {
  const folder = [...files.keys()].find((path) => path === 'manifest.json' || path.endsWith('/manifest.json'));
  if (folder === undefined) throw new BundleError('the archive holds no manifest.json');
  const prefix = folder.slice(0, -'manifest.json'.length);
  return new Map(
    [...files]
      .filter(([path]) => path.startsWith(prefix) && !path.slice(prefix.length).includes('/'))
      .map(([path, content]) => [path.slice(prefix.length), content]),
  );
}

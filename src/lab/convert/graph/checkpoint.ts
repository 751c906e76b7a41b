/**
 * Variables of a TensorFlow checkpoint: an index in LevelDB's table format and data files. Sources:
 * tensorflow/core/protobuf/tensor_bundle.proto and leveldb/doc/table_format.md.
 */
import { readFile } from 'node:fs/promises';
import { asBytes, asInt, readFields } from '../../onnx/protobuf.js';
import { ConvertError } from '../error.js';
import { readRaw, type TfTensor } from './proto.js';

interface Entry {
  readonly type: number;
  readonly shape: readonly number[];
  readonly shard: number;
  readonly offset: number;
  readonly size: number;
  /** CRC-32C of the bytes, masked; null where there is none. */
  readonly checksum: number | null;
}

const FOOTER_BYTES = 48;
const TABLE_MAGIC = 0xdb4775248b80fb57n;

/** All numeric variables by key. @throws ConvertError when a file is missing, cut off or compressed */
export async function readCheckpoint(prefix: string): Promise<Map<string, TfTensor>> {
  const index = await read(`${prefix}.index`);
  const entries = new Map<string, Entry>();
  let shards = 1;
  for (const [key, value] of tableEntries(index, `${prefix}.index`)) {
    // The empty key is the header.
    if (key === '') for (const field of readFields(value)) shards = field.field === 1 ? asInt(field) : shards;
    else entries.set(key, readEntry(value));
  }
  const number = (n: number) => String(n).padStart(5, '0');
  const files: Uint8Array[] = [];
  for (let i = 0; i < shards; i++) files.push(await read(`${prefix}.data-${number(i)}-of-${number(shards)}`));
  const tensors = new Map<string, TfTensor>();
  for (const [key, { type, shape, shard, offset, size, checksum }] of entries) {
    const bytes = files[shard]?.subarray(offset, offset + size);
    if (!bytes || bytes.length !== size)
      throw new ConvertError(`${prefix}: the data file ends before variable '${key}'`);
    const data = readRaw(type, bytes);
    // Texts are summed otherwise.
    if (data && checksum !== null && masked(crc32c(bytes)) !== checksum)
      throw new ConvertError(`${prefix}: variable '${key}' does not fit its checksum: the data file is damaged`);
    if (data && data.length === shape.reduce((a, b) => a * b, 1)) tensors.set(key, { shape, data });
  }
  return tensors;
}

async function read(file: string): Promise<Uint8Array> {
  try {
    return new Uint8Array(await readFile(file));
  } catch (error) {
    throw new ConvertError(`${file}: cannot be read (${(error as NodeJS.ErrnoException).code})`);
  }
}

function readEntry(bytes: Uint8Array): Entry {
  const entry = { type: 0, shape: [] as number[], shard: 0, offset: 0, size: 0, checksum: null as number | null };
  for (const field of readFields(bytes)) {
    if (field.field === 1) entry.type = asInt(field);
    else if (field.field === 2) {
      for (const dim of readFields(asBytes(field))) {
        if (dim.field !== 2) continue;
        let size = 0;
        for (const part of readFields(asBytes(dim))) if (part.field === 1) size = asInt(part);
        entry.shape.push(size);
      }
    } else if (field.field === 3) entry.shard = asInt(field);
    else if (field.field === 4) entry.offset = asInt(field);
    else if (field.field === 5) entry.size = asInt(field);
    else if (field.field === 6) entry.checksum = Buffer.from(asBytes(field)).readUInt32LE(0);
  }
  return entry;
}

/** Castagnoli's polynomial, reflected. */
const CRC_TABLE = Uint32Array.from({ length: 256 }, (_, byte) => {
  let crc = byte;
  for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ 0x82f63b78 : crc >>> 1;
  return crc;
});

function crc32c(bytes: Uint8Array): number {
  let crc = 0xffffffff;
  for (const byte of bytes) crc = CRC_TABLE[(crc ^ byte) & 0xff]! ^ (crc >>> 8);
  return (crc ^ 0xffffffff) >>> 0;
}

/** How TensorFlow stores a checksum (tensorflow/core/lib/hash/crc32c.h). */
function masked(crc: number): number {
  return (((crc >>> 15) | (crc << 17)) + 0xa282ead8) >>> 0;
}

function* tableEntries(bytes: Uint8Array, file: string): Generator<[string, Uint8Array]> {
  const bad = () => new ConvertError(`${file}: is not a TensorFlow checkpoint index, or is damaged`);
  if (bytes.length < FOOTER_BYTES) throw bad();
  const magic = new DataView(bytes.buffer, bytes.byteOffset, bytes.length).getBigUint64(bytes.length - 8, true);
  if (magic !== TABLE_MAGIC) throw bad();
  const footer = new Reader(bytes, bytes.length - FOOTER_BYTES, bad);
  // The meta index block's handle comes first; it is not needed.
  footer.varint();
  footer.varint();
  const block = (offset: number, size: number): Uint8Array => {
    if (offset + size >= bytes.length) throw bad();
    if (bytes[offset + size] !== 0) throw new ConvertError(`${file}: is compressed, which is not supported`);
    return bytes.subarray(offset, offset + size);
  };
  for (const [, handle] of blockEntries(block(footer.varint(), footer.varint()), bad)) {
    const at = new Reader(handle, 0, bad);
    for (const [key, value] of blockEntries(block(at.varint(), at.varint()), bad))
      yield [Buffer.from(key).toString('utf8'), value];
  }
}

/** Entries of a block: keys share a prefix with the one before. The restart points at its end are not needed. */
function* blockEntries(block: Uint8Array, bad: () => Error): Generator<[Uint8Array, Uint8Array]> {
  if (block.length < 4) throw bad();
  const restarts = new DataView(block.buffer, block.byteOffset, block.length).getUint32(block.length - 4, true);
  const end = block.length - 4 - 4 * restarts;
  const reader = new Reader(block, 0, bad);
  let key = new Uint8Array();
  while (reader.at < end) {
    const shared = reader.varint();
    const fresh = reader.varint();
    const length = reader.varint();
    key = Uint8Array.from([...key.subarray(0, shared), ...reader.take(fresh)]);
    yield [key, reader.take(length)];
  }
}

class Reader {
  constructor(
    private readonly bytes: Uint8Array,
    public at: number,
    private readonly bad: () => Error,
  ) {}

  varint(): number {
    let value = 0;
    for (let scale = 1; ; scale *= 128) {
      const byte = this.bytes[this.at++];
      if (byte === undefined || scale > 2 ** 49) throw this.bad();
      value += (byte & 127) * scale;
      if (byte < 128) return value;
    }
  }

  take(count: number): Uint8Array {
    if (this.at + count > this.bytes.length) throw this.bad();
    this.at += count;
    return this.bytes.subarray(this.at - count, this.at);
  }
}

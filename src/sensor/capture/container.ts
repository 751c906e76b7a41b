import { crc32 } from 'node:zlib';

/**
 * The capture file of `slothd record` (docs/sensors/captures.md). It starts with the eight letters SLOTHREC; then come
 * records, each: payload length (u32), type (u8), time in ms since the capture's start on the monotonic clock (f64),
 * payload, CRC-32 of type, time and payload (u32); all little-endian. Only ever appended to, so a kill leaves at most
 * one torn record at the end, which a reader leaves out.
 */
export const MAGIC = Uint8Array.from(Buffer.from('SLOTHREC', 'latin1'));
const HEAD = 4 + 1 + 8;
const TAIL = 4;
/** Longer is damage: a read of a port brings 64 KiB at most, and the header is a few hundred bytes. */
const MOST_PAYLOAD = 1_048_576;

/**
 * `header` to `down`: a capture. From `warm` on: what the flight recorder adds (src/daemon/flight), so that a stretch can
 * be decided again to the last bit: bytes before the stretch for the decoder alone, the state at its start, and whatever
 * else reached the pipeline in between; `decided` is what came of it then.
 */
export const RECORD = {
  header: 1,
  bytes: 2,
  opened: 3,
  down: 4,
  warm: 5,
  state: 6,
  tick: 7,
  link: 8,
  told: 9,
  answer: 10,
  peers: 11,
  decided: 12,
} as const;
const LAST_TYPE = RECORD.decided;
export type RecordType = (typeof RECORD)[keyof typeof RECORD];

/** What the first record says of the capture, as JSON. */
export interface CaptureHeader {
  readonly version: 1;
  /** Wire format and its options, as in the config. */
  readonly format: string;
  readonly options: Readonly<Record<string, string | number | boolean>>;
  readonly link: string;
  /** Wall clock at the capture's start, ISO 8601; the machine's belief. */
  readonly startedAt: string;
  /** 1 for the first file of a capture, 2 for the next after a rotation; times go on. */
  readonly part: number;
  readonly recordedBy: string;
  /** Only of the flight recorder: see src/daemon/flight/header.ts. */
  readonly flight?: unknown;
}

export interface CaptureRecord {
  readonly type: number;
  readonly tMs: number;
  readonly payload: Uint8Array;
}

/** One record as bytes. */
export function encodeRecord(type: RecordType, tMs: number, payload: Uint8Array): Uint8Array {
  const out = Buffer.allocUnsafe(recordBytes(payload.length));
  writeRecord(out, 0, type, tMs, payload);
  return out;
}

/** How long a record with so much in it is. */
export function recordBytes(payloadBytes: number): number {
  return HEAD + payloadBytes + TAIL;
}

/** Writes one record at `at` of a buffer that has the room. @returns where the next one goes */
export function writeRecord(into: Buffer, at: number, type: RecordType, tMs: number, payload: Uint8Array): number {
  const end = at + HEAD + payload.length;
  into.writeUInt32LE(payload.length, at);
  into.writeUInt8(type, at + 4);
  into.writeDoubleLE(tMs, at + 5);
  into.set(payload, at + HEAD);
  into.writeUInt32LE(crc32(into.subarray(at + 4, end)), end);
  return end + TAIL;
}

export interface CaptureContent {
  readonly header: CaptureHeader;
  readonly records: readonly CaptureRecord[];
  /** Bytes of torn or damaged records, left out. */
  readonly damagedBytes: number;
}

export function isCapture(bytes: Uint8Array): boolean {
  return MAGIC.every((byte, at) => bytes[at] === byte);
}

/**
 * Reads a capture, leaving out what is damaged.
 * @throws Error where it is no capture or its header cannot be read
 */
export function decodeCapture(bytes: Uint8Array): CaptureContent {
  if (!isCapture(bytes)) throw new Error('it does not begin with SLOTHREC');
  const view = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const records: CaptureRecord[] = [];
  let damagedBytes = 0;
  let at = MAGIC.length;
  while (at < view.length) {
    const record = readRecord(view, at);
    if (record) {
      records.push(record);
      at += HEAD + record.payload.length + TAIL;
      continue;
    }
    // A damaged length hides where the next one starts: it is looked for byte by byte, the checksum tells it.
    damagedBytes++;
    at++;
  }
  const first = records[0];
  if (!first || first.type !== RECORD.header) throw new Error('its header is damaged');
  const header = JSON.parse(new TextDecoder().decode(first.payload)) as CaptureHeader;
  if (header.version !== 1) throw new Error(`its version ${header.version} is not known to this slothd`);
  return { header, records: records.slice(1), damagedBytes };
}

function readRecord(view: Buffer, at: number): CaptureRecord | null {
  if (view.length - at < HEAD + TAIL) return null;
  const length = view.readUInt32LE(at);
  const type = view.readUInt8(at + 4);
  if (length > MOST_PAYLOAD || type < RECORD.header || type > LAST_TYPE) return null;
  if (view.length - at < HEAD + length + TAIL) return null;
  const end = at + HEAD + length;
  if (crc32(view.subarray(at + 4, end)) !== view.readUInt32LE(end)) return null;
  return { type, tMs: view.readDoubleLE(at + 5), payload: view.subarray(at + HEAD, end) };
}

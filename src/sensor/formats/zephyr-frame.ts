import type { DropReason } from '../../domain/reading.js';
import { ByteFramer, type FrameRule } from './byte-framer.js';

/* Zephyr's Bluetooth link: 02 id length payload crc end. */
const STX = 0x02;
export const ZEPHYR_DATA = 0x03;
const ACK = 0x06;
const NAK = 0x15;
const HEADER_BYTES = 3;
const TRAILER_BYTES = 2;
const LONGEST_PAYLOAD = 128;
/** x^8 + x^5 + x^4 + 1, reflected. */
const POLYNOMIAL = 0x8c;

const CRC = Uint8Array.from({ length: 256 }, (_, byte) => {
  let crc = byte;
  for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >> 1) ^ POLYNOMIAL : crc >> 1;
  return crc;
});

/** CRC-8 of `bytes[from..to)`, from 0. */
export function zephyrCrc(bytes: Uint8Array, from: number, to: number): number {
  let crc = 0;
  for (let at = from; at < to; at++) crc = CRC[crc ^ bytes[at]!]!;
  return crc;
}

/** One whole frame. */
export function zephyrFrame(id: number, payload: ArrayLike<number>, end = ZEPHYR_DATA): Uint8Array {
  const bytes = new Uint8Array(HEADER_BYTES + payload.length + TRAILER_BYTES);
  bytes.set([STX, id, payload.length]);
  bytes.set(Array.from(payload), HEADER_BYTES);
  bytes[bytes.length - 2] = zephyrCrc(bytes, HEADER_BYTES, bytes.length - TRAILER_BYTES);
  bytes[bytes.length - 1] = end;
  return bytes;
}

export interface ZephyrRule {
  /** Length of the payload that this packet has; null where it is not one of ours or may have any. */
  lengthOf(id: number): number | null;
  /** Whether a packet without a fixed length may come too. */
  readonly others: boolean;
  /** A data packet; its payload begins at `payload`. */
  packet(id: number, bytes: Uint8Array, payload: number): void;
}

/** Finds Zephyr frames. A wrong one costs one byte, not its stated length: the search goes on inside it. */
export class ZephyrFramer implements FrameRule {
  readonly longestBytes = HEADER_BYTES + LONGEST_PAYLOAD + TRAILER_BYTES;
  reason: DropReason = 'framing';
  private readonly framer: ByteFramer;

  constructor(
    private readonly rule: ZephyrRule,
    onDropped: (reason: DropReason, bytes: number) => void,
  ) {
    this.framer = new ByteFramer(this, onDropped);
  }

  push(chunk: Uint8Array): void {
    this.framer.push(chunk);
  }

  reset(): void {
    this.framer.reset();
  }

  measure(bytes: Uint8Array, from: number, to: number): number {
    const available = to - from;
    this.reason = 'framing';
    if (bytes[from] !== STX) return -1;
    if (available < HEADER_BYTES) return 0;
    const length = bytes[from + 2]!;
    if (length > LONGEST_PAYLOAD) return -1;
    const fixed = this.rule.lengthOf(bytes[from + 1]!);
    if (fixed === null ? !this.rule.others : fixed !== length && length !== 0) {
      this.reason = 'unknown';
      return -1;
    }
    const whole = HEADER_BYTES + length + TRAILER_BYTES;
    if (available < whole) return 0;
    const end = bytes[from + whole - 1]!;
    if (end !== ZEPHYR_DATA && end !== ACK && end !== NAK) return -1;
    this.reason = 'checksum';
    const payload = from + HEADER_BYTES;
    return zephyrCrc(bytes, payload, payload + length) === bytes[payload + length] ? whole : -1;
  }

  frame(bytes: Uint8Array, from: number, length: number): void {
    // An answer to a command repeats its id with an empty payload.
    const id = bytes[from + 1]!;
    const isData = bytes[from + length - 1] === ZEPHYR_DATA;
    if (isData && this.rule.lengthOf(id) === bytes[from + 2]) this.rule.packet(id, bytes, from + HEADER_BYTES);
  }
}

/** Unsigned 16-bit little-endian number. */
export function u16(bytes: Uint8Array, at: number): number {
  return bytes[at]! | (bytes[at + 1]! << 8);
}

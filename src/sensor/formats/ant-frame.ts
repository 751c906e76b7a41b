import type { DropReason } from '../../domain/reading.js';
import { ByteFramer, type FrameRule } from './byte-framer.js';

/* ANT Message Protocol and Usage: A4 length id data xor. */
const SYNC = 0xa4;
const HEADER_BYTES = 3;
/** Real messages stay below 25 bytes; a longer length is a false start. */
const LONGEST_DATA = 64;

/** One whole message. */
export function antMessage(id: number, data: readonly number[]): Uint8Array {
  const bytes = Uint8Array.of(SYNC, data.length, id, ...data, 0);
  let sum = 0;
  for (const byte of bytes) sum ^= byte;
  bytes[bytes.length - 1] = sum;
  return bytes;
}

/** Finds ANT messages; a wrong sum costs one byte. */
export class AntFramer implements FrameRule {
  readonly longestBytes = HEADER_BYTES + LONGEST_DATA + 1;
  reason: DropReason = 'framing';
  private readonly framer: ByteFramer;

  /** @param onMessage id, and where in `bytes` its `length` data bytes begin */
  constructor(
    private readonly onMessage: (id: number, bytes: Uint8Array, data: number, length: number) => void,
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
    this.reason = 'framing';
    if (bytes[from] !== SYNC) return -1;
    if (to - from < 2) return 0;
    const length = bytes[from + 1]!;
    if (length > LONGEST_DATA) return -1;
    const whole = HEADER_BYTES + length + 1;
    if (to - from < whole) return 0;
    let sum = 0;
    for (let i = 0; i < whole; i++) sum ^= bytes[from + i]!;
    this.reason = 'checksum';
    return sum === 0 ? whole : -1;
  }

  frame(bytes: Uint8Array, from: number): void {
    this.onMessage(bytes[from + 2]!, bytes, from + HEADER_BYTES, bytes[from + 1]!);
  }
}

import type { DropReason } from '../../domain/reading.js';

/** Garbage is counted in pieces of this size, so that a stream that never holds a frame is counted too. */
const REPORT_EVERY_BYTES = 1024;
const LEAST_BUFFER_BYTES = 1024;

/** What a binary format knows about its frames. */
export interface FrameRule {
  /** The most bytes `measure` ever needs to decide. */
  readonly longestBytes: number;
  /** Why `measure` refused, read right after a negative answer. */
  readonly reason: DropReason;
  /**
   * Looks at `bytes[from..to)`, at least one byte. A frame begins at `from`: its length. More bytes are needed to tell: 0.
   * None begins here: minus the number of bytes to skip (-1, or the length of a frame known to be broken).
   */
  measure(bytes: Uint8Array, from: number, to: number): number;
  /** Takes a measured frame; the bytes are only valid during the call. */
  frame(bytes: Uint8Array, from: number, length: number): void;
}

/**
 * Finds the frames of a binary stream. After a false start the search goes on one byte later, inside the bytes already
 * read, so a valid frame behind garbage is never lost. Memory is one fixed buffer; nothing is allocated per frame.
 */
export class ByteFramer {
  private readonly buffer: Uint8Array;
  private start = 0;
  private end = 0;
  /** Bytes skipped one by one since the last frame: one broken frame, counted once with the reason it began with. */
  private skipped = 0;
  private skippedReason: DropReason = 'framing';

  constructor(
    private readonly rule: FrameRule,
    private readonly onDropped: (reason: DropReason, bytes: number) => void,
  ) {
    this.buffer = new Uint8Array(Math.max(LEAST_BUFFER_BYTES, 4 * rule.longestBytes));
  }

  push(chunk: Uint8Array): void {
    let taken = 0;
    while (taken < chunk.length) {
      if (this.end === this.buffer.length) {
        this.buffer.copyWithin(0, this.start, this.end);
        this.end -= this.start;
        this.start = 0;
      }
      const count = Math.min(this.buffer.length - this.end, chunk.length - taken);
      // Byte by byte: a view of part of the chunk would be an object per call.
      for (let i = 0; i < count; i++) this.buffer[this.end + i] = chunk[taken + i]!;
      this.end += count;
      taken += count;
      this.scan();
    }
  }

  /** The link was reopened: what is held is half a frame. */
  reset(): void {
    this.report();
    if (this.end > this.start) this.onDropped('framing', this.end - this.start);
    this.start = 0;
    this.end = 0;
  }

  private scan(): void {
    const { buffer, rule } = this;
    while (this.start < this.end) {
      const length = rule.measure(buffer, this.start, this.end);
      if (length > 0) {
        this.report();
        rule.frame(buffer, this.start, length);
        this.start += length;
      } else if (length < 0) {
        this.skip(-length);
      } else if (this.end - this.start < rule.longestBytes) {
        return;
      } else {
        // A rule that cannot decide on its own longest frame would stall the stream.
        this.skip(1);
      }
    }
    this.start = 0;
    this.end = 0;
  }

  private skip(bytes: number): void {
    this.start += bytes;
    if (bytes > 1) {
      this.report();
      this.onDropped(this.rule.reason, bytes);
      return;
    }
    if (this.skipped === 0) this.skippedReason = this.rule.reason;
    this.skipped++;
    if (this.skipped === REPORT_EVERY_BYTES) this.report();
  }

  private report(): void {
    if (this.skipped === 0) return;
    const bytes = this.skipped;
    this.skipped = 0;
    this.onDropped(this.skippedReason, bytes);
  }
}

import type { DropReason, ReadingSink } from '../../domain/reading.js';

const LF = 0x0a;
const CR = 0x0d;
/** A 229-byte Polar frame is 458 hex digits in a JSON line; nothing that people print is longer. */
export const LONGEST_LINE_BYTES = 1024;
/** A stream without any newline (wrong baud rate) is counted in pieces of this size, not only at its end. */
const REPORT_EVERY_BYTES = 4096;

/** A whole line is `bytes[from..to)`, without its ending; the bytes are only valid during the call. */
export type OnLine = (bytes: Uint8Array, from: number, to: number) => void;

/**
 * Cuts a byte stream into lines ended by CR, LF or CR LF; empty lines are skipped. A line that begins before the link was
 * opened may be cut (`12` of `512`) and still look right, so everything up to the first newline is dropped.
 * Memory is one line of `longestBytes`; lines that lie whole in a chunk are not copied.
 */
export class LineFramer {
  private readonly held: Uint8Array;
  /** Bytes of the current line so far, also those no longer held. */
  private length = 0;
  private reported = 0;
  private cut = true;

  constructor(
    private readonly onLine: OnLine,
    private readonly onDropped: (reason: DropReason, bytes: number) => void,
    private readonly longestBytes: number = LONGEST_LINE_BYTES,
  ) {
    this.held = new Uint8Array(longestBytes);
  }

  push(chunk: Uint8Array): void {
    let from = 0;
    for (let at = 0; at < chunk.length; at++) {
      const byte = chunk[at];
      if (byte !== LF && byte !== CR) continue;
      this.endLine(chunk, from, at);
      from = at + 1;
    }
    if (from < chunk.length) {
      this.hold(chunk, from, chunk.length);
      this.grow(chunk.length - from);
    }
  }

  /** The link was reopened: what is held is half a line, and the next one may be cut. */
  reset(): void {
    if (this.length > this.reported) this.onDropped('framing', this.length - this.reported);
    this.startLine();
    this.cut = true;
  }

  private endLine(chunk: Uint8Array, from: number, to: number): void {
    const before = this.length;
    const whole = !this.cut && before + to - from <= this.longestBytes;
    if (whole && before > 0) this.hold(chunk, from, to);
    this.grow(to - from);
    const length = this.length;
    const unreported = length - this.reported;
    const wasCut = this.cut;
    this.startLine();
    this.cut = false;
    if (!whole) {
      if (unreported > 0) this.onDropped(wasCut ? 'first-line' : 'too-long', unreported);
    } else if (before > 0) {
      this.onLine(this.held, 0, length);
    } else if (length > 0) {
      this.onLine(chunk, from, to);
    }
  }

  private startLine(): void {
    this.length = 0;
    this.reported = 0;
  }

  private hold(chunk: Uint8Array, from: number, to: number): void {
    if (this.cut || this.length + to - from > this.longestBytes) return;
    // Byte by byte: a view of part of the chunk would be an object per line.
    for (let at = from; at < to; at++) this.held[this.length + at - from] = chunk[at]!;
  }

  /** Reports depend on the length of the line alone, so they do not depend on the chunks it came in. */
  private grow(bytes: number): void {
    this.length += bytes;
    while (this.length - this.reported >= REPORT_EVERY_BYTES) {
      this.onDropped(this.cut ? 'first-line' : 'too-long', REPORT_EVERY_BYTES);
      this.reported += REPORT_EVERY_BYTES;
    }
  }
}

/**
 * A framer for lines that are each a whole reading or nothing.
 * @param read tells `sink` what a line says; returns why the line was refused, or null
 */
export function readingPerLine(
  sink: ReadingSink,
  read: (bytes: Uint8Array, from: number, to: number) => DropReason | null,
): LineFramer {
  return new LineFramer(
    (bytes, from, to) => {
      const reason = read(bytes, from, to);
      if (reason) sink.dropped(reason, to - from);
      else sink.frame();
    },
    (reason, bytes) => sink.dropped(reason, bytes),
  );
}

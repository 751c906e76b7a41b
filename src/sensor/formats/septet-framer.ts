import type { DropReason } from '../../domain/reading.js';
import { ByteFramer, type FrameRule } from './byte-framer.js';

const START_BIT = 0x80;

/** What a format with seven-bit bytes knows of its packets. */
export interface SeptetRule {
  readonly packetBytes: number;
  /** Whether the bits of this packet can be; its bit 7 pattern is right already. */
  plausible(bytes: Uint8Array, from: number): boolean;
  packet(bytes: Uint8Array, from: number): void;
}

/**
 * Packets whose first byte alone has bit 7 set (Contec, BCI, Nonin formats 1 and 8). There is no checksum, so after a loss
 * two packets in a row must be right before the first is believed.
 */
export class SeptetFramer implements FrameRule {
  readonly longestBytes: number;
  reason: DropReason = 'framing';
  private readonly framer: ByteFramer;
  private aligned = false;

  constructor(
    private readonly rule: SeptetRule,
    onDropped: (reason: DropReason, bytes: number) => void,
  ) {
    this.longestBytes = 2 * rule.packetBytes;
    this.framer = new ByteFramer(this, onDropped);
  }

  push(chunk: Uint8Array): void {
    this.framer.push(chunk);
  }

  reset(): void {
    this.framer.reset();
    this.aligned = false;
  }

  measure(bytes: Uint8Array, from: number, to: number): number {
    const size = this.rule.packetBytes;
    const packets = this.aligned ? 1 : 2;
    for (let i = 0; i < packets * size && from + i < to; i++) {
      const starts = bytes[from + i]! >= START_BIT;
      if (starts === (i % size === 0)) continue;
      this.aligned = false;
      this.reason = 'framing';
      return -1;
    }
    if (to - from < packets * size) return 0;
    for (let i = 0; i < packets; i++) {
      if (this.rule.plausible(bytes, from + i * size)) continue;
      this.aligned = false;
      this.reason = 'out-of-range';
      return -1;
    }
    this.aligned = true;
    return size;
  }

  frame(bytes: Uint8Array, from: number): void {
    this.rule.packet(bytes, from);
  }
}

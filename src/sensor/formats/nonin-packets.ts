import type { Decoder, DropReason, ReadingSink } from '../../domain/reading.js';
import { ByteFramer, type FrameRule } from './byte-framer.js';
import { IgnoringSink, toField } from './ignoring-sink.js';

/* Layout and names: Nonin "9560 Bluetooth Specification", data formats 2 and 7; resynchronisation as in the OEM III notes. */
export const FRAME_BYTES = 5;
const FRAMES_PER_PACKET = 25;
const ALWAYS = 0x80;
const SENSOR_OFF = 0x40;
const SENSOR_ALARM = 0x08;
const PERFUSION = 0x06;
const PERFUSION_GREEN = 0x02;
const SYNC = 0x01;
const HR_MISSING = 511;
const SPO2_MISSING = 127;
/** Highest rate the maker states; above it only "missing" is sent. */
const HIGHEST_HR_BPM = 321;
/** The perfusion bits are set for 12 frames (160 ms) at each pulse. */
const PULSE_FRAMES = 12;
/** Where the numbers stand in a packet, counted from frame 1. "E-" is the 8-beat average, "-D" the held display value. */
const HR_MSB_FRAMES = [1, 14, 20, 22] as const;
const SPO2_FRAMES = [3, 9, 10, 11, 16, 17] as const;
const FIRMWARE_FRAME = 4;
const FIRMWARE = 48;

/** Where the two formats differ. The number of the frame and the sum stand in bytes 3 and 4 of both. */
export interface NoninLayout {
  /** First byte of every frame; null where a frame begins with its status byte. */
  readonly start: number | null;
  readonly status: number;
  readonly pleth: number;
  readonly plethBytes: 1 | 2;
  readonly plethMax: number;
  /** Frames in a row that must be right before the first is believed. */
  readonly confirm: number;
}

function hasHead(bytes: Uint8Array, from: number, layout: NoninLayout): boolean {
  return (layout.start === null || bytes[from] === layout.start) && (bytes[from + layout.status]! & ALWAYS) !== 0;
}

function looksWhole(bytes: Uint8Array, from: number, layout: NoninLayout): boolean {
  const sum = bytes[from]! + bytes[from + 1]! + bytes[from + 2]! + bytes[from + 3]!;
  return hasHead(bytes, from, layout) && (sum & 0xff) === bytes[from + 4];
}

/** Decoder of both formats. */
export class NoninDecoder implements Decoder, FrameRule {
  readonly longestBytes: number;
  reason: DropReason = 'framing';
  private readonly framer: ByteFramer;
  /** DATA bytes of the current packet, by frame number from 1. */
  private readonly packet = new Uint8Array(FRAMES_PER_PACKET + 1);
  /** Number of the last frame in its packet, 1 to 25; 0 until the first SYNC. */
  private position = 0;
  private packetWhole = false;
  private aligned = false;
  private pulse: boolean | null = null;

  constructor(
    private readonly sink: ReadingSink,
    private readonly layout: NoninLayout,
  ) {
    this.longestBytes = Math.max(2, layout.confirm) * FRAME_BYTES;
    this.framer = new ByteFramer(this, (reason, bytes) => sink.dropped(reason, bytes));
  }

  push(chunk: Uint8Array): void {
    this.framer.push(chunk);
  }

  reset(): void {
    this.framer.reset();
    this.position = 0;
    this.packetWhole = false;
    this.aligned = false;
    this.pulse = null;
  }

  /**
   * An 8-bit sum lets one of 131,072 chance positions through (DF7: one of 512), so after a loss several frames in a row
   * must be right before the first is believed. While aligned one frame is enough, and a broken one between right ones is
   * one lost sample.
   */
  measure(bytes: Uint8Array, from: number, to: number): number {
    const { layout } = this;
    const available = to - from;
    if (this.aligned) {
      if (available < FRAME_BYTES) return 0;
      if (looksWhole(bytes, from, layout)) return FRAME_BYTES;
      if (available < 2 * FRAME_BYTES) return 0;
      this.reason = this.reasonAt(bytes, from);
      this.packetWhole = false;
      if (looksWhole(bytes, from + FRAME_BYTES, layout)) {
        this.advance();
        this.sink.lost(1);
        return -FRAME_BYTES;
      }
      this.aligned = false;
      return -1;
    }
    if (layout.start !== null && bytes[from] !== layout.start) {
      this.reason = 'framing';
      return -1;
    }
    for (let i = 0; i < layout.confirm; i++) {
      if (available < (i + 1) * FRAME_BYTES) return 0;
      if (looksWhole(bytes, from + i * FRAME_BYTES, layout)) continue;
      this.reason = this.reasonAt(bytes, from);
      return -1;
    }
    this.aligned = true;
    return FRAME_BYTES;
  }

  frame(bytes: Uint8Array, from: number): void {
    const { sink, layout } = this;
    const status = bytes[from + layout.status]!;
    if (status & SYNC) this.startPacket();
    else this.advance();
    if (this.position > 0) this.packet[this.position] = bytes[from + 3]!;

    const on = (status & (SENSOR_OFF | SENSOR_ALARM)) === 0;
    sink.contact(on);
    const pulse = (status & PERFUSION) !== 0;
    // Without the frame before we cannot tell the start of a pulse from its middle.
    if (pulse && this.pulse === false && on) sink.beat();
    this.pulse = pulse;
    const pleth = bytes[from + layout.pleth]!;
    sink.sample(layout.plethBytes === 1 ? pleth : (pleth << 8) | bytes[from + layout.pleth + 1]!);
    sink.frame();
  }

  private reasonAt(bytes: Uint8Array, from: number): DropReason {
    return hasHead(bytes, from, this.layout) ? 'checksum' : 'framing';
  }

  /** Counts one frame that is not the first of a packet, read or lost. */
  private advance(): void {
    if (this.position === 0) return;
    if (this.position === FRAMES_PER_PACKET) {
      // Frame 1 should have come with SYNC; the count goes on so that the next SYNC shows how many frames are missing.
      if (this.packetWhole) this.sink.dropped('sequence', 0);
      this.packetWhole = false;
      this.position = 0;
    }
    this.position++;
  }

  /**
   * SYNC ends the packet before it. Its numbers are believed only if all 25 frames came, because a lost frame shifts every
   * number behind it into a wrong place.
   */
  private startPacket(): void {
    if (this.position > 0 && this.position < FRAMES_PER_PACKET) {
      if (this.packetWhole) this.sink.dropped('sequence', 0);
      this.sink.lost(FRAMES_PER_PACKET - this.position);
    } else if (this.position === FRAMES_PER_PACKET && this.packetWhole) {
      this.numbers();
    }
    this.position = 1;
    this.packetWhole = true;
  }

  private numbers(): void {
    const { sink, packet } = this;
    // The plain 4-beat averages: they go to "missing" at once, while the display values are held for 10 s.
    const hrBpm = ((packet[1]! & 0x03) << 7) | (packet[2]! & 0x7f);
    const spo2 = packet[3]! & 0x7f;
    if (hrBpm === HR_MISSING) sink.heartRate(Number.NaN);
    else if (hrBpm > HIGHEST_HR_BPM) sink.dropped('out-of-range', 0);
    else sink.heartRate(hrBpm);
    if (spo2 === SPO2_MISSING) sink.spo2(Number.NaN);
    else if (spo2 > 100) sink.dropped('out-of-range', 0);
    else sink.spo2(spo2);
  }
}

/** Encoder of both formats. */
export class NoninEncoder extends IgnoringSink {
  private readonly packet = new Uint8Array(FRAMES_PER_PACKET + 1);
  private position = 0;
  private pulseFramesLeft = 0;
  private on = true;
  private hrBpm = HR_MISSING;
  private spo2Percent = SPO2_MISSING;

  constructor(
    private readonly write: (bytes: Uint8Array) => void,
    private readonly layout: NoninLayout,
  ) {
    super();
    this.packet[FIRMWARE_FRAME] = FIRMWARE;
  }

  override contact(on: boolean): void {
    this.on = on;
  }

  override beat(): void {
    this.pulseFramesLeft = PULSE_FRAMES;
  }

  override heartRate(hrBpm: number): void {
    this.hrBpm = hrBpm === 0 ? HR_MISSING : toField(hrBpm, 0, HIGHEST_HR_BPM, HR_MISSING);
  }

  override spo2(percent: number): void {
    this.spo2Percent = toField(percent, 0, 100, SPO2_MISSING);
  }

  /** One frame; the numbers are those known at the first frame of its packet, as in the device. */
  override sample(value: number): void {
    this.position = (this.position % FRAMES_PER_PACKET) + 1;
    if (this.position === 1) this.latch();
    let status = ALWAYS;
    if (this.position === 1) status |= SYNC;
    if (!this.on) status |= SENSOR_ALARM;
    if (this.pulseFramesLeft > 0) {
      this.pulseFramesLeft--;
      status |= PERFUSION_GREEN;
    }
    const { start, plethBytes, plethMax } = this.layout;
    const pleth = toField(value, 0, plethMax, (plethMax + 1) / 2);
    const frame = new Uint8Array(FRAME_BYTES);
    if (start !== null) frame[0] = start;
    frame[this.layout.status] = status;
    frame[this.layout.pleth] = plethBytes === 1 ? pleth : pleth >> 8;
    if (plethBytes === 2) frame[this.layout.pleth + 1] = pleth & 0xff;
    frame[3] = this.packet[this.position]!;
    frame[4] = frame[0]! + frame[1]! + frame[2]! + frame[3]!;
    this.write(frame);
  }

  private latch(): void {
    const hr = this.on ? this.hrBpm : HR_MISSING;
    const spo2 = this.on ? this.spo2Percent : SPO2_MISSING;
    for (const frame of HR_MSB_FRAMES) {
      this.packet[frame] = (hr >> 7) & 0x03;
      this.packet[frame + 1] = hr & 0x7f;
    }
    for (const frame of SPO2_FRAMES) this.packet[frame] = spo2;
  }
}

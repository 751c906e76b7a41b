import type { Carries, Decoder, DropReason, Format, ReadingSink } from '../../domain/reading.js';
import { ByteFramer, type FrameRule } from './byte-framer.js';
import { IgnoringSink, toField } from './ignoring-sink.js';

/* Layout and names: Nonin "9560 Bluetooth Specification", data format 2; resynchronisation as in Nonin's OEM III notes. */
const FRAME_BYTES = 5;
const FRAMES_PER_PACKET = 25;
const START = 0x01;
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

function carries(): Carries {
  return {
    waveform: {
      kind: 'ppg',
      rateHz: 75,
      unit: 'count',
      nominal: { offset: 128, perUnit: 128 },
      range: { min: 0, max: 255 },
    },
    beatFlags: true,
    rr: false,
    heartRate: true,
    spo2: true,
    contact: true,
    battery: false,
  };
}

function looksWhole(bytes: Uint8Array, from: number): boolean {
  const sum = bytes[from]! + bytes[from + 1]! + bytes[from + 2]! + bytes[from + 3]!;
  return bytes[from] === START && (bytes[from + 1]! & ALWAYS) !== 0 && (sum & 0xff) === bytes[from + 4];
}

class NoninDf2Decoder implements Decoder, FrameRule {
  readonly longestBytes = 2 * FRAME_BYTES;
  reason: DropReason = 'framing';
  private readonly framer: ByteFramer;
  /** DATA bytes of the current packet, by frame number from 1. */
  private readonly packet = new Uint8Array(FRAMES_PER_PACKET + 1);
  /** Number of the last frame in its packet, 1 to 25; 0 until the first SYNC. */
  private position = 0;
  private packetWhole = false;
  private aligned = false;
  private pulse: boolean | null = null;

  constructor(private readonly sink: ReadingSink) {
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
   * An 8-bit sum lets one of 131,072 chance positions through, so after a loss two frames in a row must be right before
   * the first is believed. While aligned one frame is enough, and a broken one between right ones is one lost sample.
   */
  measure(bytes: Uint8Array, from: number, to: number): number {
    const available = to - from;
    if (this.aligned) {
      if (available < FRAME_BYTES) return 0;
      if (looksWhole(bytes, from)) return FRAME_BYTES;
      if (available < 2 * FRAME_BYTES) return 0;
      this.reason = this.reasonAt(bytes, from);
      this.packetWhole = false;
      if (looksWhole(bytes, from + FRAME_BYTES)) {
        this.advance();
        this.sink.lost(1);
        return -FRAME_BYTES;
      }
      this.aligned = false;
      return -1;
    }
    if (bytes[from] !== START) {
      this.reason = 'framing';
      return -1;
    }
    if (available < FRAME_BYTES) return 0;
    if (looksWhole(bytes, from)) {
      if (available < 2 * FRAME_BYTES) return 0;
      if (looksWhole(bytes, from + FRAME_BYTES)) {
        this.aligned = true;
        return FRAME_BYTES;
      }
    }
    this.reason = this.reasonAt(bytes, from);
    return -1;
  }

  frame(bytes: Uint8Array, from: number): void {
    const { sink } = this;
    const status = bytes[from + 1]!;
    if (status & SYNC) this.startPacket();
    else this.advance();
    if (this.position > 0) this.packet[this.position] = bytes[from + 3]!;

    const on = (status & (SENSOR_OFF | SENSOR_ALARM)) === 0;
    sink.contact(on);
    const pulse = (status & PERFUSION) !== 0;
    // Without the frame before we cannot tell the start of a pulse from its middle.
    if (pulse && this.pulse === false && on) sink.beat();
    this.pulse = pulse;
    sink.sample(bytes[from + 2]!);
    sink.frame();
  }

  private reasonAt(bytes: Uint8Array, from: number): DropReason {
    return bytes[from] === START && (bytes[from + 1]! & ALWAYS) !== 0 ? 'checksum' : 'framing';
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

class NoninDf2Encoder extends IgnoringSink {
  private readonly packet = new Uint8Array(FRAMES_PER_PACKET + 1);
  private position = 0;
  private pulseFramesLeft = 0;
  private on = true;
  private hrBpm = HR_MISSING;
  private spo2Percent = SPO2_MISSING;

  constructor(private readonly write: (bytes: Uint8Array) => void) {
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
    const pleth = toField(value, 0, 255, 128);
    const data = this.packet[this.position]!;
    this.write(Uint8Array.of(START, status, pleth, data, (START + status + pleth + data) & 0xff));
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

/** Nonin data format 2 (OEM III, Xpod, 9560, 3150): 75 checked frames a second with pleth, pulse mark, rate and SpO2. */
export const noninDf2: Format = {
  id: 'nonin-df2',
  title: 'Nonin oximeters, data format 2 (OEM III, Xpod 3011/3012LP, 9560, 3150)',
  serial: { baudRate: 9600, dataBits: 8, parity: 'none', stopBits: 1 },
  silenceMs: 5000,
  options: {},
  carries,
  createDecoder: (sink) => new NoninDf2Decoder(sink),
  createEncoder: (write) => new NoninDf2Encoder(write),
};

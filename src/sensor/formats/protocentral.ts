import type { Carries, Decoder, DropReason, Format, FormatOptions, ReadingSink } from '../../domain/reading.js';
import { ByteFramer, type FrameRule } from './byte-framer.js';
import { IgnoringSink, toField } from './ignoring-sink.js';
import { choiceOption, flagOption, numberOption, rateOption } from './options.js';
import { BOARD_NAMES, type Board, type BoardFrame, type Field, PROTOCENTRAL_BOARDS } from './protocentral-boards.js';

const START_1 = 0x0a;
const START_2 = 0xfa;
const STOP_1 = 0x00;
const STOP_2 = 0x0b;
const HEADER_BYTES = 5;
const TRAILER_BYTES = 2;
const LEADS_OFF_BITS = 0x1f;
const HIGHEST_BPM = 400;
const LONGEST_RR_MS = 10_000;
/** A bigger jump of the packet counter is a restarted device, not a gap. */
const MOST_LOST_PACKETS = 100_000;

function boardOf(options: FormatOptions): Board {
  return PROTOCENTRAL_BOARDS[choiceOption(options, 'board', 'ads1292r', BOARD_NAMES)];
}

function carries(options: FormatOptions): Carries {
  const board = boardOf(options);
  const { min, max } = board;
  const perUnit = numberOption(options, 'countsPerUnit', board.perUnit, 1e-6, 1e12);
  const rrOnChange = flagOption(options, 'rrOnChange', false);
  const anyHas = (name: keyof BoardFrame) => board.frames.some((frame) => frame[name] !== undefined);
  return {
    waveform: {
      kind: board.kind,
      rateHz: rateOption(options, board.rateHz),
      unit: 'count',
      nominal: { offset: 0, perUnit },
      range: { min, max },
    },
    beatFlags: false,
    rr: rrOnChange && anyHas('rr'),
    heartRate: anyHas('heartRate'),
    spo2: anyHas('spo2'),
    contact: anyHas('leadsOff'),
    battery: false,
  };
}

function readSigned(bytes: Uint8Array, at: number, size: 1 | 2 | 4): number {
  if (size === 1) return bytes[at]!;
  const low = bytes[at]! | (bytes[at + 1]! << 8);
  return size === 2 ? (low << 16) >> 16 : low | (bytes[at + 2]! << 16) | (bytes[at + 3]! << 24);
}

function writeNumber(bytes: Uint8Array, at: number, size: 1 | 2 | 4, value: number): void {
  for (let i = 0; i < size; i++) bytes[at + i] = Math.floor(value / 2 ** (8 * i)) & 0xff;
}

class ProtoCentralDecoder implements Decoder, FrameRule {
  readonly longestBytes: number;
  reason: DropReason = 'framing';
  private readonly framer: ByteFramer;
  private readonly frames: readonly BoardFrame[];
  private readonly rrOnChange: boolean;
  private lastRrMs = 0;
  private sequence = -1;

  constructor(
    private readonly sink: ReadingSink,
    options: FormatOptions,
  ) {
    this.frames = boardOf(options).frames;
    this.rrOnChange = carries(options).rr;
    const longestPayload = Math.max(...this.frames.flatMap((frame) => frame.lengths));
    this.longestBytes = HEADER_BYTES + longestPayload + TRAILER_BYTES;
    this.framer = new ByteFramer(this, (reason, bytes) => sink.dropped(reason, bytes));
  }

  push(chunk: Uint8Array): void {
    this.framer.push(chunk);
  }

  reset(): void {
    this.framer.reset();
    this.lastRrMs = 0;
    this.sequence = -1;
  }

  /** Start, a length this board uses and the stop byte: all the protocol offers, as it has no checksum. */
  measure(bytes: Uint8Array, from: number, to: number): number {
    const available = to - from;
    this.reason = 'framing';
    if (bytes[from] !== START_1) return -1;
    if (available < 2) return 0;
    if (bytes[from + 1] !== START_2) return -1;
    if (available < HEADER_BYTES) return 0;
    const length = bytes[from + 2]! | (bytes[from + 3]! << 8);
    if (!this.layout(bytes[from + 4]!, length)) {
      this.reason = 'unknown';
      return -1;
    }
    const body = HEADER_BYTES + length;
    if (available <= body) return 0;
    // Some boards leave out the 00 of the trailer 00 0B.
    if (bytes[from + body] === STOP_2) return body + 1;
    if (bytes[from + body] !== STOP_1) return -1;
    if (available <= body + 1) return 0;
    return bytes[from + body + 1] === STOP_2 ? body + TRAILER_BYTES : -1;
  }

  frame(bytes: Uint8Array, from: number): void {
    const { sink } = this;
    const length = bytes[from + 2]! | (bytes[from + 3]! << 8);
    const layout = this.layout(bytes[from + 4]!, length)!;
    const payload = from + HEADER_BYTES;
    const { sequence, seconds, microseconds, leadsOff, heartRate, spo2, rr, samples } = layout;

    if (sequence) this.count(readSigned(bytes, payload + sequence.at, sequence.bytes) >>> 0, samples?.count ?? 0);
    if (seconds && microseconds) {
      const s = readSigned(bytes, payload + seconds.at, seconds.bytes) >>> 0;
      const us = readSigned(bytes, payload + microseconds.at, microseconds.bytes) >>> 0;
      sink.deviceTime(s * 1000 + us / 1000);
    }
    if (leadsOff) sink.contact((bytes[payload + leadsOff.at]! & LEADS_OFF_BITS) === 0);
    // A number the firmware could not compute comes as 0 or as nonsense (60 / 0); the waveform beside it is still good.
    if (heartRate && fits(heartRate, length)) {
      const hrBpm = readSigned(bytes, payload + heartRate.at, heartRate.bytes);
      sink.heartRate(hrBpm >= 0 && hrBpm <= HIGHEST_BPM ? hrBpm : Number.NaN);
    }
    if (spo2 && fits(spo2, length)) {
      const percent = readSigned(bytes, payload + spo2.at, spo2.bytes);
      sink.spo2(percent > 0 && percent <= 100 ? percent : Number.NaN);
    }
    if (rr && this.rrOnChange) this.interval(readSigned(bytes, payload + rr.at, rr.bytes));
    if (samples) {
      for (let i = 0; i < samples.count; i++) {
        sink.sample(readSigned(bytes, payload + samples.at + i * samples.bytes, samples.bytes));
      }
    }
    sink.frame();
  }

  private layout(type: number, length: number): BoardFrame | undefined {
    for (const frame of this.frames) if (frame.type === type && frame.lengths.includes(length)) return frame;
    return undefined;
  }

  private count(sequence: number, samplesPerPacket: number): void {
    const step = (sequence - this.sequence) >>> 0;
    if (this.sequence >= 0 && step > 1 && step <= MOST_LOST_PACKETS) this.sink.lost((step - 1) * samplesPerPacket);
    this.sequence = sequence;
  }

  /** The interval is repeated in every packet until the next beat. */
  private interval(rrMs: number): void {
    if (rrMs !== this.lastRrMs && rrMs > 0 && rrMs <= LONGEST_RR_MS) this.sink.rr(rrMs);
    this.lastRrMs = rrMs;
  }
}

function fits(field: Field, length: number): boolean {
  return field.at + field.bytes <= length;
}

class ProtoCentralEncoder extends IgnoringSink {
  private readonly board: Board;
  private readonly perPacket: number;
  private readonly pending: number[] = [];
  private hrBpm = 0;
  private spo2Percent = 0;
  private rrMs = 0;
  private on = true;
  private timeMs = 0;
  private lostSamples = 0;
  private sequence = 0;

  constructor(
    private readonly write: (bytes: Uint8Array) => void,
    options: FormatOptions,
  ) {
    super();
    this.board = boardOf(options);
    this.perPacket = Math.max(...this.board.frames.map((frame) => frame.samples?.count ?? 0));
  }

  override heartRate(hrBpm: number): void {
    this.hrBpm = toField(hrBpm, 0, 255, 0);
  }

  override spo2(percent: number): void {
    this.spo2Percent = toField(percent, 0, 100, 0);
  }

  override rr(rrMs: number): void {
    this.rrMs = toField(rrMs, 0, LONGEST_RR_MS, 0);
  }

  override contact(on: boolean): void {
    this.on = on;
  }

  /** Time of the first sample of the packet to come. */
  override deviceTime(tMs: number): void {
    if (this.pending.length === 0) this.timeMs = tMs;
  }

  override lost(samples: number): void {
    this.lostSamples += samples;
  }

  override sample(value: number): void {
    this.pending.push(toField(value, this.board.min, this.board.max, 0));
    if (this.pending.length < this.perPacket) return;
    // The counter counts packets: only whole lost packets can be told.
    this.sequence += Math.floor(this.lostSamples / this.perPacket);
    this.lostSamples %= this.perPacket;
    for (const layout of this.board.frames) this.packet(layout);
    this.sequence++;
    this.pending.length = 0;
  }

  private packet(layout: BoardFrame): void {
    const length = Math.max(...layout.lengths);
    const bytes = new Uint8Array(HEADER_BYTES + length + TRAILER_BYTES);
    bytes.set([START_1, START_2, length & 0xff, length >> 8, layout.type]);
    bytes[bytes.length - 1] = STOP_2;
    const put = (field: Field | undefined, value: number) => {
      if (field) writeNumber(bytes, HEADER_BYTES + field.at, field.bytes, value);
    };
    put(layout.heartRate, this.hrBpm);
    put(layout.spo2, this.spo2Percent);
    put(layout.rr, this.rrMs);
    put(layout.leadsOff, this.on ? 0 : LEADS_OFF_BITS);
    put(layout.sequence, this.sequence >>> 0);
    const totalUs = Math.round(this.timeMs * 1000);
    put(layout.seconds, Math.floor(totalUs / 1e6));
    put(layout.microseconds, totalUs % 1e6);
    for (const constant of layout.constants ?? []) put(constant, constant.value);
    if (layout.samples) {
      const { at, bytes: size } = layout.samples;
      this.pending.forEach((value, i) => {
        put({ at: at + i * size, bytes: size }, value);
      });
    }
    this.write(bytes);
  }
}

/** ProtoCentral boards: `0A FA length type payload 00 0B`, with the payload of the configured board. */
export const protocentral: Format = {
  id: 'protocentral',
  title: 'ProtoCentral boards (ADS1292R, HealthyPi, MAX30003, AFE4490 and others), OpenView packets',
  serial: { baudRate: PROTOCENTRAL_BOARDS.ads1292r.baudRate, dataBits: 8, parity: 'none', stopBits: 1 },
  silenceMs: 5000,
  options: {
    board: `${BOARD_NAMES.map((name) => `${name} at ${PROTOCENTRAL_BOARDS[name].baudRate} baud`).join(', ')} (ads1292r)`,
    countsPerUnit: 'counts per millivolt (ECG) or per full swing (PPG) where the board was changed (by board)',
    rateHz: 'samples per second where the board was changed (by board)',
    rrOnChange: "also report the board's interval each time it changes; beats with equal intervals are missed (false)",
  },
  carries,
  createDecoder: (sink, options) => new ProtoCentralDecoder(sink, options),
  createEncoder: (write, options) => new ProtoCentralEncoder(write, options),
};

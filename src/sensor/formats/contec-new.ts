import type { Decoder, DropReason, Format, ReadingSink } from '../../domain/reading.js';
import { ByteFramer, type FrameRule } from './byte-framer.js';
import { IgnoringSink, toField } from './ignoring-sink.js';
import { OximeterValues, rateField, spo2Field } from './oximeter-values.js';

/* Contec CMS50D+ firmware 4.6 and later, as in timegrid/CMS50Dplus7 and headrotor/art-sensors. */
const HIGH_BIT = 0x80;
const COMMAND = 0x7d;
const REALTIME = 0x01;
const REALTIME_BYTES = 9;
/** Answers to commands and notices: whole and right, but no readings. */
const FIRST_REPLY = 0x02;
const LAST_REPLY = 0x14;
/** Type and high bits; the data bytes may be none. */
const SHORTEST_BYTES = 2;

const START_REALTIME = 0xa1;
const STOP_REALTIME = 0xa2;
const STOP_STORAGE = 0xa7;
const KEEP_ALIVE = 0xaf;
/** The stream ends some 30 s after the last keep-alive. */
const KEEP_ALIVE_MS = 5000;

const SIGNAL = 0x05;
const TOO_LONG = 0x10;
const BEEP = 0x40;
const FINGER_OUT = 0x80;
const SEARCHING = 0x80;
const PLETH = 0x7f;
const BEEP_PACKETS = 6;

/** A command of nine bytes: its code, padded, with the eighth bits gathered in byte 1. */
export function contecCommand(code: number): Uint8Array {
  return pack(COMMAND, [code, 0, 0, 0, 0, 0, 0]);
}

/** The type, the eighth bits of the data gathered in one byte, the data with bit 7 set. */
function pack(type: number, data: readonly number[]): Uint8Array {
  const high = data.reduce((bits, byte, i) => bits | (((byte & HIGH_BIT) >> 7) << i), 0);
  return Uint8Array.of(type, HIGH_BIT | high, ...data.map((byte) => HIGH_BIT | byte));
}

class ContecNewDecoder implements Decoder, FrameRule {
  readonly longestBytes = REALTIME_BYTES + 1;
  reason: DropReason = 'framing';
  private readonly framer: ByteFramer;
  private readonly values: OximeterValues;
  private beeping: boolean | null = null;

  constructor(private readonly sink: ReadingSink) {
    this.values = new OximeterValues(sink);
    this.framer = new ByteFramer(this, (reason, bytes) => {
      this.beeping = null;
      this.values.reset();
      sink.dropped(reason, bytes);
    });
  }

  push(chunk: Uint8Array): void {
    this.framer.push(chunk);
  }

  reset(): void {
    this.framer.reset();
    this.values.reset();
    this.beeping = null;
  }

  /** A byte below 80 begins a packet; all that follow have bit 7 set, up to the next one. */
  measure(bytes: Uint8Array, from: number, to: number): number {
    const type = bytes[from]!;
    this.reason = 'framing';
    if (type >= HIGH_BIT) return -1;
    let length = 1;
    while (length < REALTIME_BYTES && from + length < to && bytes[from + length]! >= HIGH_BIT) length++;
    const ended = length === REALTIME_BYTES || from + length < to;
    if (type === REALTIME) {
      if (length === REALTIME_BYTES) return length;
      return ended ? -1 : 0;
    }
    if (type < FIRST_REPLY || type > LAST_REPLY) {
      this.reason = 'unknown';
      return -1;
    }
    if (!ended) return 0;
    return length >= SHORTEST_BYTES ? length : -1;
  }

  frame(bytes: Uint8Array, from: number): void {
    // An answer alone is no reason to believe that the stream runs.
    if (bytes[from] !== REALTIME) return;
    const { sink } = this;
    const high = bytes[from + 1]!;
    const flags = data(bytes, from, 0, high);
    const pleth = data(bytes, from, 1, high);
    const on = (flags & FINGER_OUT) === 0 && (flags & TOO_LONG) === 0;
    sink.contact(on);
    this.values.packet(data(bytes, from, 3, high), data(bytes, from, 4, high), on && (pleth & SEARCHING) === 0);
    const beep = (flags & BEEP) !== 0;
    if (beep && this.beeping === false && on) sink.beat();
    this.beeping = beep;
    sink.sample(pleth & PLETH);
    sink.frame();
  }
}

/** Data byte `index` of a packet with its eighth bit put back. */
function data(bytes: Uint8Array, from: number, index: number, high: number): number {
  return (bytes[from + 2 + index]! & 0x7f) | (((high >> index) & 1) << 7);
}

class ContecNewEncoder extends IgnoringSink {
  private rate = rateField(0);
  private percent = spo2Field(0);
  private on = true;
  private beepPackets = 0;

  constructor(private readonly write: (bytes: Uint8Array) => void) {
    super();
  }

  override contact(on: boolean): void {
    this.on = on;
  }

  override heartRate(hrBpm: number): void {
    this.rate = rateField(hrBpm);
  }

  override spo2(percent: number): void {
    this.percent = spo2Field(percent);
  }

  override beat(): void {
    this.beepPackets = BEEP_PACKETS;
  }

  override sample(value: number): void {
    const pleth = toField(value, 0, PLETH, 0);
    const beep = this.beepPackets > 0;
    if (beep) this.beepPackets--;
    const flags = (beep ? BEEP : 0) | (this.on ? SIGNAL : FINGER_OUT);
    const rate = this.on ? this.rate : rateField(0);
    const spo2 = this.on ? this.percent : spo2Field(0);
    const bar = Math.round((15 * pleth) / PLETH);
    this.write(pack(REALTIME, [flags, pleth, bar, rate, spo2, 0xff, 0xff]));
  }
}

/** Contec oximeters with the newer protocol: 60 packets a second, asked for and kept alive by the host. */
export const contecNew: Format = {
  id: 'contec-new',
  title: 'Contec CMS50D+ firmware 4.6 and later, CMS50E/F/EW/IW (115200 baud, with keep-alive)',
  // Without XON/XOFF, whatever other programs do: replies 11 and 13 are those very characters.
  serial: { baudRate: 115_200, dataBits: 8, parity: 'none', stopBits: 1 },
  silenceMs: 5000,
  options: {},
  carries: () => ({
    waveform: {
      kind: 'ppg',
      rateHz: 60,
      unit: 'count',
      nominal: { offset: 64, perUnit: 64 },
      range: { min: 0, max: PLETH },
    },
    beatFlags: true,
    rr: false,
    heartRate: true,
    spo2: true,
    contact: true,
    battery: false,
  }),
  commands: () => ({
    start: Buffer.concat([STOP_REALTIME, STOP_STORAGE, START_REALTIME].map(contecCommand)),
    stop: contecCommand(STOP_REALTIME),
    keepAlive: { bytes: contecCommand(KEEP_ALIVE), everyMs: KEEP_ALIVE_MS },
  }),
  createDecoder: (sink) => new ContecNewDecoder(sink),
  createEncoder: (write) => new ContecNewEncoder(write),
};

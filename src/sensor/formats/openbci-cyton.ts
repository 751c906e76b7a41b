import type { Carries, Decoder, DropReason, Format, FormatOptions, ReadingSink } from '../../domain/reading.js';
import { ByteFramer, type FrameRule } from './byte-framer.js';
import { IgnoringSink, toField } from './ignoring-sink.js';
import { choiceOption, flagOption, integerOption } from './options.js';
import { SequenceCounter } from './sequence-counter.js';

/* OpenBCI Cyton data format: A0, sample number, 8 x int24 big-endian, 6 auxiliary bytes, Cx. */
const PACKET_BYTES = 33;
const START = 0xa0;
/** Boards read without the dongle begin their packets with 'A'. */
const START_DIRECT = 0x41;
const STOP = 0xc0;
const HIGHEST_STOP = 0xc7;
/** Stop bytes C3 to C6: the last four auxiliary bytes are the board's time in ms. */
const FIRST_TIMED = 0xc3;
const LAST_TIMED = 0xc6;
const CHANNELS = 2;
const AUX = 26;
const CHANNELS_PER_BOARD = 8;
const COUNTER_MODULUS = 256;
const MAX = 2 ** 23 - 1;
/** ADS1299 with its reference of 4.5 V. */
const REFERENCE_MV = 4500;
const GAINS = ['1', '2', '4', '6', '8', '12', '24'] as const;

function channelOf(options: FormatOptions): number {
  const daisy = flagOption(options, 'daisy', false);
  return integerOption(options, 'channel', 1, 1, daisy ? 2 * CHANNELS_PER_BOARD : CHANNELS_PER_BOARD);
}

function startOf(options: FormatOptions): number {
  return choiceOption(options, 'link', 'dongle', ['dongle', 'direct']) === 'dongle' ? START : START_DIRECT;
}

function carries(options: FormatOptions): Carries {
  channelOf(options);
  startOf(options);
  const gain = Number(choiceOption({ gain: String(options.gain ?? 24) }, 'gain', '24', GAINS));
  return {
    waveform: {
      kind: 'ecg',
      rateHz: flagOption(options, 'daisy', false) ? 125 : 250,
      unit: 'count',
      nominal: { offset: 0, perUnit: (gain * MAX) / REFERENCE_MV },
      range: { min: -MAX - 1, max: MAX },
    },
    beatFlags: false,
    rr: false,
    heartRate: false,
    spo2: false,
    contact: false,
    battery: false,
  };
}

class CytonDecoder implements Decoder, FrameRule {
  readonly longestBytes = PACKET_BYTES + 2;
  reason: DropReason = 'framing';
  private readonly framer: ByteFramer;
  private readonly counter = new SequenceCounter(COUNTER_MODULUS);
  private readonly start: number;
  private readonly daisy: boolean;
  /** With a Daisy module odd sample numbers are channels 1 to 8 and even ones 9 to 16. */
  private readonly parity: number;
  private readonly offset: number;
  private aligned = false;

  constructor(
    private readonly sink: ReadingSink,
    options: FormatOptions,
  ) {
    const channel = channelOf(options) - 1;
    this.start = startOf(options);
    this.daisy = flagOption(options, 'daisy', false);
    this.parity = channel < CHANNELS_PER_BOARD ? 1 : 0;
    this.offset = CHANNELS + 3 * (channel % CHANNELS_PER_BOARD);
    this.framer = new ByteFramer(this, (reason, bytes) => sink.dropped(reason, bytes));
  }

  push(chunk: Uint8Array): void {
    this.framer.push(chunk);
  }

  reset(): void {
    this.framer.reset();
    this.counter.reset();
    this.aligned = false;
  }

  /** Both marks may stand inside the data, so after a loss the next packet must begin right behind, numbered one higher. */
  measure(bytes: Uint8Array, from: number, to: number): number {
    const available = to - from;
    this.reason = 'framing';
    if (bytes[from] !== this.start) return this.lose();
    if (available < PACKET_BYTES) return 0;
    const stop = bytes[from + PACKET_BYTES - 1]!;
    if (stop < STOP || stop > HIGHEST_STOP) return this.lose();
    if (this.aligned) return PACKET_BYTES;
    if (available < PACKET_BYTES + 2) return 0;
    const next = from + PACKET_BYTES;
    if (bytes[next] !== this.start || bytes[next + 1] !== ((bytes[from + 1]! + 1) & 0xff)) return this.lose();
    this.aligned = true;
    return PACKET_BYTES;
  }

  frame(bytes: Uint8Array, from: number): void {
    const { sink } = this;
    const number = bytes[from + 1]!;
    if (this.daisy && (number & 1) !== this.parity) return;
    const missing = this.counter.missing(number);
    const lost = this.daisy ? (missing - 1) / 2 : missing;
    if (lost >= 1) sink.lost(Math.floor(lost));
    const stop = bytes[from + PACKET_BYTES - 1]!;
    if (stop >= FIRST_TIMED && stop <= LAST_TIMED) sink.deviceTime(u32(bytes, from + AUX + 2));
    const at = from + this.offset;
    sink.sample(((bytes[at]! << 24) >> 8) | (bytes[at + 1]! << 8) | bytes[at + 2]!);
    sink.frame();
  }

  private lose(): number {
    this.aligned = false;
    return -1;
  }
}

function u32(bytes: Uint8Array, at: number): number {
  return ((bytes[at]! << 24) | (bytes[at + 1]! << 16) | (bytes[at + 2]! << 8) | bytes[at + 3]!) >>> 0;
}

class CytonEncoder extends IgnoringSink {
  private readonly start: number;
  private readonly daisy: boolean;
  private readonly channel: number;
  private number: number;
  private timeMs = Number.NaN;

  constructor(
    private readonly write: (bytes: Uint8Array) => void,
    options: FormatOptions,
  ) {
    super();
    this.start = startOf(options);
    this.daisy = flagOption(options, 'daisy', false);
    this.channel = channelOf(options) - 1;
    this.number = this.daisy ? 1 : 0;
  }

  override deviceTime(tMs: number): void {
    this.timeMs = tMs;
  }

  override lost(samples: number): void {
    this.number = (this.number + (this.daisy ? 2 : 1) * samples) & 0xff;
  }

  override sample(value: number): void {
    const count = toField(value, -MAX - 1, MAX, 0);
    if (!this.daisy) {
      this.write(this.packet(count));
      return;
    }
    const ours = this.channel < CHANNELS_PER_BOARD;
    this.write(Buffer.concat([this.packet(ours ? count : 0), this.packet(ours ? 0 : count)]));
  }

  private packet(count: number): Uint8Array {
    const bytes = new Uint8Array(PACKET_BYTES);
    bytes[0] = this.start;
    bytes[1] = this.number;
    this.number = (this.number + 1) & 0xff;
    const at = CHANNELS + 3 * (this.channel % CHANNELS_PER_BOARD);
    bytes.set([(count >> 16) & 0xff, (count >> 8) & 0xff, count & 0xff], at);
    bytes[PACKET_BYTES - 1] = STOP;
    if (!Number.isNaN(this.timeMs)) {
      new DataView(bytes.buffer).setUint32(AUX + 2, Math.floor(this.timeMs) % 2 ** 32);
      bytes[PACKET_BYTES - 1] = FIRST_TIMED;
    }
    return bytes;
  }
}

/** OpenBCI Cyton: eight channels (sixteen with Daisy) at 24 bits, of which one is read as ECG. */
export const openbciCyton: Format = {
  id: 'openbci-cyton',
  title: 'OpenBCI Cyton board, one of its channels as ECG (250 Hz; 125 Hz with Daisy)',
  serial: { baudRate: 115_200, dataBits: 8, parity: 'none', stopBits: 1 },
  silenceMs: 5000,
  options: {
    channel: 'which channel carries the ECG: 1 to 8, with Daisy to 16 (1)',
    gain: "the channel's gain: 1, 2, 4, 6, 8, 12, 24 (24)",
    daisy: 'a Daisy module is fitted: sixteen channels at 125 Hz (false)',
    link: 'dongle, or direct (the board on a UART without its radio) (dongle)',
  },
  carries,
  commands: () => ({ start: Buffer.from('b', 'latin1'), stop: Buffer.from('s', 'latin1') }),
  createDecoder: (sink, options) => new CytonDecoder(sink, options),
  createEncoder: (write, options) => new CytonEncoder(write, options),
};

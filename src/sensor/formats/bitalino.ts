import type { Carries, Decoder, DropReason, Format, FormatOptions, ReadingSink } from '../../domain/reading.js';
import { ByteFramer, type FrameRule } from './byte-framer.js';
import { IgnoringSink, toField } from './ignoring-sink.js';
import { choiceOption, integerOption } from './options.js';
import { SequenceCounter } from './sequence-counter.js';

/* BITalino frames and commands, as in the maker's APIs. */
const INPUTS = ['A1', 'A2', 'A3', 'A4', 'A5', 'A6'] as const;
/** Bytes of a frame by the number of inputs in it. */
const FRAME_BYTES: readonly number[] = [0, 3, 4, 6, 7, 8, 8];
/** The first four inputs of a frame have 10 bits, the others 6. */
const WIDE_INPUTS = 4;
const WIDE_MAX = 1023;
const NARROW_MAX = 63;
const SEQUENCE_MODULUS = 16;
/** Four bits of CRC let one of 16 chance positions through: this many frames in a row must be right and numbered on. */
const CONFIRM_FRAMES = 4;
/** x^4 + x + 1. */
const POLYNOMIAL = 0x13;

const RATE_COMMANDS: ReadonlyMap<number, number> = new Map([
  [1, 0x03],
  [10, 0x43],
  [100, 0x83],
  [1000, 0xc3],
]);
const STOP = 0x00;
const LIVE = 0x01;
/** ECG sensor: gain 1100 at 3.3 V. */
const ECG_GAIN = 1100;
const SUPPLY_MV = 3300;

interface Settings {
  /** Which inputs are in a frame: bit 0 is A1. */
  readonly mask: number;
  readonly count: number;
  /** Place of the signal in the frame, from 0. */
  readonly place: number;
  readonly rateHz: number;
}

function settings(options: FormatOptions): Settings {
  const text = options.inputs ?? 'A2';
  const names = typeof text === 'string' ? text.split(',').map((name) => name.trim().toUpperCase()) : [];
  const wrong = names.find((name) => !INPUTS.some((input) => input === name));
  if (names.length === 0 || wrong !== undefined) {
    throw new Error(`option inputs: ${JSON.stringify(text)} is not a list of ${INPUTS.join(', ')}`);
  }
  const present = INPUTS.filter((input) => names.includes(input));
  const signal = choiceOption(options, 'signal', present[0]!, present);
  const rateHz = integerOption(options, 'rateHz', 1000, 1, 1000);
  if (!RATE_COMMANDS.has(rateHz)) throw new Error(`option rateHz: ${rateHz} is not 1, 10, 100 or 1000`);
  return {
    mask: present.reduce((mask, input) => mask | (1 << INPUTS.indexOf(input)), 0),
    count: present.length,
    place: present.indexOf(signal),
    rateHz,
  };
}

function carries(options: FormatOptions): Carries {
  const { place, rateHz } = settings(options);
  const kind = choiceOption(options, 'kind', 'ecg', ['ecg', 'ppg']);
  const max = place < WIDE_INPUTS ? WIDE_MAX : NARROW_MAX;
  return {
    waveform: {
      kind,
      rateHz,
      unit: 'count',
      nominal: { offset: (max + 1) / 2, perUnit: kind === 'ecg' ? (max * ECG_GAIN) / SUPPLY_MV : (max + 1) / 2 },
      range: { min: 0, max },
    },
    beatFlags: false,
    rr: false,
    heartRate: false,
    spo2: false,
    contact: false,
    battery: false,
  };
}

/** CRC-4 over the frame, its own four bits taken as 0. */
function crc4(bytes: Uint8Array, from: number, length: number): number {
  let crc = 0;
  for (let i = 0; i < length; i++) {
    const byte = i === length - 1 ? bytes[from + i]! & 0xf0 : bytes[from + i]!;
    for (let bit = 7; bit >= 0; bit--) {
      crc = (crc << 1) | ((byte >> bit) & 1);
      if (crc > 0x0f) crc ^= POLYNOMIAL;
    }
  }
  return crc;
}

/** The value at this place of a frame that ends before `end`. */
function valueAt(bytes: Uint8Array, end: number, place: number): number {
  switch (place) {
    case 0:
      return ((bytes[end - 2]! & 0x0f) << 6) | (bytes[end - 3]! >> 2);
    case 1:
      return ((bytes[end - 3]! & 0x03) << 8) | bytes[end - 4]!;
    case 2:
      return (bytes[end - 5]! << 2) | (bytes[end - 6]! >> 6);
    case 3:
      return ((bytes[end - 6]! & 0x3f) << 4) | (bytes[end - 7]! >> 4);
    case 4:
      return ((bytes[end - 7]! & 0x0f) << 2) | (bytes[end - 8]! >> 6);
    default:
      return bytes[end - 8]! & 0x3f;
  }
}

class BitalinoDecoder implements Decoder, FrameRule {
  readonly longestBytes: number;
  reason: DropReason = 'framing';
  private readonly framer: ByteFramer;
  private readonly counter = new SequenceCounter(SEQUENCE_MODULUS);
  private readonly size: number;
  private readonly place: number;
  private sequence = 0;
  private aligned = false;

  constructor(
    private readonly sink: ReadingSink,
    options: FormatOptions,
  ) {
    const { count, place } = settings(options);
    this.size = FRAME_BYTES[count]!;
    this.place = place;
    this.longestBytes = CONFIRM_FRAMES * this.size;
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

  measure(bytes: Uint8Array, from: number, to: number): number {
    const { size } = this;
    const available = to - from;
    this.reason = 'checksum';
    if (available < size) return 0;
    if (!this.aligned) return this.search(bytes, from, available);
    const right = this.isRight(bytes, from);
    if (right && this.numberOf(bytes, from) === next(this.sequence, 1)) return size;
    if (available < 2 * size) return 0;
    // A jump of the number is believed if the frame behind goes on from it; a broken frame is passed over likewise.
    const follows = this.isRight(bytes, from + size) ? this.numberOf(bytes, from + size) : -1;
    if (right && follows === next(this.numberOf(bytes, from), 1)) return size;
    if (follows === next(this.sequence, 2)) return -size;
    this.aligned = false;
    return -1;
  }

  frame(bytes: Uint8Array, from: number): void {
    const { sink } = this;
    this.sequence = this.numberOf(bytes, from);
    const missing = this.counter.missing(this.sequence);
    if (missing > 0) sink.lost(missing);
    sink.sample(valueAt(bytes, from + this.size, this.place));
    sink.frame();
  }

  private search(bytes: Uint8Array, from: number, available: number): number {
    const { size } = this;
    for (let i = 0; i < CONFIRM_FRAMES; i++) {
      const at = from + i * size;
      if (available < (i + 1) * size) return 0;
      if (!this.isRight(bytes, at)) return -1;
      if (this.numberOf(bytes, at) !== next(this.numberOf(bytes, from), i)) return -1;
    }
    this.aligned = true;
    this.sequence = next(this.numberOf(bytes, from), SEQUENCE_MODULUS - 1);
    return size;
  }

  private isRight(bytes: Uint8Array, from: number): boolean {
    return crc4(bytes, from, this.size) === (bytes[from + this.size - 1]! & 0x0f);
  }

  private numberOf(bytes: Uint8Array, from: number): number {
    return bytes[from + this.size - 1]! >> 4;
  }
}

function next(sequence: number, steps: number): number {
  return (sequence + steps) % SEQUENCE_MODULUS;
}

class BitalinoEncoder extends IgnoringSink {
  private readonly size: number;
  private readonly place: number;
  private readonly max: number;
  private sequence = 0;

  constructor(
    private readonly write: (bytes: Uint8Array) => void,
    options: FormatOptions,
  ) {
    super();
    const { count, place } = settings(options);
    this.size = FRAME_BYTES[count]!;
    this.place = place;
    this.max = place < WIDE_INPUTS ? WIDE_MAX : NARROW_MAX;
  }

  override lost(samples: number): void {
    this.sequence = next(this.sequence, samples);
  }

  override sample(value: number): void {
    this.write(this.packet(toField(value, 0, this.max, (this.max + 1) / 2)));
  }

  /** The inputs beside ours are 0. */
  private packet(value: number): Uint8Array {
    const bytes = new Uint8Array(this.size);
    const end = this.size;
    const put = (back: number, bits: number) => {
      bytes[end - back]! |= bits;
    };
    if (this.place === 0) {
      put(2, value >> 6);
      put(3, (value & 0x3f) << 2);
    } else if (this.place === 1) {
      put(3, value >> 8);
      put(4, value & 0xff);
    } else if (this.place === 2) {
      put(5, value >> 2);
      put(6, (value & 0x03) << 6);
    } else if (this.place === 3) {
      put(6, value >> 4);
      put(7, (value & 0x0f) << 4);
    } else if (this.place === 4) {
      put(7, value >> 2);
      put(8, (value & 0x03) << 6);
    } else {
      put(8, value);
    }
    put(1, this.sequence << 4);
    put(1, crc4(bytes, 0, this.size));
    this.sequence = next(this.sequence, 1);
    return bytes;
  }
}

/** BITalino: up to six inputs, numbered frames under a CRC of four bits; asked for by the host. */
export const bitalino: Format = {
  id: 'bitalino',
  title: 'BITalino board, one of its inputs as ECG or pulse (up to 1000 Hz)',
  serial: { baudRate: 115_200, dataBits: 8, parity: 'none', stopBits: 1 },
  silenceMs: 5000,
  options: {
    inputs: 'inputs to acquire, of A1 to A6, separated by commas (A2)',
    signal: 'which of them is read (the first)',
    rateHz: 'samples per second: 1, 10, 100, 1000 (1000)',
    kind: 'ecg, ppg (ecg)',
  },
  carries,
  commands: (options) => {
    const { mask, rateHz } = settings(options);
    return {
      start: Uint8Array.of(RATE_COMMANDS.get(rateHz)!, (mask << 2) | LIVE),
      stop: Uint8Array.of(STOP),
    };
  },
  createDecoder: (sink, options) => new BitalinoDecoder(sink, options),
  createEncoder: (write, options) => new BitalinoEncoder(write, options),
};

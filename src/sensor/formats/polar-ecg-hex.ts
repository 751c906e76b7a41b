import type { Carries, DropReason, Format, FormatOptions, ReadingSink } from '../../domain/reading.js';
import { readHex, toHex } from './hex-digits.js';
import { IgnoringSink, toField } from './ignoring-sink.js';
import { LineWriter } from './line-writer.js';
import { choiceOption } from './options.js';
import { textDecoder } from './text-decoder.js';

/* Polar Measurement Data, characteristic FB005C82: as in the Polar BLE SDK, EcgData. */
const STYLES = ['any', 'hex', 'json', 'pmd'] as const;
const ECG = 0x00;
const RAW = 0x00;
const HEADER_BYTES = 10;
const SAMPLE_BYTES = 3;
/** An H10 sends 73 samples a frame; a frame cannot be longer than one notification. */
const SAMPLES_PER_FRAME = 73;
const LONGEST_FRAME_BYTES = 512;
const RATE_HZ = 130;
const LOW_WORD = 2 ** 32;
const NS_PER_MS = 1e6;
const MAX_UV = 2 ** 23 - 1;
const MIN_UV = -(2 ** 23);
/** Frame times are 73 samples apart to within a sample; more than this is a frame that never came. */
const LEAST_LOST = 3;
/** A bigger gap is a strap that was switched off and on. */
const MOST_LOST = 60 * RATE_HZ;

function carries(options: FormatOptions): Carries {
  choiceOption(options, 'style', 'any', STYLES);
  return {
    waveform: {
      kind: 'ecg',
      rateHz: RATE_HZ,
      unit: 'count',
      // Samples are microvolts.
      nominal: { offset: 0, perUnit: 1000 },
      range: { min: MIN_UV, max: MAX_UV },
    },
    beatFlags: false,
    rr: false,
    heartRate: false,
    spo2: false,
    contact: false,
    battery: false,
  };
}

class PmdReader {
  private readonly frame = new Uint8Array(LONGEST_FRAME_BYTES);
  private readonly style: (typeof STYLES)[number];
  private lastMs = Number.NaN;

  constructor(
    private readonly sink: ReadingSink,
    options: FormatOptions,
  ) {
    this.style = choiceOption(options, 'style', 'any', STYLES);
  }

  forget(): void {
    this.lastMs = Number.NaN;
  }

  line(text: string): DropReason | null {
    const style = text.startsWith('{') ? 'json' : /^PMD[ \t]/i.test(text) ? 'pmd' : 'hex';
    if (this.style !== 'any' && this.style !== style) return 'unknown';
    if (style === 'json') return this.json(text);
    return this.hex(style === 'pmd' ? text.slice(3) : text);
  }

  private json(text: string): DropReason | null {
    let record: unknown;
    try {
      record = JSON.parse(text);
    } catch {
      return 'framing';
    }
    if (typeof record !== 'object' || record === null) return 'unknown';
    const { src, hex } = record as Record<string, unknown>;
    return typeof hex === 'string' && (src === undefined || src === 'pmd') ? this.hex(hex) : 'unknown';
  }

  private hex(text: string): DropReason | null {
    const { frame, sink } = this;
    const length = readHex(text, frame);
    if (typeof length === 'string') return length;
    const count = (length - HEADER_BYTES) / SAMPLE_BYTES;
    if (length < HEADER_BYTES + SAMPLE_BYTES || !Number.isInteger(count)) return 'framing';
    // Other types on the same characteristic: pleth, acceleration, intervals; other frame types are packed differently.
    if (frame[0] !== ECG || frame[9] !== RAW) return 'unknown';
    // A double holds nanoseconds of today to a tenth of a microsecond: enough, and no BigInt per frame.
    const lastMs = (word(frame, 5) * LOW_WORD + word(frame, 1)) / NS_PER_MS;
    this.gap(lastMs, count);
    sink.deviceTime(lastMs - ((count - 1) * 1000) / RATE_HZ);
    for (let at = HEADER_BYTES; at < length; at += SAMPLE_BYTES) {
      sink.sample(((frame[at + 2]! << 24) >> 8) | (frame[at + 1]! << 8) | frame[at]!);
    }
    return null;
  }

  /** The strap has no counter, but its clock: what is between two frames and not in the second is lost. */
  private gap(lastMs: number, count: number): void {
    const lost = Math.round(((lastMs - this.lastMs) * RATE_HZ) / 1000) - count;
    this.lastMs = lastMs;
    if (lost >= LEAST_LOST && lost <= MOST_LOST) this.sink.lost(lost);
  }
}

function word(bytes: Uint8Array, at: number): number {
  return (bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16) | (bytes[at + 3]! << 24)) >>> 0;
}

class PmdEncoder extends IgnoringSink {
  private readonly lines: LineWriter;
  private readonly style: (typeof STYLES)[number];
  private readonly pending: number[] = [];
  private firstMs = 0;
  /** Samples before the frame to come, lost ones counted. */
  private count = 0;

  constructor(write: (bytes: Uint8Array) => void, options: FormatOptions) {
    super();
    this.lines = new LineWriter(write);
    this.style = choiceOption(options, 'style', 'any', STYLES);
  }

  /** Where nobody tells the time it runs from 0 by the number of samples. */
  override deviceTime(tMs: number): void {
    if (this.pending.length === 0) this.firstMs = tMs - (this.count * 1000) / RATE_HZ;
  }

  override lost(samples: number): void {
    this.count += samples;
  }

  override sample(value: number): void {
    this.pending.push(toField(value, MIN_UV, MAX_UV, 0));
    if (this.pending.length === SAMPLES_PER_FRAME) this.send();
  }

  private send(): void {
    const bytes = new Uint8Array(HEADER_BYTES + SAMPLE_BYTES * SAMPLES_PER_FRAME);
    this.count += SAMPLES_PER_FRAME;
    const lastMs = this.firstMs + ((this.count - 1) * 1000) / RATE_HZ;
    new DataView(bytes.buffer).setBigUint64(1, BigInt(Math.round(lastMs * 1000)) * 1000n, true);
    this.pending.forEach((value, i) => {
      const at = HEADER_BYTES + SAMPLE_BYTES * i;
      bytes[at] = value & 0xff;
      bytes[at + 1] = (value >> 8) & 0xff;
      bytes[at + 2] = (value >> 16) & 0xff;
    });
    this.pending.length = 0;
    const hex = toHex(bytes);
    if (this.style === 'json') this.lines.line(JSON.stringify({ t: Math.round(lastMs), src: 'pmd', hex }));
    else this.lines.line(this.style === 'hex' ? hex : `PMD ${hex}`);
  }
}

/** ECG of Polar H10 and other straps with Polar's measurement service, each notification as a line of hex. */
export const polarEcgHex: Format = {
  id: 'polar-ecg-hex',
  title: 'Polar H10 ECG (PMD notifications) behind a serial bridge: hex, JSON or "PMD ..." lines',
  serial: { baudRate: 115_200, dataBits: 8, parity: 'none', stopBits: 1 },
  silenceMs: 5000,
  options: {
    style: 'lines to accept: any, hex, json ({"t":1,"src":"pmd","hex":"00..."}), pmd (PMD 00...) (any)',
  },
  carries,
  createDecoder: (sink, options) => {
    const reader = new PmdReader(sink, options);
    return textDecoder(
      sink,
      (line) => reader.line(line),
      () => reader.forget(),
    );
  },
  createEncoder: (write, options) => new PmdEncoder(write, options),
};

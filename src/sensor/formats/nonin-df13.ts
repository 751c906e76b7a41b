import type { Decoder, DropReason, Format, ReadingSink } from '../../domain/reading.js';
import { ByteFramer, type FrameRule } from './byte-framer.js';
import { IgnoringSink, toField } from './ignoring-sink.js';
import { NONIN_SELECT_OPTIONS, noninCommands } from './nonin-commands.js';

/* Nonin "9560 Bluetooth Specification", data format 13. */
const DATA_FORMAT = 13;
const SELECT_FLAGS = 0x40;
const HEADER = [0x00, 0x02, 0x00, DATA_FORMAT] as const;
const ETX = 0x03;
const DATA_AT = 6;
const LEAST_DATA_BYTES = 14;
/** Later firmware may append bytes; no document shows more than a few. */
const MOST_DATA_BYTES = 64;
const TRAILER_BYTES = 2;
const NO_MEASUREMENT = 0x01;
const GOOD_MEASUREMENT = 0x02;
const FROM_MEMORY = 0x10;
const HR_MISSING = 511;
const SPO2_MISSING = 127;
const HIGHEST_HR_BPM = 321;
const HOUR_MS = 3_600_000;

function fromBcd(byte: number): number {
  return 10 * (byte >> 4) + (byte & 0x0f);
}

function toBcd(value: number): number {
  return (Math.floor(value / 10) << 4) | (value % 10);
}

function isBcd(byte: number): boolean {
  return byte >> 4 <= 9 && (byte & 0x0f) <= 9;
}

class NoninDf13Decoder implements Decoder, FrameRule {
  readonly longestBytes = DATA_AT + MOST_DATA_BYTES + TRAILER_BYTES;
  reason: DropReason = 'framing';
  private readonly framer: ByteFramer;

  constructor(private readonly sink: ReadingSink) {
    this.framer = new ByteFramer(this, (reason, bytes) => sink.dropped(reason, bytes));
  }

  push(chunk: Uint8Array): void {
    this.framer.push(chunk);
  }

  reset(): void {
    this.framer.reset();
  }

  measure(bytes: Uint8Array, from: number, to: number): number {
    this.reason = 'framing';
    for (let i = 0; i < HEADER.length && from + i < to; i++) if (bytes[from + i] !== HEADER[i]) return -1;
    if (to - from < DATA_AT) return 0;
    const length = (bytes[from + 4]! << 8) | bytes[from + 5]!;
    if (length < LEAST_DATA_BYTES || length > MOST_DATA_BYTES) return -1;
    const whole = DATA_AT + length + TRAILER_BYTES;
    if (to - from < whole) return 0;
    if (bytes[from + whole - 1] !== ETX) return -1;
    let sum = 0;
    for (let i = 0; i < length; i++) sum += bytes[from + DATA_AT + i]!;
    this.reason = 'checksum';
    return (sum & 0xff) === bytes[from + whole - TRAILER_BYTES] ? whole : -1;
  }

  frame(bytes: Uint8Array, from: number): void {
    const { sink } = this;
    // A record kept from an earlier spot check says nothing about now.
    if (bytes[from + 15]! & FROM_MEMORY) {
      sink.frame();
      return;
    }
    const measured = (bytes[from + 14]! & NO_MEASUREMENT) === 0;
    const hrBpm = ((bytes[from + 16]! & 0x01) << 8) | bytes[from + 17]!;
    const spo2 = bytes[from + 19]! & 0x7f;
    if ((hrBpm > HIGHEST_HR_BPM && hrBpm !== HR_MISSING) || (spo2 > 100 && spo2 !== SPO2_MISSING)) {
      sink.dropped('out-of-range', 0);
      sink.frame();
      return;
    }
    this.time(bytes, from + DATA_AT);
    sink.contact(measured);
    sink.heartRate(measured && hrBpm !== HR_MISSING ? hrBpm : Number.NaN);
    sink.spo2(measured && spo2 !== SPO2_MISSING ? spo2 : Number.NaN);
    sink.frame();
  }

  /** The device's clock, its zone unknown: ms since 1970 as if it were UTC. */
  private time(bytes: Uint8Array, at: number): void {
    for (let i = 0; i < 8; i++) if (!isBcd(bytes[at + i]!)) return;
    const year = 100 * fromBcd(bytes[at]!) + fromBcd(bytes[at + 1]!);
    const part = (i: number) => fromBcd(bytes[at + i]!);
    this.sink.deviceTime(Date.UTC(year, part(2) - 1, part(3), part(4), part(5), part(6), 10 * part(7)));
  }
}

class NoninDf13Encoder extends IgnoringSink {
  private hrBpm = HR_MISSING;
  private spo2Percent = SPO2_MISSING;
  private on = true;
  private timeMs = 0;

  constructor(private readonly write: (bytes: Uint8Array) => void) {
    super();
  }

  override deviceTime(tMs: number): void {
    this.timeMs = tMs;
  }

  override contact(on: boolean): void {
    this.on = on;
  }

  override heartRate(hrBpm: number): void {
    this.hrBpm = hrBpm === 0 ? HR_MISSING : toField(hrBpm, 0, HIGHEST_HR_BPM, HR_MISSING);
  }

  override spo2(percent: number): void {
    this.spo2Percent = toField(percent, 0, 100, SPO2_MISSING);
  }

  override frame(): void {
    const time = new Date(this.timeMs);
    const year = time.getUTCFullYear();
    const hr = this.on ? this.hrBpm : HR_MISSING;
    const data = [
      ...[Math.floor(year / 100), year % 100, time.getUTCMonth() + 1, time.getUTCDate()].map(toBcd),
      ...[time.getUTCHours(), time.getUTCMinutes(), time.getUTCSeconds()].map(toBcd),
      toBcd(Math.floor(time.getUTCMilliseconds() / 10)),
      this.on ? GOOD_MEASUREMENT : NO_MEASUREMENT,
      0,
      hr >> 8,
      hr & 0xff,
      0,
      this.on ? this.spo2Percent : SPO2_MISSING,
    ];
    const sum = data.reduce((total, byte) => total + byte, 0) & 0xff;
    this.write(Uint8Array.of(...HEADER, 0, data.length, ...data, sum, ETX));
  }
}

/** Nonin data format 13: one checked record per spot check, with the device's date and time. */
export const noninDf13: Format = {
  id: 'nonin-df13',
  title: 'Nonin oximeters, data format 13: one record per spot check (9560, 3150)',
  serial: { baudRate: 9600, dataBits: 8, parity: 'none', stopBits: 1 },
  // A spot check comes when somebody makes one; a day without is the least that means anything.
  silenceMs: 24 * HOUR_MS,
  options: NONIN_SELECT_OPTIONS,
  carries: (options) => {
    noninCommands(options, DATA_FORMAT, SELECT_FLAGS);
    return {
      waveform: null,
      beatFlags: false,
      rr: false,
      heartRate: true,
      spo2: true,
      contact: true,
      battery: false,
    };
  },
  commands: (options) => noninCommands(options, DATA_FORMAT, SELECT_FLAGS),
  createDecoder: (sink) => new NoninDf13Decoder(sink),
  createEncoder: (write) => new NoninDf13Encoder(write),
};

import type { Carries, Decoder, ReadingSink } from '../../domain/reading.js';
import { IgnoringSink, toField } from './ignoring-sink.js';
import { SeptetFramer, type SeptetRule } from './septet-framer.js';

/* Nonin "9560 Bluetooth Specification", data format 8. Format 1 is the same without the fourth byte. */
const START = 0x80;
const SENSOR_OFF = 0x40;
const HR_HIGH = 0x03;
const SENSOR_ALARM = 0x08;
const OUT_OF_TRACK = 0x20;
const HR_MISSING = 511;
const SPO2_MISSING = 127;
const HIGHEST_HR_BPM = 321;
/** Bits of byte 4 that the maker states as always 0. */
const RESERVED = 0x50;

/** What the once-a-second formats carry. */
export function noninSlowCarries(): Carries {
  return {
    waveform: null,
    beatFlags: false,
    rr: false,
    heartRate: true,
    spo2: true,
    contact: true,
    battery: false,
  };
}

function heartRate(bytes: Uint8Array, from: number): number {
  return ((bytes[from]! & HR_HIGH) << 7) | bytes[from + 1]!;
}

/** Decoder of data formats 1 (3 bytes) and 8 (4 bytes). The numbers are the "display" values, held for 10 s. */
export class NoninSlowDecoder implements Decoder, SeptetRule {
  private readonly framer: SeptetFramer;

  constructor(
    private readonly sink: ReadingSink,
    readonly packetBytes: 3 | 4,
  ) {
    this.framer = new SeptetFramer(this, (reason, bytes) => sink.dropped(reason, bytes));
  }

  push(chunk: Uint8Array): void {
    this.framer.push(chunk);
  }

  reset(): void {
    this.framer.reset();
  }

  plausible(bytes: Uint8Array, from: number): boolean {
    const hrBpm = heartRate(bytes, from);
    const spo2 = bytes[from + 2]!;
    return (
      (hrBpm <= HIGHEST_HR_BPM || hrBpm === HR_MISSING) &&
      (spo2 <= 100 || spo2 === SPO2_MISSING) &&
      (this.packetBytes === 3 || (bytes[from + 3]! & RESERVED) === 0)
    );
  }

  packet(bytes: Uint8Array, from: number): void {
    const { sink } = this;
    const alarm = this.packetBytes === 4 && (bytes[from + 3]! & SENSOR_ALARM) !== 0;
    const on = (bytes[from]! & SENSOR_OFF) === 0 && !alarm;
    const hrBpm = heartRate(bytes, from);
    const spo2 = bytes[from + 2]!;
    sink.contact(on);
    // Held for 10 s after the finger is gone: with the alarm set they are of the past.
    sink.heartRate(on && hrBpm !== HR_MISSING ? hrBpm : Number.NaN);
    sink.spo2(on && spo2 !== SPO2_MISSING ? spo2 : Number.NaN);
    sink.frame();
  }
}

/** Encoder of data formats 1 and 8. */
export class NoninSlowEncoder extends IgnoringSink {
  private hrBpm = HR_MISSING;
  private spo2Percent = SPO2_MISSING;
  private on = true;

  constructor(
    private readonly write: (bytes: Uint8Array) => void,
    private readonly packetBytes: 3 | 4,
  ) {
    super();
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
    const hr = this.on ? this.hrBpm : HR_MISSING;
    // Format 1 has no alarm bit: a missing finger shows as an inoperable sensor.
    const off = this.packetBytes === 3 ? SENSOR_OFF : OUT_OF_TRACK;
    const bytes = [START | (this.on ? 0 : off) | (hr >> 7), hr & 0x7f, this.on ? this.spo2Percent : SPO2_MISSING];
    if (this.packetBytes === 4) bytes.push(this.on ? 0 : SENSOR_ALARM);
    this.write(Uint8Array.from(bytes));
  }
}

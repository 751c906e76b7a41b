import type { Carries, Decoder, DropReason, Format, FormatOptions, ReadingSink } from '../../domain/reading.js';
import { IgnoringSink, toField } from './ignoring-sink.js';
import { type LineFramer, readingPerLine } from './line-framer.js';
import { LineWriter } from './line-writer.js';
import { flagOption, integerOption } from './options.js';
import { pulseSensorWaveform } from './pulsesensor.js';
import { SequenceCounter } from './sequence-counter.js';
import { parseInteger, startsWith } from './text-bytes.js';

/* Fields as in PulseSensor Playground, docs/signal-coach/pulse-webserial-protocol.mjs. */
const TAG = Buffer.from('PSWS,', 'latin1');
const LIVE = Buffer.from('LIVE,', 'latin1');
const SIMULATED = Buffer.from('SIM,', 'latin1');
const COMMA = 0x2c;
const VERSION = 1;
const MODE = 2;
const SEQUENCE = 3;
const TIME = 4;
const SIGNAL = 5;
const BPM = 6;
const IBI = 7;
const BEAT = 8;
const BATTERY = 14;
/** Number of fields by version. */
const FIELDS: readonly number[] = [0, 11, 18];
const MOST_FIELDS = 18;
const HIGHEST_BPM = 400;
const LONGEST_IBI_MS = 10_000;
/** A bigger jump of the counter is a restarted sketch, not a gap. */
const MOST_LOST = 1_000_000;
const COUNTER_MODULUS = 2 ** 32;

function versionOf(options: FormatOptions): number {
  return integerOption(options, 'version', 1, 1, 2);
}

function waveform(options: FormatOptions) {
  return pulseSensorWaveform({ adcBits: 12, ...options });
}

function carries(options: FormatOptions): Carries {
  flagOption(options, 'acceptSimulated', false);
  return {
    waveform: waveform(options),
    beatFlags: true,
    rr: true,
    heartRate: true,
    spo2: false,
    contact: false,
    battery: versionOf(options) === 2,
  };
}

class PswsDecoder implements Decoder {
  private readonly lines: LineFramer;
  private readonly max: number;
  private readonly battery: boolean;
  private readonly acceptSimulated: boolean;
  private readonly counter = new SequenceCounter(COUNTER_MODULUS, MOST_LOST);
  /** Where each field begins; one more than the last field's end. */
  private readonly starts = new Int32Array(MOST_FIELDS + 1);

  constructor(
    private readonly sink: ReadingSink,
    options: FormatOptions,
  ) {
    this.max = waveform(options).range.max;
    this.battery = carries(options).battery;
    this.acceptSimulated = flagOption(options, 'acceptSimulated', false);
    this.lines = readingPerLine(sink, (bytes, from, to) => this.line(bytes, from, to));
  }

  push(chunk: Uint8Array): void {
    this.lines.push(chunk);
  }

  reset(): void {
    this.lines.reset();
    this.counter.reset();
  }

  /** Returns why the line was refused, or null. */
  private line(bytes: Uint8Array, from: number, to: number): DropReason | null {
    if (!startsWith(bytes, from, to, TAG)) return 'unknown';
    const fields = this.cut(bytes, from, to);
    const version = this.field(bytes, VERSION);
    if (version !== 1 && version !== 2) return 'unknown';
    if (fields !== FIELDS[version]) return 'framing';
    const live = startsWith(bytes, this.starts[MODE]!, to, LIVE);
    if (!live && !(this.acceptSimulated && startsWith(bytes, this.starts[MODE]!, to, SIMULATED))) return 'unknown';

    const { sink } = this;
    const sequence = this.field(bytes, SEQUENCE);
    const timeMs = this.field(bytes, TIME);
    const signal = this.field(bytes, SIGNAL);
    const bpm = this.field(bytes, BPM);
    const ibiMs = this.field(bytes, IBI);
    const beat = this.field(bytes, BEAT);
    const battery = version === 2 ? this.field(bytes, BATTERY) : -1;
    if (Number.isNaN(sequence + timeMs + signal + bpm + ibiMs + beat + battery)) return 'not-a-number';
    const inRange =
      within(sequence, COUNTER_MODULUS - 1) &&
      within(signal, this.max) &&
      within(bpm, HIGHEST_BPM) &&
      within(ibiMs, LONGEST_IBI_MS) &&
      within(beat, 1) &&
      battery >= -1 &&
      battery <= 100;
    if (!inRange) return 'out-of-range';
    const missing = this.counter.missing(sequence);
    if (missing < 0) return 'sequence';
    if (missing > 0) sink.lost(missing);
    sink.deviceTime(timeMs);
    sink.heartRate(bpm);
    if (this.battery && battery >= 0) sink.battery(battery);
    if (beat === 1) {
      sink.beat();
      if (ibiMs > 0) sink.rr(ibiMs);
    }
    sink.sample(signal);
    return null;
  }

  /** Notes where the fields begin and returns how many there are; more than there may be are counted, not noted. */
  private cut(bytes: Uint8Array, from: number, to: number): number {
    const { starts } = this;
    let fields = 0;
    starts[0] = from;
    for (let at = from; at <= to; at++) {
      if (at < to && bytes[at] !== COMMA) continue;
      fields++;
      if (fields <= MOST_FIELDS) starts[fields] = at + 1;
    }
    // A version that is not there reads as an empty field.
    for (let i = fields + 1; i <= VERSION + 1; i++) starts[i] = to + 1;
    return fields;
  }

  private field(bytes: Uint8Array, index: number): number {
    return parseInteger(bytes, this.starts[index]!, this.starts[index + 1]! - 1);
  }
}

function within(value: number, most: number): boolean {
  return value >= 0 && value <= most;
}

class PswsEncoder extends IgnoringSink {
  private readonly lines: LineWriter;
  private readonly max: number;
  private readonly version: number;
  private sequence = 0;
  private timeMs = 0;
  private bpm = 0;
  private ibiMs = 0;
  private beatDue = false;
  private batteryPercent = -1;

  constructor(write: (bytes: Uint8Array) => void, options: FormatOptions) {
    super();
    this.lines = new LineWriter(write);
    this.max = waveform(options).range.max;
    this.version = versionOf(options);
  }

  override deviceTime(tMs: number): void {
    this.timeMs = Math.round(tMs);
  }

  override lost(samples: number): void {
    this.sequence += samples;
  }

  override heartRate(hrBpm: number): void {
    this.bpm = toField(hrBpm, 0, HIGHEST_BPM, 0);
  }

  override battery(percent: number): void {
    this.batteryPercent = toField(percent, 0, 100, -1);
  }

  override beat(): void {
    this.beatDue = true;
  }

  override rr(rrMs: number): void {
    this.ibiMs = toField(rrMs, 0, LONGEST_IBI_MS, 0);
    this.beatDue = true;
  }

  override sample(value: number): void {
    const signal = toField(value, 0, this.max, (this.max + 1) / 2);
    const beat = this.beatDue ? 1 : 0;
    this.beatDue = false;
    const state = this.bpm > 0 ? 'QUALIFIED' : 'SEARCHING';
    const common = `PSWS,${this.version},LIVE,${this.sequence},${this.timeMs},${signal},${this.bpm},${this.ibiMs},${beat},12,${state}`;
    const half = (this.max + 1) / 2;
    this.lines.line(
      this.version === 1
        ? common
        : `${common},${half},0,${this.max},${this.batteryPercent},0,0,${this.bpm > 0 ? 1 : 0}`,
    );
    this.sequence++;
  }
}

/**
 * PulseSensor "PSWS" lines: 50 a second, numbered and timed by the board, with a beat mark. Lines the sketch itself marks
 * as simulated are refused unless asked for: they are of no heart.
 */
export const pulsesensorPsws: Format = {
  id: 'pulsesensor-psws',
  title: 'PulseSensor, PSWS lines of version 1 and 2 (numbered CSV with beat mark)',
  serial: { baudRate: 115_200, dataBits: 8, parity: 'none', stopBits: 1 },
  silenceMs: 5000,
  options: {
    adcBits: 'resolution of the board: 10 (Uno and other AVR boards), 12 (ESP32 and others) (12)',
    rateHz: 'samples per second where the sketch was changed (50)',
    version: 'version the board writes; 2 adds the battery; both are read (1)',
    acceptSimulated: 'also read lines marked SIM, which are of no heart (false)',
  },
  carries,
  createDecoder: (sink, options) => new PswsDecoder(sink, options),
  createEncoder: (write, options) => new PswsEncoder(write, options),
};

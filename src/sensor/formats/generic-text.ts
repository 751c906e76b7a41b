import type { Carries, Decoder, DropReason, Format, FormatOptions, ReadingSink } from '../../domain/reading.js';
import { GenericTextEncoder } from './generic-text-encoder.js';
import { GENERIC_TEXT_OPTIONS, type TextSettings, textCarries, textSettings } from './generic-text-options.js';
import { readHrmSentence } from './hrm-sentence.js';
import { type LineFramer, readingPerLine } from './line-framer.js';
import { nmeaBody } from './nmea.js';
import { type TextField, TextValues } from './text-fields.js';
import { isBeatLine, readJson, readPairs, readRow, splitRow } from './text-lines.js';

const HIGHEST_BPM = 400;
const LONGEST_RR_MS = 65_535;
/** An interval below this cannot be milliseconds (6,000 bpm), so it is seconds. */
const SECONDS_BELOW = 10;
/** A bigger jump of the counter is a restarted device, not a gap. */
const MOST_LOST = 1_000_000;
/** What devices print for a vital sign they do not have, which can never be negative. */
const NOT_MEASURED: readonly number[] = [-1, -999];

class GenericTextDecoder implements Decoder {
  private readonly lines: LineFramer;
  private readonly settings: TextSettings;
  private readonly carries: Carries;
  private readonly values = new TextValues();
  private sequence = Number.NaN;

  constructor(
    private readonly sink: ReadingSink,
    options: FormatOptions,
  ) {
    this.settings = textSettings(options);
    this.carries = textCarries(this.settings);
    this.lines = readingPerLine(sink, (bytes, from, to) =>
      this.line(Buffer.from(bytes.buffer, bytes.byteOffset + from, to - from).toString('utf8')),
    );
  }

  push(chunk: Uint8Array): void {
    this.lines.push(chunk);
  }

  reset(): void {
    this.lines.reset();
    this.sequence = Number.NaN;
  }

  /** Returns why the line was refused, or null. */
  private line(text: string): DropReason | null {
    const line = text.trim();
    const { columns, waveform, decimalComma, checksumRequired } = this.settings;
    this.values.clear();
    if (columns.length > 0) {
      const row = line.startsWith('$') ? this.sentenceBody(line) : line;
      if (row === null) return 'checksum';
      return readRow(splitRow(row, decimalComma), columns, this.values, decimalComma) ?? this.tell();
    }
    if (line.startsWith('$')) {
      if (this.carries.rr) return readHrmSentence(line, this.sink, true, !checksumRequired);
      return this.sentenceBody(line) === null ? 'checksum' : 'unknown';
    }
    if (line.startsWith('{')) return readJson(line, this.values, waveform) ?? this.tell();
    if (isBeatLine(line)) {
      this.sink.beat();
      return null;
    }
    return readPairs(line, this.values, waveform, decimalComma) ?? this.tell();
  }

  /** The columns of a `$TAG,...*HH` line, without its tag. */
  private sentenceBody(line: string): string | null {
    const body = nmeaBody(line, !this.settings.checksumRequired);
    return body === null ? null : body.slice(body.indexOf(',') + 1);
  }

  /** Checks the values of one line, then tells them all; a line with one value out of range is not believed at all. */
  private tell(): DropReason | null {
    const { values, sink, carries } = this;
    const bpm = this.vital('bpm', HIGHEST_BPM);
    const rrMs = this.rrMs();
    const spo2 = this.vital('spo2', 100);
    const battery = this.vital('battery', 100);
    const signal = values.get('signal');
    const beat = values.get('beat');
    const contact = values.get('contact');
    const { min, max } = this.settings;
    if (bpm === null || rrMs === null || spo2 === null || battery === null || signal < min || signal > max) {
      return 'out-of-range';
    }
    if ((values.has('beat') && beat !== 0 && beat !== 1) || contact < 0 || contact > 1) return 'out-of-range';
    const wave = carries.waveform !== null && values.has('signal');
    const vitals = values.has('bpm') || values.has('rr') || values.has('spo2') || values.has('battery');
    if (!wave && !vitals && !values.has('beat') && !values.has('contact')) return 'unknown';
    if (!this.count(values.get('sequence'))) return 'sequence';

    const time = values.get('time');
    if (Number.isFinite(time)) sink.deviceTime(time);
    if (!Number.isNaN(contact)) sink.contact(contact !== 0);
    if (values.has('bpm')) sink.heartRate(bpm);
    if (values.has('spo2')) sink.spo2(spo2);
    if (!Number.isNaN(battery)) sink.battery(battery);
    if (beat === 1) sink.beat();
    if (carries.rr && rrMs > 0 && (!values.has('beat') || beat === 1)) sink.rr(rrMs);
    if (wave) sink.sample(signal);
    return null;
  }

  /** The value, NaN where not measured, null where impossible. */
  private vital(field: TextField, most: number): number | null {
    const value = this.values.get(field);
    if (NOT_MEASURED.includes(value)) return Number.NaN;
    return value < 0 || value > most ? null : value;
  }

  private rrMs(): number | null {
    const { unit } = this.settings;
    const value = this.vital('rr', LONGEST_RR_MS);
    if (value === null) return null;
    const given = this.values.rrUnit ?? unit;
    const rrMs = given === 's' || (given === 'auto' && value < SECONDS_BELOW) ? value * 1000 : value;
    return rrMs > LONGEST_RR_MS ? null : rrMs;
  }

  /** Counts the gaps of the device's own counter; false for a line that came twice. */
  private count(sequence: number): boolean {
    if (Number.isNaN(sequence)) return true;
    const step = sequence - this.sequence;
    if (step === 0) return false;
    if (step > 1 && step <= MOST_LOST && this.carries.waveform) this.sink.lost(step - 1);
    this.sequence = sequence;
    return true;
  }
}

/** Whatever people print: named values, columns, JSON, or `$HRM` sentences, told apart line by line. */
export const genericText: Format = {
  id: 'generic-text',
  title: 'Text lines of any sketch: "BPM: 72, RR: 833", CSV by column names, JSON, $HRM sentences',
  serial: { baudRate: 115_200, dataBits: 8, parity: 'none', stopBits: 1 },
  silenceMs: 15_000,
  options: GENERIC_TEXT_OPTIONS,
  carries: (options) => textCarries(textSettings(options)),
  createDecoder: (sink, options) => new GenericTextDecoder(sink, options),
  createEncoder: (write, options) => new GenericTextEncoder(write, textSettings(options)),
};

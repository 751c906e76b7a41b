import type { DropReason, Format, ReadingSink } from '../../domain/reading.js';
import { IgnoringSink, toField } from './ignoring-sink.js';
import { LineWriter } from './line-writer.js';
import { textDecoder } from './text-decoder.js';

/** Line of the models 2500, 8500, 9600, 9847, BT4000 and 8600V; marks behind it: F fast values, * event, B breath. */
const READING = /^(?:(\d\d):(\d\d):(\d\d) +)?SPO2=(\d{3}|---) +HR=(\d{3}|---)(?: *[F*B])*$/;
/** Highest rate the maker states. */
const HIGHEST_HR_BPM = 321;
const DAY_SECONDS = 86_400;

function number(text: string): number {
  return text === '---' ? Number.NaN : Number(text);
}

function read(sink: ReadingSink, line: string): DropReason | null {
  const match = READING.exec(line);
  // The header at power-up, with date and model, is a line like any other.
  if (!match) return 'unknown';
  const [hours, minutes, seconds] = [Number(match[1]), Number(match[2]), Number(match[3])];
  const percent = number(match[4]!);
  const bpm = number(match[5]!);
  if (bpm > HIGHEST_HR_BPM || percent > 100 || hours > 23 || minutes > 59 || seconds > 59) return 'out-of-range';
  if (match[1] !== undefined) sink.deviceTime(1000 * (3600 * hours + 60 * minutes + seconds));
  sink.heartRate(bpm);
  sink.spo2(percent);
  return null;
}

class NoninAsciiEncoder extends IgnoringSink {
  private readonly lines: LineWriter;
  private bpm = '---';
  private percent = '---';
  private time = '';

  constructor(write: (bytes: Uint8Array) => void) {
    super();
    this.lines = new LineWriter(write);
  }

  /** Models with a clock print the time of day. */
  override deviceTime(tMs: number): void {
    const seconds = Math.floor(tMs / 1000) % DAY_SECONDS;
    const parts = [Math.floor(seconds / 3600), Math.floor(seconds / 60) % 60, seconds % 60];
    this.time = `${parts.map((part) => String(part).padStart(2, '0')).join(':')} `;
  }

  override heartRate(hrBpm: number): void {
    this.bpm = hrBpm > 0 ? digits(toField(hrBpm, 0, HIGHEST_HR_BPM, 0)) : '---';
  }

  override spo2(percent: number): void {
    this.percent = percent > 0 ? digits(toField(percent, 0, 100, 0)) : '---';
  }

  override frame(): void {
    this.lines.line(`${this.time}SPO2=${this.percent} HR=${this.bpm}`);
  }
}

function digits(value: number): string {
  return String(value).padStart(3, '0');
}

/** Nonin hand-held and table-top oximeters with a printer output: one line of text a second. */
export const noninAscii: Format = {
  id: 'nonin-ascii',
  title: 'Nonin hand-held oximeters with real-time text (2500, 8500, 9600, 9847, BT4000, 8600V)',
  // Nine data bits with the ninth at mark, which reads as 8N1; the Avant 9600 states two stop bits, which is the same.
  serial: { baudRate: 9600, dataBits: 8, parity: 'none', stopBits: 1 },
  silenceMs: 15_000,
  options: {},
  carries: () => ({
    waveform: null,
    beatFlags: false,
    rr: false,
    heartRate: true,
    spo2: true,
    contact: false,
    battery: false,
  }),
  createDecoder: (sink) => textDecoder(sink, (line) => read(sink, line)),
  createEncoder: (write) => new NoninAsciiEncoder(write),
};

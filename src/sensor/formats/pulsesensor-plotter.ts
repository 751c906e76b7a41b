import type { Carries, Decoder, Format, FormatOptions, ReadingSink } from '../../domain/reading.js';
import { IgnoringSink, toField } from './ignoring-sink.js';
import { LineFramer } from './line-framer.js';
import { LineWriter } from './line-writer.js';
import { flagOption } from './options.js';
import { NO_PULSE_IBI_MS, PULSESENSOR_OPTIONS, pulseSensorWaveform } from './pulsesensor.js';
import { findByte, parseInteger } from './text-bytes.js';

const COMMA = 0x2c;
const HIGHEST_BPM = 400;
const LONGEST_IBI_MS = 10_000;

function carries(options: FormatOptions): Carries {
  return {
    waveform: pulseSensorWaveform(options),
    beatFlags: false,
    rr: flagOption(options, 'rrOnChange', false),
    heartRate: true,
    spo2: false,
    contact: false,
    battery: false,
  };
}

class PlotterDecoder implements Decoder {
  private readonly lines: LineFramer;
  private readonly max: number;
  private readonly rrOnChange: boolean;
  private lastIbiMs = Number.NaN;

  constructor(
    private readonly sink: ReadingSink,
    options: FormatOptions,
  ) {
    this.max = pulseSensorWaveform(options).range.max;
    this.rrOnChange = carries(options).rr;
    this.lines = new LineFramer(
      (bytes, from, to) => this.line(bytes, from, to),
      (reason, bytes) => sink.dropped(reason, bytes),
    );
  }

  push(chunk: Uint8Array): void {
    this.lines.push(chunk);
  }

  reset(): void {
    this.lines.reset();
    this.lastIbiMs = Number.NaN;
  }

  private line(bytes: Uint8Array, from: number, to: number): void {
    const { sink } = this;
    const first = findByte(bytes, COMMA, from, to);
    const second = first < 0 ? -1 : findByte(bytes, COMMA, first + 1, to);
    if (second < 0) {
      sink.dropped('framing', to - from);
      return;
    }
    const bpm = parseInteger(bytes, from, first);
    const ibiMs = parseInteger(bytes, first + 1, second);
    const signal = parseInteger(bytes, second + 1, to);
    if (Number.isNaN(bpm + ibiMs + signal)) {
      sink.dropped('not-a-number', to - from);
      return;
    }
    const inRange =
      bpm >= 0 && bpm <= HIGHEST_BPM && ibiMs >= 0 && ibiMs <= LONGEST_IBI_MS && signal >= 0 && signal <= this.max;
    if (!inRange) {
      sink.dropped('out-of-range', to - from);
      return;
    }
    sink.heartRate(bpm);
    if (this.rrOnChange) this.interval(bpm, ibiMs);
    sink.sample(signal);
    sink.frame();
  }

  /** Without a pulse the library reports BPM 0 and a made-up interval, which must not count as the last real one. */
  private interval(bpm: number, ibiMs: number): void {
    const known = bpm > 0 && ibiMs > 0;
    if (known && ibiMs !== this.lastIbiMs) this.sink.rr(ibiMs);
    this.lastIbiMs = known ? ibiMs : Number.NaN;
  }
}

class PlotterEncoder extends IgnoringSink {
  private readonly lines: LineWriter;
  private readonly max: number;
  private bpm = 0;
  private ibiMs = Number.NaN;

  constructor(write: (bytes: Uint8Array) => void, options: FormatOptions) {
    super();
    this.lines = new LineWriter(write);
    this.max = pulseSensorWaveform(options).range.max;
  }

  override heartRate(hrBpm: number): void {
    this.bpm = toField(hrBpm, 0, HIGHEST_BPM, 0);
    if (this.bpm === 0) this.ibiMs = Number.NaN;
  }

  override rr(rrMs: number): void {
    this.ibiMs = toField(rrMs, 0, LONGEST_IBI_MS, Number.NaN);
  }

  override sample(value: number): void {
    const signal = toField(value, 0, this.max, (this.max + 1) / 2);
    const unknownIbiMs = this.bpm === 0 ? NO_PULSE_IBI_MS : Math.round(60_000 / this.bpm);
    this.lines.line(`${this.bpm},${Number.isNaN(this.ibiMs) ? unknownIbiMs : this.ibiMs},${signal}`);
  }
}

/**
 * PulseSensor Playground, `SERIAL_PLOTTER`: `BPM,IBI,Signal` 50 times a second. The interval is repeated on every line and
 * two equal ones in a row cannot be told apart, so by default beats come from the waveform alone.
 */
export const pulsesensorPlotter: Format = {
  id: 'pulsesensor-plotter',
  title: 'PulseSensor, Arduino serial plotter mode: BPM,IBI,Signal',
  serial: { baudRate: 115_200, dataBits: 8, parity: 'none', stopBits: 1 },
  silenceMs: 5000,
  options: {
    ...PULSESENSOR_OPTIONS,
    rrOnChange: 'also report the interval each time it changes; beats with equal intervals are missed (false)',
  },
  carries,
  createDecoder: (sink, options) => new PlotterDecoder(sink, options),
  createEncoder: (write, options) => new PlotterEncoder(write, options),
};

import type { Carries, Decoder, Format, FormatOptions, ReadingSink, WaveformInfo } from '../../domain/reading.js';
import { IgnoringSink, toField } from './ignoring-sink.js';
import { LineFramer } from './line-framer.js';
import { LineWriter } from './line-writer.js';
import { integerOption, numberOption, rateOption } from './options.js';
import { parseInteger } from './text-bytes.js';

const LEADS_OFF = 0x21; // '!'
/** Total gain of the AD8232 heart-rate circuit SparkFun copied: 100 (instrumentation amplifier) x 11 (AD8232 data sheet). */
const VOLTS_PER_VOLT = 1100;

function waveform(options: FormatOptions): WaveformInfo {
  const max = 2 ** integerOption(options, 'adcBits', 10, 8, 24) - 1;
  const fullScaleMv = 1000 * numberOption(options, 'fullScaleVolts', 3.3, 0.5, 10);
  return {
    kind: 'ecg',
    // The sketch prints as fast as 9600 baud lets it, 190 to 320 lines/s depending on the number of digits.
    rateHz: rateOption(options, null),
    unit: 'count',
    nominal: { offset: (max + 1) / 2, perUnit: (VOLTS_PER_VOLT / fullScaleMv) * max },
    range: { min: 0, max },
  };
}

function carries(options: FormatOptions): Carries {
  return {
    waveform: waveform(options),
    beatFlags: false,
    rr: false,
    heartRate: false,
    spo2: false,
    contact: true,
    battery: false,
  };
}

class Ad8232Decoder implements Decoder {
  private readonly lines: LineFramer;
  private readonly max: number;

  constructor(
    private readonly sink: ReadingSink,
    options: FormatOptions,
  ) {
    this.max = waveform(options).range.max;
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
  }

  private line(bytes: Uint8Array, from: number, to: number): void {
    const { sink } = this;
    if (to - from === 1 && bytes[from] === LEADS_OFF) {
      sink.contact(false);
      sink.frame();
      return;
    }
    const value = parseInteger(bytes, from, to);
    if (Number.isNaN(value)) {
      sink.dropped('not-a-number', to - from);
    } else if (value < 0 || value > this.max) {
      sink.dropped('out-of-range', to - from);
    } else {
      sink.contact(true);
      sink.sample(value);
      sink.frame();
    }
  }
}

class Ad8232Encoder extends IgnoringSink {
  private readonly lines: LineWriter;
  private readonly max: number;
  private on = true;
  private written = false;

  constructor(write: (bytes: Uint8Array) => void, options: FormatOptions) {
    super();
    this.lines = new LineWriter(write);
    this.max = waveform(options).range.max;
  }

  override contact(on: boolean): void {
    this.on = on;
  }

  override sample(value: number): void {
    this.lines.line(this.on && !Number.isNaN(value) ? String(toField(value, 0, this.max, 0)) : '!');
    this.written = true;
  }

  /** With the leads off a frame holds no sample; the device still prints its `!`. */
  override frame(): void {
    if (!this.written && !this.on) this.lines.line('!');
    this.written = false;
  }
}

/** AD8232 on an Arduino with SparkFun's sketch: one `analogRead` per line, `!` while an electrode is off. */
export const ad8232: Format = {
  id: 'ad8232',
  title: 'AD8232 single-lead ECG (SparkFun sketch): one number per line, "!" for leads off',
  serial: { baudRate: 9600, dataBits: 8, parity: 'none', stopBits: 1 },
  silenceMs: 5000,
  options: {
    adcBits: 'resolution of analogRead: 10 (Uno and other AVR boards), 12 (ESP32 and others) (10)',
    fullScaleVolts: 'voltage of the largest number, for the nominal millivolt scale (3.3)',
    rateHz: 'lines per second where the sketch was changed to a fixed rate (measured)',
  },
  carries,
  createDecoder: (sink, options) => new Ad8232Decoder(sink, options),
  createEncoder: (write, options) => new Ad8232Encoder(write, options),
};

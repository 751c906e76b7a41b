import type { Carries, Decoder, Format, FormatOptions, ReadingSink } from '../../domain/reading.js';
import { IgnoringSink, toField } from './ignoring-sink.js';
import { LineFramer } from './line-framer.js';
import { LineWriter } from './line-writer.js';
import { integerOption } from './options.js';
import { PULSESENSOR_OPTIONS, pulseSensorWaveform } from './pulsesensor.js';
import { parseInteger } from './text-bytes.js';

const HIGHEST_BPM = 400;
const LONGEST_IBI_MS = 10_000;

/** First letter of a line for each thing one sensor says. */
interface Letters {
  readonly signal: string;
  readonly bpm: string;
  readonly ibi: string;
}

const SINGLE: Letters = { signal: 'S', bpm: 'B', ibi: 'Q' };
/** With two sensors `B` changes its meaning: it is the rate of the second one. */
const PAIR: readonly [Letters, Letters] = [
  { signal: 'a', bpm: 'A', ibi: 'M' },
  { signal: 'b', bpm: 'B', ibi: 'N' },
];
/** Pulse transit time between the two sensors; known, and of no use here. */
const TRANSIT_TIME = '|';

function sensors(options: FormatOptions): { readonly ours: Letters; readonly others: string } {
  const count = integerOption(options, 'sensors', 1, 1, 2);
  const index = integerOption(options, 'sensor', 0, 0, count - 1);
  if (count === 1) return { ours: SINGLE, others: '' };
  const other = PAIR[index === 0 ? 1 : 0];
  return { ours: PAIR[index === 0 ? 0 : 1], others: other.signal + other.bpm + other.ibi + TRANSIT_TIME };
}

function carries(options: FormatOptions): Carries {
  sensors(options);
  return {
    waveform: pulseSensorWaveform(options),
    beatFlags: true,
    rr: true,
    heartRate: true,
    spo2: false,
    contact: false,
    battery: false,
  };
}

class ProcessingDecoder implements Decoder {
  private readonly lines: LineFramer;
  private readonly max: number;
  private readonly signal: number;
  private readonly bpm: number;
  private readonly ibi: number;
  private readonly others: readonly number[];

  constructor(
    private readonly sink: ReadingSink,
    options: FormatOptions,
  ) {
    const { ours, others } = sensors(options);
    this.max = pulseSensorWaveform(options).range.max;
    this.signal = ours.signal.charCodeAt(0);
    this.bpm = ours.bpm.charCodeAt(0);
    this.ibi = ours.ibi.charCodeAt(0);
    this.others = Array.from(others, (letter) => letter.charCodeAt(0));
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
    const letter = bytes[from]!;
    const known = letter === this.signal || letter === this.bpm || letter === this.ibi;
    if (!known && !this.others.includes(letter)) {
      sink.dropped('unknown', to - from);
      return;
    }
    const value = parseInteger(bytes, from + 1, to);
    if (Number.isNaN(value)) {
      sink.dropped('not-a-number', to - from);
      return;
    }
    // Lines of the other sensor are whole and right, yet say nothing about ours: not a frame, not a loss.
    if (!known) return;
    const most = letter === this.signal ? this.max : letter === this.bpm ? HIGHEST_BPM : LONGEST_IBI_MS;
    // An interval of 0 ms is no interval.
    if (value < (letter === this.ibi ? 1 : 0) || value > most) {
      sink.dropped('out-of-range', to - from);
      return;
    }
    if (letter === this.signal) {
      sink.sample(value);
    } else if (letter === this.bpm) {
      sink.heartRate(value);
      // A rate of 0 is the library's "no pulse", not a beat.
      if (value > 0) sink.beat();
    } else {
      sink.rr(value);
    }
    sink.frame();
  }
}

class ProcessingEncoder extends IgnoringSink {
  private readonly lines: LineWriter;
  private readonly letters: Letters;
  private readonly max: number;
  private bpm = 0;
  private beatDue = false;
  private ibiDue = Number.NaN;

  constructor(write: (bytes: Uint8Array) => void, options: FormatOptions) {
    super();
    this.lines = new LineWriter(write);
    this.letters = sensors(options).ours;
    this.max = pulseSensorWaveform(options).range.max;
  }

  override heartRate(hrBpm: number): void {
    this.bpm = toField(hrBpm, 0, HIGHEST_BPM, 0);
  }

  override beat(): void {
    this.beatDue = true;
  }

  override rr(rrMs: number): void {
    this.ibiDue = toField(rrMs, 0, LONGEST_IBI_MS, Number.NaN);
  }

  override sample(value: number): void {
    this.frame();
    this.lines.line(this.letters.signal + toField(value, 0, this.max, (this.max + 1) / 2));
  }

  /** The device prints the rate only at a beat, and the interval right behind it. */
  override frame(): void {
    if (this.beatDue) this.lines.line(this.letters.bpm + Math.max(1, this.bpm));
    this.beatDue = false;
    if (!Number.isNaN(this.ibiDue)) this.lines.line(this.letters.ibi + this.ibiDue);
    this.ibiDue = Number.NaN;
  }
}

/** PulseSensor Playground, `PROCESSING_VISUALIZER`: `S` samples 50 times a second, `B` and `Q` at each beat. */
export const pulsesensorProcessing: Format = {
  id: 'pulsesensor-processing',
  title: 'PulseSensor, Processing visualizer mode: S/B/Q lines, or a/A/M and b/B/N with two sensors',
  serial: { baudRate: 115_200, dataBits: 8, parity: 'none', stopBits: 1 },
  silenceMs: 5000,
  options: {
    ...PULSESENSOR_OPTIONS,
    sensors: 'PulseSensors on the board: 1 or 2; the two-sensor sketches speak at 250000 baud (1)',
    sensor: 'which of two is read: 0 or 1 (0)',
  },
  carries,
  createDecoder: (sink, options) => new ProcessingDecoder(sink, options),
  createEncoder: (write, options) => new ProcessingEncoder(write, options),
};

import type { Carries, Decoder, DropReason, Format, FormatOptions, ReadingSink } from '../../domain/reading.js';
import { IgnoringSink, toField } from './ignoring-sink.js';
import { LineWriter } from './line-writer.js';
import { choiceOption, integerOption } from './options.js';
import { textDecoder } from './text-decoder.js';

/* Lines and codes of SparkFun_Bio_Sensor_Hub_Library, examples 1 to 5. */
const SKETCHES = ['record', 'extended', 'fast'] as const;
type SketchName = (typeof SKETCHES)[number];
const FINGER = 3;
const HIGHEST_BPM = 400;
/** Extended codes that mean there is no finger: object, no object, object that is no finger. */
const NO_FINGER: readonly number[] = [-1, -3, -5];
const LINE = /^(Heartrate|Confidence|Oxygen|Status|Extended Status|Blood Oxygen R value): (-?\d{1,5})(\.\d{1,6})?$/;
const FAST = /^(\d{1,3}), ?(\d{1,3})$/;
/** Lines that frame a record in some copies of the sketch. */
const MARKS: readonly string[] = ['DATA_BEGIN', 'DATA_END'];

function sketchName(options: FormatOptions): SketchName {
  return choiceOption(options, 'sketch', 'record', SKETCHES);
}

function minConfidence(options: FormatOptions): number {
  return integerOption(options, 'minConfidence', 50, 0, 100);
}

function carries(options: FormatOptions): Carries {
  minConfidence(options);
  return {
    waveform: null,
    beatFlags: false,
    rr: false,
    heartRate: true,
    spo2: true,
    contact: sketchName(options) !== 'fast',
    battery: false,
  };
}

/** Numbers that the hub could not compute are 0. */
function tell(sink: ReadingSink, bpm: number, percent: number, trusted: boolean): void {
  sink.heartRate(trusted ? bpm : Number.NaN);
  sink.spo2(trusted && percent > 0 ? percent : Number.NaN);
}

/** Gathers the lines of one record; it ends with its last line, and a new `Heartrate` begins another. */
class RecordReader {
  private readonly fields = new Map<string, number>();
  private readonly last: string;
  private readonly least: number;

  constructor(
    private readonly sink: ReadingSink,
    options: FormatOptions,
  ) {
    this.last = sketchName(options) === 'extended' ? 'Extended Status' : 'Status';
    this.least = minConfidence(options);
  }

  forget(): void {
    this.fields.clear();
  }

  line(text: string): DropReason | 'part' | null {
    const match = LINE.exec(text);
    if (!match) return MARKS.includes(text) ? 'part' : 'unknown';
    const name = match[1]!;
    const value = Number(match[2]! + (match[3] ?? ''));
    if (name === 'Heartrate') this.fields.clear();
    this.fields.set(name, value);
    return name === this.last ? this.record() : 'part';
  }

  private record(): DropReason | null {
    const { fields, sink } = this;
    const bpm = fields.get('Heartrate');
    const confidence = fields.get('Confidence');
    const oxygen = fields.get('Oxygen');
    const status = fields.get('Status');
    const extended = fields.get('Extended Status') ?? 0;
    fields.clear();
    if (bpm === undefined || confidence === undefined || oxygen === undefined || status === undefined) return 'framing';
    const inRange =
      bpm >= 0 && bpm <= HIGHEST_BPM && confidence >= 0 && confidence <= 100 && oxygen >= 0 && oxygen <= 100;
    if (!inRange || status < 0 || status > FINGER) return 'out-of-range';
    const on = status === FINGER && !NO_FINGER.includes(extended);
    sink.contact(on);
    tell(sink, bpm, oxygen, on && confidence >= this.least);
    return null;
  }
}

function createDecoder(sink: ReadingSink, options: FormatOptions): Decoder {
  if (sketchName(options) !== 'fast') {
    const reader = new RecordReader(sink, options);
    return textDecoder(
      sink,
      (line) => reader.line(line),
      () => reader.forget(),
    );
  }
  return textDecoder(sink, (line) => {
    const match = FAST.exec(line);
    if (!match) return 'unknown';
    const bpm = Number(match[1]);
    const percent = Number(match[2]);
    if (bpm > HIGHEST_BPM || percent > 100) return 'out-of-range';
    tell(sink, bpm, percent, true);
    return null;
  });
}

class Max32664Encoder extends IgnoringSink {
  private readonly lines: LineWriter;
  private readonly sketch: SketchName;
  private bpm = 0;
  private percent = 0;
  private on = true;

  constructor(write: (bytes: Uint8Array) => void, options: FormatOptions) {
    super();
    this.lines = new LineWriter(write);
    this.sketch = sketchName(options);
  }

  override heartRate(hrBpm: number): void {
    this.bpm = toField(hrBpm, 0, HIGHEST_BPM, 0);
  }

  override spo2(percent: number): void {
    this.percent = toField(percent, 0, 100, 0);
  }

  override contact(on: boolean): void {
    this.on = on;
  }

  override frame(): void {
    if (this.sketch === 'fast') {
      this.lines.line(`${this.bpm},${this.percent}`);
      return;
    }
    const confidence = this.on && this.bpm > 0 ? 98 : 0;
    const record = [
      `Heartrate: ${this.on ? this.bpm : 0}`,
      `Confidence: ${confidence}`,
      `Oxygen: ${this.on ? this.percent : 0}`,
      `Status: ${this.on ? FINGER : 0}`,
    ];
    if (this.sketch === 'extended') record.push(`Extended Status: ${this.on ? 0 : -3}`, 'Blood Oxygen R value: 0.52');
    this.lines.line(record.join('\r\n'));
  }
}

/** SparkFun Pulse Oximeter and Heart Rate Monitor (MAX32664 hub with MAX30101): records of four or six lines. */
export const max32664: Format = {
  id: 'max32664',
  title: 'SparkFun Bio Sensor Hub (MAX32664 + MAX30101): records of "Heartrate: 72" lines, or HR,SpO2',
  serial: { baudRate: 115_200, dataBits: 8, parity: 'none', stopBits: 1 },
  silenceMs: 15_000,
  options: {
    sketch:
      'example on the board: record (to Status), extended (MODE_TWO, with Extended Status), fast (HR,SpO2) (record)',
    minConfidence: "least confidence of the hub, in percent, at which a record's numbers count (50)",
  },
  carries,
  createDecoder,
  createEncoder: (write, options) => new Max32664Encoder(write, options),
};

import type {
  Carries,
  Decoder,
  DropReason,
  Format,
  FormatOptions,
  HostCommands,
  ReadingSink,
  WaveformInfo,
} from '../../domain/reading.js';
import { IgnoringSink, toField } from './ignoring-sink.js';
import { type LineFramer, readingPerLine } from './line-framer.js';
import { LineWriter } from './line-writer.js';
import { choiceOption, numberOption, rateOption } from './options.js';
import { LabelledNumbers, startsWith } from './text-bytes.js';

/** One of SparkFun's example sketches: what its lines look like. */
interface Sketch {
  readonly baudRate: number;
  /** Labels ahead of the numbers; the infrared count is the number at `ir`. */
  readonly labels: readonly string[];
  readonly ir: number;
  /** Fewest numbers a line may hold; all labels else. */
  readonly fewest?: number;
  /** What must follow the last number. */
  readonly close: string;
  /** What else may follow, and what it says about the finger. */
  readonly note?: { readonly text: string; readonly contact: boolean };
  /** Anything may follow behind a blank (rates, interrupt marks). */
  readonly openEnd?: boolean;
  readonly bpm?: number;
  readonly bpmValid?: number;
  readonly spo2?: number;
  readonly spo2Valid?: number;
  /** The sketch waits for any byte before it starts. */
  readonly waits?: boolean;
}

/* Lines of SparkFun_MAX3010x_Sensor_Library, examples 1, 2, 4, 5, 6/7 and 8. */
const SKETCHES = {
  'heart-rate': {
    baudRate: 115_200,
    labels: ['IR=', ', BPM=', ', Avg BPM='],
    ir: 0,
    close: '',
    note: { text: ' No finger?', contact: false },
    bpm: 1,
  },
  spo2: {
    baudRate: 115_200,
    labels: ['red=', ', ir=', ', HR=', ', HRvalid=', ', SPO2=', ', SPO2Valid='],
    ir: 1,
    fewest: 2,
    close: '',
    bpm: 2,
    bpmValid: 3,
    spo2: 4,
    spo2Valid: 5,
    waits: true,
  },
  plotter: { baudRate: 115_200, labels: [''], ir: 0, close: '' },
  basic: { baudRate: 9600, labels: ['R[', '] IR[', '] G['], ir: 1, close: ']', openEnd: true },
  rate: { baudRate: 115_200, labels: ['R[', '] IR[', '] G['], ir: 1, close: ']', openEnd: true },
  presence: {
    baudRate: 9600,
    labels: ['IR[', '] Hz[', '] delta['],
    ir: 0,
    close: ']',
    note: { text: ' Something is there!', contact: true },
  },
} as const satisfies Record<string, Sketch>;

type SketchName = keyof typeof SKETCHES;
const SKETCH_NAMES = Object.keys(SKETCHES) as SketchName[];

const SPACE = 0x20;
/** The chips count in 18 bits at most (data sheets of MAX30102 and MAX30105). */
const HIGHEST_COUNT = 2 ** 18 - 1;
/** The sketch takes an infrared count below this for "no finger". */
const FINGER_COUNT = 50_000;
/** Example 5 believes a rate only between these. */
const LEAST_BPM = 20;
const HIGHEST_BPM = 255;
/** What the sketch prints with an invalid number. */
const INVALID = -999;

function sketchName(options: FormatOptions): SketchName {
  return choiceOption(options, 'sketch', 'heart-rate', SKETCH_NAMES);
}

function waveform(options: FormatOptions): WaveformInfo {
  return {
    kind: 'ppg',
    // Every sketch prints as fast as its loop and the line let it.
    rateHz: rateOption(options, null),
    unit: 'count',
    // A finger reflects some 100,000 counts, of which the pulse is about one in fifty.
    nominal: { offset: 2 * FINGER_COUNT, perUnit: numberOption(options, 'countsPerUnit', 2000, 1, HIGHEST_COUNT) },
    range: { min: 0, max: HIGHEST_COUNT },
  };
}

function carries(options: FormatOptions): Carries {
  const sketch: Sketch = SKETCHES[sketchName(options)];
  return {
    waveform: waveform(options),
    beatFlags: false,
    rr: false,
    heartRate: sketch.bpm !== undefined,
    spo2: sketch.spo2 !== undefined,
    contact: sketch.note !== undefined,
    battery: false,
  };
}

class Max3010xDecoder implements Decoder {
  private readonly sketch: Sketch;
  private readonly lines: LineFramer;
  private readonly numbers: LabelledNumbers;
  private readonly close: Uint8Array;
  private readonly note: Uint8Array;

  constructor(
    private readonly sink: ReadingSink,
    options: FormatOptions,
  ) {
    this.sketch = SKETCHES[sketchName(options)];
    this.numbers = new LabelledNumbers(this.sketch.labels);
    this.close = Buffer.from(this.sketch.close, 'latin1');
    this.note = Buffer.from(this.sketch.note?.text ?? '', 'latin1');
    this.lines = readingPerLine(sink, (bytes, from, to) => this.line(bytes, from, to));
  }

  push(chunk: Uint8Array): void {
    this.lines.push(chunk);
  }

  reset(): void {
    this.lines.reset();
  }

  /** Returns why the line was refused, or null. */
  private line(bytes: Uint8Array, from: number, to: number): DropReason | null {
    const { sketch, sink, numbers } = this;
    let start = from;
    while (start < to && bytes[start] === SPACE) start++;
    const count = numbers.read(bytes, start, to);
    if (count === 0) return 'unknown';
    if (count !== sketch.labels.length && count !== sketch.fewest) return 'framing';
    if (!startsWith(bytes, numbers.end, to, this.close)) return 'framing';
    const rest = numbers.end + this.close.length;
    const noted = this.note.length > 0 && to - rest === this.note.length && startsWith(bytes, rest, to, this.note);
    if (rest !== to && !noted && !(sketch.openEnd && bytes[rest] === SPACE)) return 'framing';
    const ir = numbers.values[sketch.ir]!;
    if (!Number.isInteger(ir)) return 'not-a-number';
    if (ir < 0 || ir > HIGHEST_COUNT) return 'out-of-range';

    const on = sketch.note ? noted === sketch.note.contact : true;
    if (sketch.note) sink.contact(on);
    const whole = count === sketch.labels.length;
    if (sketch.bpm !== undefined && whole) sink.heartRate(on ? this.bpm(sketch.bpm, sketch.bpmValid) : Number.NaN);
    if (sketch.spo2 !== undefined && whole) sink.spo2(this.percent(sketch.spo2, sketch.spo2Valid));
    sink.sample(ir);
    return null;
  }

  private bpm(at: number, validAt: number | undefined): number {
    const value = this.valid(at, validAt);
    return value >= LEAST_BPM && value <= HIGHEST_BPM ? value : Number.NaN;
  }

  private percent(at: number, validAt: number | undefined): number {
    const value = this.valid(at, validAt);
    return value > 0 && value <= 100 ? value : Number.NaN;
  }

  private valid(at: number, validAt: number | undefined): number {
    return validAt === undefined || this.numbers.values[validAt] === 1 ? this.numbers.values[at]! : Number.NaN;
  }
}

class Max3010xEncoder extends IgnoringSink {
  private readonly lines: LineWriter;
  private readonly name: SketchName;
  private bpm = Number.NaN;
  private percent = Number.NaN;
  private on = true;
  private lastIr = 0;

  constructor(write: (bytes: Uint8Array) => void, options: FormatOptions) {
    super();
    this.lines = new LineWriter(write);
    this.name = sketchName(options);
  }

  override heartRate(hrBpm: number): void {
    this.bpm = hrBpm > 0 ? Math.min(HIGHEST_BPM, Math.max(LEAST_BPM, hrBpm)) : Number.NaN;
  }

  override spo2(percent: number): void {
    this.percent = percent;
  }

  override contact(on: boolean): void {
    this.on = on;
  }

  override sample(value: number): void {
    // Without a finger the sensor still sees some stray light.
    const ir = toField(value, 0, HIGHEST_COUNT, 1000);
    this.lines.line(this.text(ir));
    this.lastIr = ir;
  }

  private text(ir: number): string {
    switch (this.name) {
      case 'plotter':
        return String(ir);
      case 'basic':
        return ` R[${ir}] IR[${ir}] G[0]`;
      case 'rate':
        return ` R[${ir}] IR[${ir}] G[0] Hz[25.00]`;
      case 'presence':
        return `IR[${ir}] Hz[25.00] delta[${ir - this.lastIr}]${this.on ? ' Something is there!' : ''}`;
      case 'heart-rate': {
        const bpm = Number.isNaN(this.bpm) ? 0 : this.bpm;
        return `IR=${ir}, BPM=${bpm.toFixed(2)}, Avg BPM=${Math.floor(bpm)}${this.on ? '' : ' No finger?'}`;
      }
      case 'spo2': {
        const rate = toField(this.bpm, 0, HIGHEST_BPM, INVALID);
        const spo2 = toField(this.percent, 0, 100, INVALID);
        const flag = (value: number) => (value === INVALID ? 0 : 1);
        return `red=${ir}, ir=${ir}, HR=${rate}, HRvalid=${flag(rate)}, SPO2=${spo2}, SPO2Valid=${flag(spo2)}`;
      }
    }
  }
}

/**
 * SparkFun's MAX30102/30105 example sketches, one line per infrared sample. The rate of example 5 is that of the last beat
 * alone; its "Avg BPM" is left aside, as it starts from zeros and is too low for the first beats.
 */
export const max3010x: Format = {
  id: 'max3010x',
  title: 'MAX30102/30105 pulse sensor with a SparkFun example sketch (infrared pleth, rate, SpO2)',
  serial: { baudRate: 115_200, dataBits: 8, parity: 'none', stopBits: 1 },
  serialFor: (options) => ({
    baudRate: SKETCHES[sketchName(options)].baudRate,
    dataBits: 8,
    parity: 'none',
    stopBits: 1,
  }),
  silenceMs: 5000,
  options: {
    sketch: `example on the board: ${SKETCH_NAMES.map((name) => `${name} at ${SKETCHES[name].baudRate} baud`).join(', ')} (heart-rate)`,
    countsPerUnit: 'counts of the pulse at full swing (2000)',
    rateHz: 'lines per second (measured)',
  },
  carries,
  commands: (options): HostCommands => {
    const sketch: Sketch = SKETCHES[sketchName(options)];
    return sketch.waits ? { start: Uint8Array.of(0x0a) } : {};
  },
  createDecoder: (sink, options) => new Max3010xDecoder(sink, options),
  createEncoder: (write, options) => new Max3010xEncoder(write, options),
};

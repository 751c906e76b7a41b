import type { DropReason, Format, ReadingSink } from '../../domain/reading.js';
import { IgnoringSink } from './ignoring-sink.js';
import { LineWriter } from './line-writer.js';
import { textDecoder } from './text-decoder.js';

/** Line of the "minimal" example of oxullo's Arduino-MAX30100; older versions print no temperature. */
const READING =
  /^Heart rate: ?(\d{1,3}(?:\.\d{1,4})?) ?bpm \/ SpO2: ?(\d{1,3}) ?%(?: \/ temp: ?-?\d{1,3}(?:\.\d{1,4})? ?C)?$/;
const HIGHEST_BPM = 400;

function read(sink: ReadingSink, line: string): DropReason | null {
  if (line === 'Beat!') {
    sink.beat();
    return null;
  }
  const match = READING.exec(line);
  if (!match) return 'unknown';
  const bpm = Number(match[1]);
  const percent = Number(match[2]);
  if (bpm > HIGHEST_BPM || percent > 100) return 'out-of-range';
  sink.heartRate(bpm);
  // 0 stands for "not available".
  sink.spo2(percent > 0 ? percent : Number.NaN);
  return null;
}

class Max30100Encoder extends IgnoringSink {
  private readonly lines: LineWriter;
  private bpm = 0;
  private percent = 0;

  constructor(write: (bytes: Uint8Array) => void) {
    super();
    this.lines = new LineWriter(write);
  }

  override beat(): void {
    this.lines.line('Beat!');
  }

  override heartRate(hrBpm: number): void {
    this.bpm = Number.isNaN(hrBpm) ? 0 : Math.min(HIGHEST_BPM, Math.max(0, hrBpm));
  }

  override spo2(percent: number): void {
    this.percent = Number.isNaN(percent) ? 0 : Math.min(100, Math.max(0, Math.round(percent)));
  }

  override frame(): void {
    this.lines.line(`Heart rate:${this.bpm.toFixed(2)}bpm / SpO2:${this.percent}% / temp:34.50C`);
  }
}

/** MAX30100 with oxullo's library, "minimal" example: `Beat!` at each beat and one line of numbers a second. */
export const max30100: Format = {
  id: 'max30100',
  title: 'MAX30100 pulse oximeter, Arduino-MAX30100 "minimal" sketch: "Beat!" and one line a second',
  serial: { baudRate: 115_200, dataBits: 8, parity: 'none', stopBits: 1 },
  silenceMs: 15_000,
  options: {},
  carries: () => ({
    waveform: null,
    beatFlags: true,
    rr: false,
    heartRate: true,
    spo2: true,
    contact: false,
    battery: false,
  }),
  createDecoder: (sink) => textDecoder(sink, (line) => read(sink, line)),
  createEncoder: (write) => new Max30100Encoder(write),
};

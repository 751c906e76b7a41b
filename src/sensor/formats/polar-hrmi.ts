import type { DropReason, Format, ReadingSink } from '../../domain/reading.js';
import { IgnoringSink, toField } from './ignoring-sink.js';
import { LineWriter } from './line-writer.js';
import { textDecoder } from './text-decoder.js';

/** `<status> <count> hr...`: the beat counter (one byte) and as many rates as were asked for, newest first. */
const REPLY = /^(\d{1,3}) (\d{1,3})((?: \d{1,3}){0,32})$/;
const LARGEST_BYTE = 255;
const POLL_MS = 1000;
/** A counter that stands still this many polls means no beat for 5 s: what is sent is an old rate. */
const POLLS_UNTIL_STALE = 5;

class HrmiReader {
  private count = -1;
  private still = 0;

  constructor(private readonly sink: ReadingSink) {}

  forget(): void {
    this.count = -1;
    this.still = 0;
  }

  line(text: string): DropReason | 'part' | null {
    const match = REPLY.exec(text);
    if (!match) return 'unknown';
    const count = Number(match[2]);
    const rates = match[3] === '' ? [] : match[3]!.trim().split(' ').map(Number);
    if (Number(match[1]) > LARGEST_BYTE || count > LARGEST_BYTE || rates.some((rate) => rate > LARGEST_BYTE)) {
      return 'out-of-range';
    }
    // A reply without rates answers another command.
    if (rates.length === 0) return 'part';
    this.still = count === this.count ? this.still + 1 : 0;
    this.count = count;
    this.sink.heartRate(this.still < POLLS_UNTIL_STALE ? rates[0]! : Number.NaN);
    return null;
  }
}

class HrmiEncoder extends IgnoringSink {
  private readonly lines: LineWriter;
  private bpm = 0;
  private count = 0;

  constructor(write: (bytes: Uint8Array) => void) {
    super();
    this.lines = new LineWriter(write);
  }

  override heartRate(hrBpm: number): void {
    this.bpm = toField(hrBpm, 0, LARGEST_BYTE, 0);
  }

  override frame(): void {
    if (this.bpm > 0) this.count = (this.count + 1) % (LARGEST_BYTE + 1);
    this.lines.line(`3 ${this.count} ${this.bpm}`);
  }
}

/** Polar Heart Rate Monitor Interface (SparkFun 8661): asked once a second, it answers with its averaged rate. */
export const polarHrmi: Format = {
  id: 'polar-hrmi',
  title: 'Polar Heart Rate Monitor Interface (HRMI, SparkFun 8661), asked once a second',
  serial: { baudRate: 9600, dataBits: 8, parity: 'none', stopBits: 1 },
  silenceMs: 15_000,
  options: {},
  carries: () => ({
    waveform: null,
    beatFlags: false,
    rr: false,
    heartRate: true,
    spo2: false,
    contact: false,
    battery: false,
  }),
  commands: () => ({
    start: Buffer.from('S1\rG1\r', 'latin1'),
    keepAlive: { bytes: Buffer.from('G1\r', 'latin1'), everyMs: POLL_MS },
  }),
  createDecoder: (sink) => {
    const reader = new HrmiReader(sink);
    return textDecoder(
      sink,
      (line) => reader.line(line),
      () => reader.forget(),
    );
  },
  createEncoder: (write) => new HrmiEncoder(write),
};

import type { Carries, Decoder, DropReason, Format, FormatOptions, ReadingSink } from '../../domain/reading.js';
import { MOST_RR_PER_PAYLOAD, readHeartRatePayload, writeHeartRatePayload } from './heart-rate-payload.js';
import { readHex, toHex } from './hex-digits.js';
import { readHrmSentence } from './hrm-sentence.js';
import { IgnoringSink, toField } from './ignoring-sink.js';
import { type LineFramer, readingPerLine } from './line-framer.js';
import { LineWriter } from './line-writer.js';
import { nmeaSentence } from './nmea.js';
import { choiceOption } from './options.js';

const STYLES = ['any', 'hex', 'json', 'hrm', 'nmea'] as const;
type Style = (typeof STYLES)[number];
/** No 2A37 notification is longer, even with a large ATT MTU. */
const LONGEST_PAYLOAD_BYTES = 244;

function styleOf(options: FormatOptions): Style {
  return choiceOption(options, 'style', 'any', STYLES);
}

function carries(options: FormatOptions): Carries {
  return {
    waveform: null,
    beatFlags: false,
    rr: true,
    heartRate: true,
    spo2: false,
    contact: styleOf(options) !== 'nmea',
    battery: false,
  };
}

/** How a line is written, from its beginning. */
function styleOfLine(line: string): Exclude<Style, 'any'> {
  if (line.startsWith('{')) return 'json';
  if (line.startsWith('$')) return 'nmea';
  return /^HRM([ \t]|$)/i.test(line) ? 'hrm' : 'hex';
}

class BleHrmDecoder implements Decoder {
  private readonly lines: LineFramer;
  private readonly style: Style;
  private readonly payload = new Uint8Array(LONGEST_PAYLOAD_BYTES);

  constructor(
    private readonly sink: ReadingSink,
    options: FormatOptions,
  ) {
    this.style = styleOf(options);
    this.lines = readingPerLine(sink, (bytes, from, to) =>
      this.line(Buffer.from(bytes.buffer, bytes.byteOffset + from, to - from).toString('latin1')),
    );
  }

  push(chunk: Uint8Array): void {
    this.lines.push(chunk);
  }

  reset(): void {
    this.lines.reset();
  }

  /** Returns why the line was refused, or null. */
  private line(text: string): DropReason | null {
    const line = text.trim();
    const style = styleOfLine(line);
    if (this.style !== 'any' && this.style !== style) return 'unknown';
    if (style === 'nmea') return readHrmSentence(line, this.sink, carries({ style: this.style }).contact);
    if (style === 'json') return this.json(line);
    return this.hex(style === 'hrm' ? line.slice(3) : line, Number.NaN);
  }

  private json(line: string): DropReason | null {
    let record: unknown;
    try {
      record = JSON.parse(line);
    } catch {
      return 'framing';
    }
    if (typeof record !== 'object' || record === null) return 'unknown';
    const { src, hex, t } = record as Record<string, unknown>;
    // Bridges put other characteristics (Polar PMD) on the same line format.
    if (typeof hex !== 'string' || (src !== undefined && src !== '2a37' && src !== '2A37')) return 'unknown';
    return this.hex(hex, typeof t === 'number' ? t : Number.NaN);
  }

  private hex(text: string, timeMs: number): DropReason | null {
    const length = readHex(text, this.payload);
    if (typeof length === 'string') return length;
    // The time belongs to the reading, so it waits until the payload is known to be one.
    const sink = Number.isFinite(timeMs) ? timed(this.sink, timeMs) : this.sink;
    return readHeartRatePayload(this.payload, length, sink);
  }
}

/** Puts `deviceTime` ahead of the first thing a payload says; a refused payload says nothing. */
function timed(sink: ReadingSink, timeMs: number): ReadingSink {
  let due = true;
  const stamp = () => {
    if (due) sink.deviceTime(timeMs);
    due = false;
  };
  return Object.assign(new IgnoringSink(), {
    contact(on: boolean) {
      stamp();
      sink.contact(on);
    },
    heartRate(hrBpm: number) {
      stamp();
      sink.heartRate(hrBpm);
    },
    rr(rrMs: number) {
      sink.rr(rrMs);
    },
  });
}

class BleHrmEncoder extends IgnoringSink {
  private readonly lines: LineWriter;
  private readonly style: Style;
  private hrBpm = 0;
  private on: boolean | null = null;
  private rrMs: number[] = [];
  private timeMs = Number.NaN;

  constructor(write: (bytes: Uint8Array) => void, options: FormatOptions) {
    super();
    this.lines = new LineWriter(write);
    this.style = styleOf(options);
  }

  override heartRate(hrBpm: number): void {
    this.hrBpm = hrBpm;
  }

  override contact(on: boolean): void {
    this.on = on;
  }

  override deviceTime(tMs: number): void {
    this.timeMs = tMs;
  }

  override rr(rrMs: number): void {
    this.rrMs.push(rrMs);
  }

  /** One notification; intervals that do not fit into one are sent in further ones. */
  override frame(): void {
    const perLine = this.style === 'nmea' ? 1 : MOST_RR_PER_PAYLOAD;
    do this.notification(this.rrMs.splice(0, perLine));
    while (this.rrMs.length > 0);
    this.timeMs = Number.NaN;
  }

  private notification(rrMs: readonly number[]): void {
    if (this.style === 'nmea') {
      const rate = toField(this.hrBpm, 0, 400, 0);
      this.lines.line(nmeaSentence(`HRM,${rate},${rrMs.map((rr) => Math.round(rr)).join(',')}`));
      return;
    }
    const hex = toHex(writeHeartRatePayload(this.hrBpm, rrMs, this.on));
    if (this.style === 'json') {
      const time = Number.isNaN(this.timeMs) ? {} : { t: this.timeMs };
      this.lines.line(JSON.stringify({ ...time, src: '2a37', hex }));
    } else {
      this.lines.line(this.style === 'hex' ? hex : `HRM ${hex}`);
    }
  }
}

/** Bluetooth heart-rate straps behind a serial bridge (ESP32, nRF52): characteristic 2A37 in hex, one notification a line. */
export const bleHrmHex: Format = {
  id: 'ble-hrm-hex',
  title: 'Bluetooth heart-rate strap behind a serial bridge: 2A37 as hex, JSON, "HRM ..." or "$HRM,..." lines',
  serial: { baudRate: 115_200, dataBits: 8, parity: 'none', stopBits: 1 },
  silenceMs: 15_000,
  options: {
    style:
      'lines to accept: any, hex (104800040003), json ({"t":1,"src":"2a37","hex":"1048"}), hrm (HRM 1048), nmea ($HRM,72,833*6A) (any)',
  },
  carries,
  createDecoder: (sink, options) => new BleHrmDecoder(sink, options),
  createEncoder: (write, options) => new BleHrmEncoder(write, options),
};

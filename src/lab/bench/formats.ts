/**
 * How fast each decoder is against its serial line, and what it allocates: `node dist/lab/bench/formats.js
 * [--format ID] [--out FILE]`. Prints a table and writes bench/results/formats.json.
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import { cpus } from 'node:os';
import { dirname } from 'node:path';
import { parseArgs } from 'node:util';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import type { Format, FormatOptions, ReadingSink, SerialSettings } from '../../domain/reading.js';
import { FORMATS, findFormat, serialSettings } from '../../sensor/formats/registry.js';
import { deviceStream } from '../fuzz/device-stream.js';

const STREAM_SECONDS = 120;
/** What one read of a serial port typically brings. */
const CHUNK_BYTES = 64;
const MEASURE_MS = 600;
const ROUNDS = 9;
/** Formats that name no device by themselves are measured as people use them. */
const USUAL_OPTIONS: ReadonlyMap<string, FormatOptions> = new Map([
  ['generic-text', { columns: 'bpm,rr,signal', waveform: 'ppg' }],
]);

interface Row {
  readonly format: string;
  readonly options: FormatOptions;
  readonly lineBytesPerSecond: number;
  readonly decodedBytesPerSecond: number;
  /** Decoded bytes per second against the most the line can bring. */
  readonly timesLineRate: number;
  /** Seconds of the device decoded in one second. */
  readonly timesRealTime: number;
  readonly readings: number;
  readonly per: 'sample' | 'frame';
  readonly allocatedBytesPerReading: number;
}

setFlagsFromString('--expose-gc');
const collectGarbage = runInNewContext('gc') as () => void;

class Counter implements ReadingSink {
  samples = 0;
  frames = 0;
  sample(): void {
    this.samples++;
  }
  deviceTime(): void {}
  lost(): void {}
  beat(): void {}
  rr(): void {}
  heartRate(): void {}
  spo2(): void {}
  contact(): void {}
  battery(): void {}
  frame(): void {
    this.frames++;
  }
  dropped(): void {}
}

/** Bytes a second at most: start bit, data, parity and stop bits go over the line for each. */
function lineRate({ baudRate, dataBits, parity, stopBits }: SerialSettings): number {
  return baudRate / (1 + dataBits + (parity === 'none' ? 0 : 1) + stopBits);
}

function measure(format: Format, options: FormatOptions): Row {
  const stream = deviceStream(format, options, STREAM_SECONDS);
  const chunks = Array.from({ length: Math.ceil(stream.length / CHUNK_BYTES) }, (_, i) =>
    stream.subarray(i * CHUNK_BYTES, (i + 1) * CHUNK_BYTES),
  );
  const sink = new Counter();
  const decoder = format.createDecoder(sink, options);
  const pass = () => {
    for (const chunk of chunks) decoder.push(chunk);
  };
  pass();
  const per = sink.samples > 0 ? 'sample' : 'frame';
  const readings = per === 'sample' ? sink.samples : sink.frames;
  for (const until = performance.now() + MEASURE_MS / 2; performance.now() < until; ) pass();

  let passes = 0;
  // Processor time, not the clock's: other programs on the machine do not count.
  const start = process.cpuUsage();
  let seconds = 0;
  while (seconds < MEASURE_MS / 1000) {
    pass();
    passes++;
    const { user, system } = process.cpuUsage(start);
    seconds = (user + system) / 1e6;
  }
  const decodedBytesPerSecond = (passes * stream.length) / seconds;

  // A collection in the middle can only make a round look smaller, so the middle one of several is taken.
  const grown: number[] = [];
  for (let round = 0; round < ROUNDS; round++) {
    collectGarbage();
    const before = process.memoryUsage().heapUsed;
    pass();
    grown.push(process.memoryUsage().heapUsed - before);
  }
  const typical = grown.sort((a, b) => a - b)[(ROUNDS - 1) / 2]!;
  const lineBytesPerSecond = lineRate(serialSettings(format, options));
  return {
    format: format.id,
    options,
    lineBytesPerSecond: Math.round(lineBytesPerSecond),
    decodedBytesPerSecond: Math.round(decodedBytesPerSecond),
    timesLineRate: Math.round(decodedBytesPerSecond / lineBytesPerSecond),
    timesRealTime: Math.round((passes * STREAM_SECONDS) / seconds),
    readings,
    per,
    allocatedBytesPerReading: Math.max(0, Math.round((10 * typical) / readings) / 10),
  };
}

const { values } = parseArgs({
  options: {
    format: { type: 'string', default: 'all' },
    out: { type: 'string', default: 'bench/results/formats.json' },
  },
});
const formats = values.format === 'all' ? [...FORMATS.values()] : [findFormat(values.format)];
const cell = (value: string | number) => String(value).padStart(14);
process.stdout.write(
  `${'format'.padEnd(24)}${['line B/s', 'decoded MB/s', 'x line rate', 'x real time', 'B allocated'].map(cell).join('')} per\n`,
);
const rows: Row[] = [];
for (const format of formats) {
  const row = measure(format, USUAL_OPTIONS.get(format.id) ?? {});
  rows.push(row);
  const numbers = [
    row.lineBytesPerSecond,
    (row.decodedBytesPerSecond / 1e6).toFixed(1),
    row.timesLineRate,
    row.timesRealTime,
    row.allocatedBytesPerReading,
  ];
  process.stdout.write(`${row.format.padEnd(24)}${numbers.map(cell).join('')} ${row.per}\n`);
}
const machine = {
  cpu: cpus()[0]?.model ?? 'unknown',
  node: process.version,
  platform: `${process.platform} ${process.arch}`,
};
mkdirSync(dirname(values.out), { recursive: true });
writeFileSync(
  values.out,
  `${JSON.stringify({ measuredAt: new Date().toISOString(), machine, chunkBytes: CHUNK_BYTES, formats: rows }, null, 2)}\n`,
);

import { readFile } from 'node:fs/promises';
import { WfdbError } from './error.js';

/** One signal line of a header (WFDB header(5)). */
export interface SignalSpec {
  readonly file: string;
  readonly format: number;
  readonly samplesPerFrame: number;
  /** Frames by which this signal lies later in its file than the others. */
  readonly skew: number;
  readonly byteOffset: number;
  readonly gainPerUnit: number;
  readonly baseline: number;
  readonly unit: string;
  readonly adcBits: number;
  readonly adcZero: number;
  readonly checksum: number | null;
  readonly name: string;
}

export interface WfdbHeader {
  readonly name: string;
  readonly rateHz: number;
  /** Frames the header promises; null where it leaves that to the file's length. */
  readonly lengthSamples: number | null;
  readonly startTime: string | null;
  readonly startDate: string | null;
  readonly signals: readonly SignalSpec[];
  readonly comments: readonly string[];
}

/** Gain where the header has none or 0 (header(5), `DEFGAIN`). */
const DEFAULT_GAIN = 200;
/** Rate where the header has none (header(5), `DEFFREQ`). */
const DEFAULT_RATE_HZ = 250;
const MAX_SIGNALS = 256;

const NUMBER = String.raw`[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?`;
const RATE = new RegExp(`^(${NUMBER})(?:/${NUMBER}(?:\\(${NUMBER}\\))?)?$`);
const FORMAT = /^(\d+)(?:x(\d+))?(?::(\d+))?(?:\+(\d+))?$/;
const GAIN = new RegExp(`^(${NUMBER})(?:\\((-?\\d+)\\))?(?:/(\\S+))?$`);

/**
 * Reads `<record>.hea`.
 * @param path the record's path without extension
 * @throws WfdbError when the header is missing, is not a header, or describes a record of several segments
 */
export async function readHeader(path: string): Promise<WfdbHeader> {
  const file = `${path}.hea`;
  let bytes: Buffer;
  try {
    bytes = await readFile(file);
  } catch (error) {
    throw new WfdbError(file, `cannot be read (${(error as NodeJS.ErrnoException).code ?? String(error)})`);
  }
  return parseHeader(file, bytes);
}

/** The header's text, parsed. `file` is only for the messages. */
export function parseHeader(file: string, bytes: Uint8Array): WfdbHeader {
  if (bytes.length > 1_000_000) throw new WfdbError(file, 'is too long for a WFDB header');
  const text = Buffer.from(bytes).toString('latin1');
  if (text.includes('\0')) throw new WfdbError(file, 'is not a WFDB header (binary content)');
  const lines = text.split(/\r?\n/).map((line) => line.trim());
  const comments = lines.filter((line) => line.startsWith('#')).map((line) => line.slice(1).trim());
  const content = lines.filter((line) => line !== '' && !line.startsWith('#'));
  const [recordLine, ...signalLines] = content;
  if (recordLine === undefined) throw new WfdbError(file, 'is not a WFDB header (no record line)');

  const [name = '', count = '', rate, length, startTime, startDate] = recordLine.split(/\s+/);
  if (name.includes('/')) throw new WfdbError(file, 'describes a record of several segments, which is not supported');
  if (!/^[\w.-]+$/.test(name)) throw new WfdbError(file, 'is not a WFDB header (bad record name)');
  if (!/^\d+$/.test(count)) throw new WfdbError(file, 'is not a WFDB header (no number of signals)');
  const signalCount = Number(count);
  if (signalCount > MAX_SIGNALS) throw new WfdbError(file, `claims ${signalCount} signals`);
  if (signalLines.length < signalCount) {
    throw new WfdbError(file, `is truncated: ${signalCount} signals promised, ${signalLines.length} described`);
  }
  const rateHz = rate === undefined ? DEFAULT_RATE_HZ : Number(RATE.exec(rate)?.[1] ?? Number.NaN);
  if (!(rateHz > 0)) throw new WfdbError(file, `has no usable sampling rate ("${rate}")`);
  if (length !== undefined && !/^\d+$/.test(length)) throw new WfdbError(file, `has no usable length ("${length}")`);

  return {
    name,
    rateHz,
    lengthSamples: length === undefined || Number(length) === 0 ? null : Number(length),
    startTime: startTime ?? null,
    startDate: startDate ?? null,
    signals: signalLines.slice(0, signalCount).map((line, index) => parseSignal(file, line, index)),
    comments,
  };
}

function parseSignal(file: string, line: string, index: number): SignalSpec {
  const bad = (what: string) => new WfdbError(file, `signal ${index}: ${what}`);
  const [name = '', formatText = '', gainText, adcBits, adcZero, , checksum, , ...rest] = line.split(/\s+/);
  // A header must not make us read outside its own folder.
  if (!/^[\w.-]+$/.test(name) || name === '..' || name === '.') throw bad(`"${name}" is not a plain file name`);
  const format = FORMAT.exec(formatText);
  if (!format) throw bad(`"${formatText}" is not a format`);
  const gain = gainText === undefined ? null : GAIN.exec(gainText);
  if (gainText !== undefined && !gain) throw bad(`"${gainText}" is not a gain`);
  const integer = (text: string | undefined, what: string): number | null => {
    if (text === undefined) return null;
    if (!/^[-+]?\d+$/.test(text)) throw bad(`"${text}" is not ${what}`);
    return Number(text);
  };
  const zero = integer(adcZero, 'an ADC zero') ?? 0;
  const samplesPerFrame = Number(format[2] ?? 1);
  if (samplesPerFrame < 1 || samplesPerFrame > 10_000) throw bad(`${samplesPerFrame} samples per frame`);
  return {
    file: name,
    format: Number(format[1]),
    samplesPerFrame,
    skew: Number(format[3] ?? 0),
    byteOffset: Number(format[4] ?? 0),
    gainPerUnit: Number(gain?.[1] ?? 0) || DEFAULT_GAIN,
    baseline: gain?.[2] === undefined ? zero : Number(gain[2]),
    unit: gain?.[3] ?? 'mV',
    adcBits: integer(adcBits, 'an ADC resolution') ?? 12,
    adcZero: zero,
    checksum: integer(checksum, 'a checksum'),
    name: rest.join(' ') || `signal ${index}`,
  };
}

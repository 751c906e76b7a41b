import { readFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
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

/** One segment of a record that is cut into several. */
export interface SegmentSpec {
  /** The segment's own record, beside this one; null where nothing was recorded (`~`). */
  readonly name: string | null;
  readonly lengthSamples: number;
}

export interface WfdbHeader {
  readonly name: string;
  readonly rateHz: number;
  /** Frames the header promises; null where it leaves that to the file's length. */
  readonly lengthSamples: number | null;
  readonly startTime: string | null;
  readonly startDate: string | null;
  /** Of a record in segments: those of its layout, or of its first segment. */
  readonly signals: readonly SignalSpec[];
  /** In order; null where the record is one piece. */
  readonly segments: readonly SegmentSpec[] | null;
  /** Segments that hold some of the signals of a layout each, in an order of their own, rather than all of them. */
  readonly variableLayout: boolean;
  readonly comments: readonly string[];
}

/** Gain where the header has none or 0 (header(5), `DEFGAIN`). */
const DEFAULT_GAIN = 200;
/** Rate where the header has none (header(5), `DEFFREQ`). */
const DEFAULT_RATE_HZ = 250;
const MAX_SIGNALS = 256;
/** A record of months in pieces of seconds has fewer. */
const MAX_SEGMENTS = 1_000_000;
/** The file name of a signal that nothing was recorded of (signal(5), format 0). */
export const NO_FILE = '~';

const NUMBER = String.raw`[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?`;
const RATE = new RegExp(`^(${NUMBER})(?:/${NUMBER}(?:\\(${NUMBER}\\))?)?$`);
const FORMAT = /^(\d+)(?:x(\d+))?(?::(\d+))?(?:\+(\d+))?$/;
const GAIN = new RegExp(`^(${NUMBER})(?:\\((-?\\d+)\\))?(?:/(\\S+))?$`);

/**
 * Reads `<record>.hea`.
 * @param path the record's path without extension
 * @throws WfdbError when the header, or that of the segment that says what the signals are, is missing or not a header
 */
export async function readHeader(path: string): Promise<WfdbHeader> {
  const header = await readOne(path);
  const first = header.segments?.find(({ name }) => name !== null)?.name;
  if (first === undefined || first === null) return header;
  const { signals, segments } = await readOne(join(dirname(path), first));
  if (segments) throw new WfdbError(`${path}.hea`, `segment ${first} is itself a record in segments`);
  if (signals.length !== header.signalCount) {
    throw new WfdbError(
      `${path}.hea`,
      `promises ${header.signalCount} signals, segment ${first} has ${signals.length}`,
    );
  }
  return { ...header, signals };
}

async function readOne(path: string) {
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
export function parseHeader(file: string, bytes: Uint8Array): WfdbHeader & { readonly signalCount: number } {
  if (bytes.length > 1_000_000) throw new WfdbError(file, 'is too long for a WFDB header');
  const text = Buffer.from(bytes).toString('latin1');
  if (text.includes('\0')) throw new WfdbError(file, 'is not a WFDB header (binary content)');
  const lines = text.split(/\r?\n/).map((line) => line.trim());
  const comments = lines.filter((line) => line.startsWith('#')).map((line) => line.slice(1).trim());
  const content = lines.filter((line) => line !== '' && !line.startsWith('#'));
  const [recordLine, ...signalLines] = content;
  if (recordLine === undefined) throw new WfdbError(file, 'is not a WFDB header (no record line)');

  const [fullName = '', count = '', rate, length, startTime, startDate] = recordLine.split(/\s+/);
  const [name = '', segmentCount] = fullName.split('/');
  if (!/^[\w.-]+$/.test(name)) throw new WfdbError(file, 'is not a WFDB header (bad record name)');
  if (!/^\d+$/.test(count)) throw new WfdbError(file, 'is not a WFDB header (no number of signals)');
  const signalCount = Number(count);
  if (signalCount > MAX_SIGNALS) throw new WfdbError(file, `claims ${signalCount} signals`);
  if (segmentCount === undefined && signalLines.length < signalCount) {
    throw new WfdbError(file, `is truncated: ${signalCount} signals promised, ${signalLines.length} described`);
  }
  const rateHz = rate === undefined ? DEFAULT_RATE_HZ : Number(RATE.exec(rate)?.[1] ?? Number.NaN);
  if (!(rateHz > 0)) throw new WfdbError(file, `has no usable sampling rate ("${rate}")`);
  if (length !== undefined && !/^\d+$/.test(length)) throw new WfdbError(file, `has no usable length ("${length}")`);

  const told = length === undefined || Number(length) === 0 ? null : Number(length);
  const about = { name, rateHz, startTime: startTime ?? null, startDate: startDate ?? null, comments, signalCount };
  if (segmentCount === undefined) {
    const signals = signalLines.slice(0, signalCount).map((line, index) => parseSignal(file, line, index));
    return { ...about, lengthSamples: told, signals, segments: null, variableLayout: false };
  }
  const segments = parseSegments(file, segmentCount, signalLines);
  const lengthSamples = segments.reduce((sum, segment) => sum + segment.lengthSamples, 0);
  if (told !== null && told !== lengthSamples) {
    throw new WfdbError(file, `promises ${told} samples a signal, its segments have ${lengthSamples}`);
  }
  return { ...about, lengthSamples, signals: [], segments, variableLayout: segments[0]?.lengthSamples === 0 };
}

/** Lines `name length`; the first of a variable layout is its layout and has the length 0 (header(5)). */
function parseSegments(file: string, count: string, lines: readonly string[]): SegmentSpec[] {
  if (!/^\d+$/.test(count) || Number(count) < 1)
    throw new WfdbError(file, `has no usable number of segments ("${count}")`);
  if (Number(count) > MAX_SEGMENTS) throw new WfdbError(file, `claims ${count} segments`);
  if (lines.length < Number(count)) {
    throw new WfdbError(file, `is truncated: ${count} segments promised, ${lines.length} listed`);
  }
  return lines.slice(0, Number(count)).map((line, index) => {
    const [name = '', length = ''] = line.split(/\s+/);
    if (name !== NO_FILE && !/^[\w-]+$/.test(name)) {
      throw new WfdbError(file, `segment ${index}: "${name}" is not the name of a record beside this one`);
    }
    if (!/^\d{1,15}$/.test(length)) throw new WfdbError(file, `segment ${index}: no usable length ("${length}")`);
    return { name: name === NO_FILE ? null : name, lengthSamples: Number(length) };
  });
}

function parseSignal(file: string, line: string, index: number): SignalSpec {
  const bad = (what: string) => new WfdbError(file, `signal ${index}: ${what}`);
  const [name = '', formatText = '', gainText, adcBits, adcZero, , checksum, , ...rest] = line.split(/\s+/);
  // A header must not make us read outside its own folder.
  if ((name !== NO_FILE && !/^[\w.-]+$/.test(name)) || name === '..' || name === '.')
    throw bad(`"${name}" is not a plain file name`);
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

import { readFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { WfdbError } from './error.js';
import { SIGNAL_FORMATS } from './formats.js';
import { readHeader, type SignalSpec } from './header.js';

export interface WfdbSignal {
  readonly name: string;
  readonly unit: string;
  readonly gainPerUnit: number;
  /** ADC value of zero physical units. */
  readonly baseline: number;
  readonly adcBits: number;
  /** Physical units; NaN where the format marks "no sample". One per frame. */
  readonly samples: Float32Array;
  /** Whether the samples sum to the header's checksum; null where the header has none or promises another length. */
  readonly checksumOk: boolean | null;
}

export interface WfdbRecord {
  readonly name: string;
  readonly rateHz: number;
  readonly lengthSamples: number;
  readonly startTime: string | null;
  readonly startDate: string | null;
  readonly signals: readonly WfdbSignal[];
  readonly comments: readonly string[];
}

/**
 * Reads a single-segment WFDB record whole: its header and all its signals, in physical units. Signals sampled several
 * times a frame are averaged to the frame rate, as the WFDB library does by default, so annotations fit every signal.
 * @param path the record's path without extension
 * @throws WfdbError: missing or truncated file, an unknown format, not a WFDB record, several segments
 */
export async function readRecord(path: string): Promise<WfdbRecord> {
  const header = await readHeader(path);
  const groups = new Map<string, number[]>();
  header.signals.forEach((signal, index) => {
    const group = groups.get(signal.file);
    if (group) group.push(index);
    else groups.set(signal.file, [index]);
  });

  const signals: WfdbSignal[] = new Array(header.signals.length);
  let lengthSamples = header.lengthSamples;
  for (const [name, indices] of groups) {
    const file = join(dirname(path), name);
    const specs = indices.map((index) => header.signals[index]!);
    const decoded = await readSignalFile(file, specs, lengthSamples, header.lengthSamples !== null);
    // Without a length in the header the first file decides, and the others must agree.
    lengthSamples ??= decoded[0]!.samples.length;
    indices.forEach((index, k) => {
      signals[index] = decoded[k]!;
    });
  }
  const { name, rateHz, startTime, startDate, comments } = header;
  return { name, rateHz, lengthSamples: lengthSamples ?? 0, startTime, startDate, signals, comments };
}

async function readSignalFile(
  file: string,
  specs: readonly SignalSpec[],
  lengthSamples: number | null,
  lengthPromised: boolean,
): Promise<WfdbSignal[]> {
  const { format: formatId, byteOffset } = specs[0]!;
  const format = SIGNAL_FORMATS.get(formatId);
  if (!format) {
    const known = [...SIGNAL_FORMATS.keys()].sort((a, b) => a - b).join(', ');
    throw new WfdbError(file, `signal format ${formatId} is not supported (supported: ${known})`);
  }
  if (specs.some((spec) => spec.format !== formatId || spec.byteOffset !== byteOffset)) {
    throw new WfdbError(file, 'the header gives signals of this one file different formats');
  }
  let bytes: Uint8Array;
  try {
    bytes = (await readFile(file)).subarray(byteOffset);
  } catch (error) {
    throw new WfdbError(file, `signal file cannot be read (${(error as NodeJS.ErrnoException).code ?? String(error)})`);
  }
  const frameSamples = specs.reduce((sum, spec) => sum + spec.samplesPerFrame, 0);
  const held = Math.floor(format.sampleCount(bytes.length) / frameSamples);
  const frames = lengthSamples ?? held;
  if (held < frames) {
    throw new WfdbError(file, `is truncated: the header promises ${frames} samples a signal, the file holds ${held}`);
  }
  // Skewed signals reach beyond the record's length, as far as the file goes.
  const skew = specs.reduce((most, spec) => Math.max(most, spec.skew), 0);
  const framesRead = Math.min(held, frames + skew);
  const raw = new Int32Array(framesRead * frameSamples);
  format.decode(bytes, raw);

  let column = 0;
  return specs.map((spec) => {
    const samples = physical(raw, framesRead, frameSamples, column, spec, frames, format.invalid);
    let checksumOk: boolean | null = null;
    // Some writers leave the field 0 without having summed (CinC 2017's headers).
    if (spec.checksum !== null && spec.checksum !== 0 && lengthPromised && spec.skew === 0) {
      checksumOk = checksumOf(raw, frames, frameSamples, column, spec) === (spec.checksum << 16) >> 16;
    }
    column += spec.samplesPerFrame;
    const { name, unit, gainPerUnit, baseline, adcBits } = spec;
    return { name, unit, gainPerUnit, baseline, adcBits, samples, checksumOk };
  });
}

/** One signal out of the interleaved raw values: skew undone, frames averaged, in physical units. */
function physical(
  raw: Int32Array,
  framesRead: number,
  frameSamples: number,
  column: number,
  spec: SignalSpec,
  frames: number,
  invalid: number | null,
): Float32Array {
  const samples = new Float32Array(frames).fill(Number.NaN);
  const last = Math.min(frames, framesRead - spec.skew);
  for (let frame = 0; frame < last; frame++) {
    const at = (frame + spec.skew) * frameSamples + column;
    let sum = 0;
    let valid = 0;
    for (let k = 0; k < spec.samplesPerFrame; k++) {
      const value = raw[at + k]!;
      if (value === invalid) continue;
      sum += value;
      valid++;
    }
    if (valid > 0) samples[frame] = (sum / valid - spec.baseline) / spec.gainPerUnit;
  }
  return samples;
}

/** The 16-bit sum of all of a signal's samples (header(5)). */
function checksumOf(raw: Int32Array, frames: number, frameSamples: number, column: number, spec: SignalSpec): number {
  let sum = 0;
  for (let frame = 0; frame < frames; frame++) {
    for (let k = 0; k < spec.samplesPerFrame; k++) sum = (sum + raw[frame * frameSamples + column + k]!) | 0;
  }
  return (sum << 16) >> 16;
}

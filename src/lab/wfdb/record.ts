import { WfdbError } from './error.js';
import { openRecord } from './stream.js';

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

/** More values than this are not read at once: 1 GB. */
const MAX_VALUES = 2.5e8;

/**
 * Reads a WFDB record whole, in one piece or in segments: its header and all its signals, in physical units. Signals sampled
 * several times a frame are averaged to the frame rate, as the WFDB library does by default, so annotations fit every signal.
 * `openRecord` reads piece by piece, in little memory.
 * @param path the record's path without extension
 * @throws WfdbError: missing or truncated file, an unknown format, not a WFDB record, segments that do not fit, or a record
 * that is too long to be read at once
 */
export async function readRecord(path: string): Promise<WfdbRecord> {
  const record = await openRecord(path);
  try {
    const { name, rateHz, lengthSamples, startTime, startDate, comments } = record;
    if (record.signals.length * lengthSamples > MAX_VALUES) {
      throw new WfdbError(
        `${path}.hea`,
        `tells of ${record.signals.length} signals of ${lengthSamples} samples, too many to read at once`,
      );
    }
    const samples = record.signals.map(() => new Float32Array(lengthSamples));
    for await (const chunk of record.chunks()) {
      chunk.signals.forEach((values, index) => {
        samples[index]!.set(values, chunk.firstSample);
      });
    }
    const checksums = record.checksums();
    const signals = record.signals.map((info, index) => ({
      ...info,
      samples: samples[index]!,
      checksumOk: checksums[index]!,
    }));
    return { name, rateHz, lengthSamples, startTime, startDate, signals, comments };
  } finally {
    await record.close();
  }
}

/**
 * As `readRecord`, for samples that a model is trained on: those that do not add up to their checksum are refused.
 * @throws WfdbError also for a signal that does not
 */
export async function readSoundRecord(path: string): Promise<WfdbRecord> {
  const record = await readRecord(path);
  const bad = record.signals.find(({ checksumOk }) => checksumOk === false);
  if (bad) {
    throw new WfdbError(
      `${path}.hea`,
      `signal ${bad.name} does not add up to its checksum: the record is damaged; fetch it again`,
    );
  }
  return record;
}

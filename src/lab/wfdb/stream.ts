import { dirname, join } from 'node:path';
import { WfdbError } from './error.js';
import { NO_FILE, readHeader, type SignalSpec, type WfdbHeader } from './header.js';
import { SignalFile } from './signal-file.js';

/** A signal as its header tells of it. */
export type SignalInfo = Pick<SignalSpec, 'name' | 'unit' | 'gainPerUnit' | 'baseline' | 'adcBits'>;

/** Some frames of a record. */
export interface RecordChunk {
  /** Place of the first frame in the record. */
  readonly firstSample: number;
  /** One array for each signal of the record, in physical units; NaN where there is no sample. */
  readonly signals: readonly Float32Array[];
  /** Whether these frames are of a gap in which nothing was recorded. */
  readonly isGap: boolean;
}

export interface ChunkOptions {
  /** Frames in a chunk; fewer at the end of the record or of a segment. 65,536 unless told. */
  readonly chunkSamples?: number;
  readonly fromSample?: number;
  /** Up to before this one; the record's end unless told. */
  readonly toSample?: number;
}

/** A record that is open for reading in pieces. */
export interface OpenRecord {
  readonly name: string;
  readonly rateHz: number;
  readonly lengthSamples: number;
  readonly startTime: string | null;
  readonly startDate: string | null;
  readonly signals: readonly SignalInfo[];
  readonly comments: readonly string[];
  /** The record's frames in order. Memory is that of one chunk, however long the record is. */
  chunks(options?: ChunkOptions): AsyncGenerator<RecordChunk, void, undefined>;
  /** After all chunks of a record in one piece: whether its samples sum to its header's checksums. */
  checksums(): readonly (boolean | null)[];
  close(): Promise<void>;
}

const CHUNK_SAMPLES = 65_536;

/**
 * Opens a WFDB record, in one piece or in segments of fixed or variable layout, to be read piece by piece. Signals sampled
 * several times a frame are averaged to the frame rate, as the WFDB library does by default, so annotations fit every signal.
 * @param path the record's path without extension
 * @throws WfdbError: missing or truncated file, an unknown format, not a WFDB record, segments that do not fit
 */
export async function openRecord(path: string): Promise<OpenRecord> {
  const header = await readHeader(path);
  return header.segments ? segmented(path, header) : inOnePiece(path, header);
}

async function inOnePiece(path: string, header: WfdbHeader): Promise<OpenRecord> {
  const { files, lengthSamples } = await openFiles(path, header, header.lengthSamples);
  const { signals } = header;
  const lengthPromised = header.lengthSamples !== null;
  return {
    ...about(header, lengthSamples),
    async *chunks(options) {
      for (const [from, to] of pieces(0, lengthSamples, options)) {
        yield { firstSample: from, signals: await readFrames(files, signals.length, from, to), isGap: false };
      }
    },
    checksums: () =>
      signals.map((_, index) => {
        const own = files.find(({ indices }) => indices.includes(index));
        return own && lengthPromised ? own.file.checksumOk(own.indices.indexOf(index)) : null;
      }),
    close: () => closeAll(files),
  };
}

function segmented(path: string, header: WfdbHeader): OpenRecord {
  const { signals, rateHz, variableLayout } = header;
  return {
    ...about(header, header.lengthSamples!),
    async *chunks(options) {
      let start = 0;
      for (const { name, lengthSamples } of header.segments!) {
        const own = pieces(start, start + lengthSamples, options);
        if (own.length === 0 || name === null) {
          for (const [from, to] of own) {
            const nothing = () => new Float32Array(to - from).fill(Number.NaN);
            yield { firstSample: from, signals: signals.map(nothing), isGap: true };
          }
        } else {
          const segmentPath = join(dirname(path), name);
          const segment = await readHeader(segmentPath);
          const places = placesOf(segment, segmentPath, signals, variableLayout);
          if (segment.rateHz !== rateHz) {
            throw new WfdbError(`${segmentPath}.hea`, `has ${segment.rateHz} Hz, the record has ${rateHz} Hz`);
          }
          const { files } = await openFiles(segmentPath, segment, lengthSamples);
          try {
            for (const [from, to] of own) {
              const values = await readFrames(files, segment.signals.length, from - start, to - start);
              const nothing = () => new Float32Array(to - from).fill(Number.NaN);
              yield {
                firstSample: from,
                signals: places.map((place) => (place < 0 ? nothing() : values[place]!)),
                isGap: false,
              };
            }
          } finally {
            await closeAll(files);
          }
        }
        start += lengthSamples;
      }
    },
    checksums: () => signals.map(() => null),
    close: async () => {},
  };
}

/** For each signal of the record, which signal of the segment it is; -1 where the segment lacks it. */
function placesOf(
  segment: WfdbHeader,
  path: string,
  signals: readonly SignalSpec[],
  variableLayout: boolean,
): number[] {
  if (segment.segments) throw new WfdbError(`${path}.hea`, 'a segment is itself a record in segments');
  if (!variableLayout) {
    if (segment.signals.length !== signals.length) {
      throw new WfdbError(
        `${path}.hea`,
        `has ${segment.signals.length} signals, the record it is a segment of has ${signals.length}`,
      );
    }
    return signals.map((_, index) => index);
  }
  const taken = new Set<number>();
  const places = signals.map(({ name }) => {
    const place = segment.signals.findIndex((signal, index) => signal.name === name && !taken.has(index));
    if (place >= 0) taken.add(place);
    return place;
  });
  const unknown = segment.signals.find((_, index) => !taken.has(index));
  if (unknown) throw new WfdbError(`${path}.hea`, `has a signal '${unknown.name}' that the record's layout lacks`);
  return places;
}

interface OpenFile {
  readonly file: SignalFile;
  /** Which signals of the header lie in it. */
  readonly indices: readonly number[];
}

async function openFiles(path: string, header: WfdbHeader, frames: number | null) {
  const groups = new Map<string, number[]>();
  header.signals.forEach(({ file, format }, index) => {
    if (file === NO_FILE || format === 0) return;
    groups.set(file, [...(groups.get(file) ?? []), index]);
  });
  const files: OpenFile[] = [];
  let lengthSamples = frames;
  try {
    for (const [name, indices] of groups) {
      const specs = indices.map((index) => header.signals[index]!);
      const file = await SignalFile.open(join(dirname(path), name), specs, lengthSamples);
      files.push({ file, indices });
      // Without a length in the header the first file decides, and the others must agree.
      lengthSamples ??= file.frames;
    }
  } catch (error) {
    await closeAll(files);
    throw error;
  }
  return { files, lengthSamples: lengthSamples ?? 0 };
}

async function readFrames(files: readonly OpenFile[], count: number, from: number, to: number) {
  const signals = new Array<Float32Array | undefined>(count);
  for (const { file, indices } of files) {
    const read = await file.read(from, to);
    indices.forEach((index, k) => {
      signals[index] = read[k];
    });
  }
  return Array.from(signals, (samples) => samples ?? new Float32Array(to - from).fill(Number.NaN));
}

/** Chunks of the frames `start` up to before `end` that are asked for. */
function pieces(start: number, end: number, options: ChunkOptions = {}): [number, number][] {
  const { chunkSamples = CHUNK_SAMPLES, fromSample = 0, toSample = Number.POSITIVE_INFINITY } = options;
  if (!Number.isInteger(chunkSamples) || chunkSamples < 1) throw new RangeError(`chunks of ${chunkSamples} samples`);
  const list: [number, number][] = [];
  const last = Math.min(end, toSample);
  for (let from = Math.max(start, fromSample); from < last; from += chunkSamples) {
    list.push([from, Math.min(last, from + chunkSamples)]);
  }
  return list;
}

function about({ name, rateHz, startTime, startDate, signals, comments }: WfdbHeader, lengthSamples: number) {
  const infos = signals.map(
    ({ name: title, unit, gainPerUnit, baseline, adcBits }): SignalInfo => ({
      ...{ name: title, unit, gainPerUnit, baseline, adcBits },
    }),
  );
  return { name, rateHz, lengthSamples, startTime, startDate, signals: infos, comments };
}

async function closeAll(files: readonly OpenFile[]): Promise<void> {
  for (const { file } of files) await file.close();
}

import { createHash } from 'node:crypto';
import { mkdir, readFile, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { BeatClass } from '../../domain/beat.js';
import { BEAT_ECG_INPUT_SHAPES, BeatEcgWindows } from '../../inference/windows/beat-ecg.js';
import { LabError } from '../error.js';
import { type Annotation, aamiClass, isBeatSymbol, readAnnotations, readRecord } from '../wfdb/index.js';

/** Which of a recording's two leads: the one that is judged, or the other. */
export type RecordLead = 'first' | 'other';

/** Every beat of one record as the model will see it, with its reference class. */
export interface BeatRecord {
  readonly database: string;
  readonly record: string;
  readonly count: number;
  /** count x 128 x 2: the beat, and its difference from the own template. */
  readonly windows: Float32Array;
  /** count x features, not standardised. */
  readonly features: Float32Array;
  /** Index into CLASSES, one per beat. */
  readonly classes: Uint8Array;
  /** 1 where the reference says atrial fibrillation or flutter, where it says anything on rhythm. */
  readonly inAf: Uint8Array;
}

export const CLASSES = ['N', 'S', 'V', 'F', 'Q'] as const satisfies readonly BeatClass[];

const [[windowLength, channels], [featureCount]] = BEAT_ECG_INPUT_SHAPES;
export const WINDOW_VALUES = windowLength * channels;
export const FEATURE_COUNT = featureCount;

/**
 * Reads a record and runs it, with its reference beats, through the daemon's own windows.
 * @param folder of the database, holding `<record>.hea .dat .atr`
 * @param cacheFolder where the result is kept between runs; null keeps nothing
 * @param lead an `other` one that is not there has no beats
 */
export async function loadBeatRecord(
  folder: string,
  record: string,
  cacheFolder: string | null,
  lead: RecordLead = 'first',
): Promise<BeatRecord> {
  const database = folder.split('/').at(-1)!;
  const suffix = lead === 'first' ? '' : '-other-lead';
  const cacheFile = cacheFolder && join(cacheFolder, `${database}-${record}${suffix}-${codeFingerprint()}.beats`);
  if (cacheFile) {
    const cached = await readFile(cacheFile).catch(() => null);
    if (cached) return unpack(database, record, cached);
  }
  const made = await makeBeatRecord(folder, database, record, lead);
  if (cacheFile && cacheFolder) {
    await mkdir(cacheFolder, { recursive: true });
    await writeFile(`${cacheFile}.new`, pack(made));
    await rename(`${cacheFile}.new`, cacheFile);
  }
  return made;
}

/** What there is of a lead that a record does not have. */
const NO_BEATS = {
  count: 0,
  windows: new Float32Array(0),
  features: new Float32Array(0),
  classes: new Uint8Array(0),
  inAf: new Uint8Array(0),
};

async function makeBeatRecord(folder: string, database: string, record: string, lead: RecordLead): Promise<BeatRecord> {
  const { signals, rateHz, name } = await readRecord(join(folder, record));
  // Signal 0 as everyone does; record 114 has its leads the other way round, MLII second.
  const first = database === 'mitdb' && name === '114' ? 1 : 0;
  const signal = signals[lead === 'other' ? 1 - first : first];
  if (!signal && lead === 'other') return { database, record, ...NO_BEATS };
  if (!signal) throw new LabError(`${folder}/${record} has no signal`);
  const annotations = await readAnnotations(join(folder, `${record}.atr`));
  const beats = annotations.filter(({ symbol }) => isBeatSymbol(symbol));
  return { database, record, ...beatArrays(signal.samples, rateHz, beats), inAf: afFlags(annotations, beats) };
}

/** Runs samples and reference beats through the windows; beats that these pass over keep zeros. */
export function beatArrays(samples: ArrayLike<number>, rateHz: number, beats: readonly Annotation[]) {
  const count = beats.length;
  const windows = new Float32Array(count * WINDOW_VALUES);
  const features = new Float32Array(count * FEATURE_COUNT);
  const stream = new BeatEcgWindows({
    rateHz,
    onWindow(index, [window, vector]) {
      windows.set(window!, index * WINDOW_VALUES);
      features.set(vector!, index * FEATURE_COUNT);
    },
  });
  let next = 0;
  for (let i = 0; i < samples.length; i++) {
    stream.push(samples[i]!);
    for (; next < count && beats[next]!.sample <= i; next++) {
      const before = beats[next - 1];
      stream.beat(beats[next]!.sample, before ? ((beats[next]!.sample - before.sample) * 1000) / rateHz : null);
    }
  }
  stream.flush();
  const classes = Uint8Array.from(beats, ({ symbol }) => CLASSES.indexOf(aamiClass(symbol)!));
  return { count, windows, features, classes };
}

/** For each beat whether the rhythm annotation in force says atrial fibrillation or flutter. */
function afFlags(annotations: readonly Annotation[], beats: readonly Annotation[]): Uint8Array {
  const changes = annotations.filter(({ symbol, aux }) => symbol === '+' && aux.startsWith('('));
  let at = -1;
  return Uint8Array.from(beats, ({ sample }) => {
    while (at + 1 < changes.length && changes[at + 1]!.sample <= sample) at++;
    return at >= 0 && /^\((AFIB|AFL)/.test(changes[at]!.aux) ? 1 : 0;
  });
}

let fingerprint = '';

/** Changes whenever the windows' code does: a hash of what it makes of a fixed signal. */
function codeFingerprint(): string {
  if (fingerprint) return fingerprint;
  const rateHz = 250;
  const samples = Float64Array.from({ length: 60 * rateHz }, (_, i) => {
    const phase = (i % 211) / 211;
    return Math.exp(-(((phase - 0.4) * 40) ** 2)) + 0.2 * Math.sin(i / 37) + 0.1 * Math.sin(i / 3) * Math.sin(i / 401);
  });
  const beats: Annotation[] = [];
  for (let sample = 84, k = 0; sample < samples.length; sample += k++ % 7 === 3 ? 150 : 211) {
    beats.push({ sample, symbol: 'N', subtype: 0, chan: 0, num: 0, aux: '' });
  }
  const { windows, features } = beatArrays(samples, rateHz, beats);
  fingerprint = createHash('sha256').update(windows).update(features).digest('hex').slice(0, 12);
  return fingerprint;
}

function pack({ count, windows, features, classes, inAf }: BeatRecord): Uint8Array {
  const head = Buffer.alloc(4);
  head.writeUInt32LE(count);
  return Buffer.concat([head, new Uint8Array(windows.buffer), new Uint8Array(features.buffer), classes, inAf]);
}

function unpack(database: string, record: string, bytes: Uint8Array): BeatRecord {
  const count = Buffer.from(bytes.buffer, bytes.byteOffset, 4).readUInt32LE();
  let at = 4;
  const take = (length: number) => {
    at += length;
    return new Uint8Array(bytes.buffer, bytes.byteOffset + at - length, length).slice();
  };
  const floats = (length: number) => new Float32Array(take(4 * length).buffer);
  const windows = floats(count * WINDOW_VALUES);
  const features = floats(count * FEATURE_COUNT);
  return { database, record, count, windows, features, classes: take(count), inAf: take(count) };
}

import { createHash } from 'node:crypto';
import { mkdir, readFile, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { BeatClass } from '../../domain/beat.js';
import { BEAT_ECG_INPUT_SHAPES, BeatEcgWindows } from '../../inference/windows/beat-ecg.js';
import { LabError } from '../error.js';
import { type Annotation, aamiClass, isBeatSymbol, openRecord, readAnnotationFile } from '../wfdb/index.js';
import { type Kept, keptBeats } from './kept-beats.js';

/** Which of a recording's two leads: the one that is judged, or the other. */
export type RecordLead = 'first' | 'other';

/** The beats of one record as the model will see them, with their reference classes: all, but for a very long record. */
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
  /** How many beats of the record each one here stands for, by class; one where nothing is said: see `keptBeats`. */
  readonly standsFor?: readonly number[];
}

export const CLASSES = ['N', 'S', 'V', 'F', 'Q'] as const satisfies readonly BeatClass[];

const [[windowLength, channels], [featureCount]] = BEAT_ECG_INPUT_SHAPES;
export const WINDOW_VALUES = windowLength * channels;
export const FEATURE_COUNT = featureCount;

/**
 * Reads a record, piece by piece, and runs it with its reference beats through the daemon's own windows.
 * @param folder of the database, holding `<record>.hea .dat .atr`
 * @param cacheFolder where the result is kept between runs; null keeps nothing
 * @param lead an `other` one that is not there has no beats
 * @throws LabError: no signal, no beats, or beats that are not of this recording; WfdbError: files that cannot be read
 */
export async function loadBeatRecord(
  folder: string,
  record: string,
  cacheFolder: string | null,
  lead: RecordLead = 'first',
): Promise<BeatRecord> {
  const database = folder.split('/').at(-1)!;
  const suffix = lead === 'first' ? '' : '-other-lead';
  const cacheFile =
    cacheFolder &&
    join(
      cacheFolder,
      `${database}-${record}${suffix}-${codeFingerprint()}-${await sourceFingerprint(join(folder, record))}.beats`,
    );
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

/** Changes when a record's beats or its header, which has the sums of its samples, do: annotations get corrected. */
async function sourceFingerprint(path: string): Promise<string> {
  const hash = createHash('sha256');
  for (const ending of ['hea', 'atr']) hash.update(await readFile(`${path}.${ending}`).catch(() => ''));
  return hash.digest('hex').slice(0, 12);
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
  const path = join(folder, record);
  const opened = await openRecord(path);
  try {
    const { rateHz, name } = opened;
    // Signal 0 as everyone does; record 114 has its leads the other way round, MLII second.
    const first = database === 'mitdb' && name === '114' ? 1 : 0;
    const index = lead === 'other' ? 1 - first : first;
    if (!opened.signals[index] && lead === 'other') return { database, record, ...NO_BEATS };
    if (!opened.signals[index]) throw new LabError(`${path}.hea: the record has no signal`);
    const annotations = await annotationsOf(path, rateHz);
    const beats = annotations.filter(({ symbol }) => isBeatSymbol(symbol));
    if (beats.length === 0) throw new LabError(`${path}.atr: holds no annotated beats, of which a training learns`);
    const kept = keptBeats(classesOf(beats));
    const windowing = new BeatWindowing(rateHz, beats, kept.beats);
    for await (const { signals } of opened.chunks()) {
      for (const value of signals[index]!) windowing.push(value);
    }
    if (opened.checksums()[index] === false) {
      throw new LabError(
        `${path}.hea: signal ${opened.signals[index].name} does not add up to its checksum: the record is damaged; fetch it again`,
      );
    }
    const arrays = windowing.end();
    // A few beats at the edges have no window; most without one are another recording's, or marked at another rate.
    if (windowing.judged < beats.length / 2) {
      throw new LabError(
        `${path}.atr: ${beats.length - windowing.judged} of ${beats.length} beats lie beyond the recording or on top of one another; is it this recording's?`,
      );
    }
    const inAf = afFlags(annotations, beats);
    return {
      ...{ database, record, ...arrays, inAf: Uint8Array.from(kept.beats, (beat) => inAf[beat]!) },
      ...(kept.standsFor && { standsFor: kept.standsFor }),
    };
  } finally {
    await opened.close();
  }
}

/** Annotations in samples of the record, where the file counts in ticks of its own too. */
async function annotationsOf(path: string, rateHz: number): Promise<Annotation[]> {
  const { annotations, rateHz: ticksHz } = await readAnnotationFile(`${path}.atr`);
  if (ticksHz === null || ticksHz === rateHz) return annotations;
  return annotations.map((one) => ({ ...one, sample: Math.round((one.sample * rateHz) / ticksHz) }));
}

/** Samples of one lead in, windows and features of its reference beats out; beats that the windows pass over keep zeros. */
class BeatWindowing {
  /** Beats that got a window, of those kept and the others. */
  judged = 0;
  private readonly windows: Float32Array;
  private readonly features: Float32Array;
  private readonly stream: BeatEcgWindows;
  private pushed = 0;
  private next = 0;

  /** @param kept which of the beats are handed out; the others are known to the windows all the same */
  constructor(
    private readonly rateHz: number,
    private readonly beats: readonly Annotation[],
    private readonly kept: Kept['beats'],
  ) {
    const windows = new Float32Array(kept.length * WINDOW_VALUES);
    const features = new Float32Array(kept.length * FEATURE_COUNT);
    const places = new Int32Array(beats.length).fill(-1);
    kept.forEach((beat, place) => {
      places[beat] = place;
    });
    this.windows = windows;
    this.features = features;
    this.stream = new BeatEcgWindows({
      rateHz,
      onWindow: (index, [window, vector]) => {
        this.judged++;
        const place = places[index]!;
        if (place < 0) return;
        windows.set(window!, place * WINDOW_VALUES);
        features.set(vector!, place * FEATURE_COUNT);
      },
    });
  }

  push(value: number): void {
    const { stream, beats, rateHz } = this;
    stream.push(value);
    for (; this.next < beats.length && beats[this.next]!.sample <= this.pushed; this.next++) {
      const { sample } = beats[this.next]!;
      const before = beats[this.next - 1];
      stream.beat(sample, before ? ((sample - before.sample) * 1000) / rateHz : null);
    }
    this.pushed++;
  }

  end() {
    this.stream.flush();
    const { kept, windows, features, beats } = this;
    const all = classesOf(beats);
    return { count: kept.length, windows, features, classes: Uint8Array.from(kept, (beat) => all[beat]!) };
  }
}

function classesOf(beats: readonly Annotation[]): Uint8Array {
  return Uint8Array.from(beats, ({ symbol }) => CLASSES.indexOf(aamiClass(symbol)!));
}

/** Runs samples and reference beats through the windows; beats that these pass over keep zeros. */
export function beatArrays(samples: ArrayLike<number>, rateHz: number, beats: readonly Annotation[]) {
  const windowing = new BeatWindowing(rateHz, beats, Uint32Array.from(beats.keys()));
  for (let i = 0; i < samples.length; i++) windowing.push(samples[i]!);
  return windowing.end();
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

function pack({ count, windows, features, classes, inAf, standsFor = [] }: BeatRecord): Uint8Array {
  const head = Buffer.alloc(4);
  head.writeUInt32LE(count);
  const weights = new Uint8Array(Float64Array.from(standsFor).buffer);
  return Buffer.concat([head, new Uint8Array(windows.buffer), new Uint8Array(features.buffer), classes, inAf, weights]);
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
  const of = { database, record, count, windows, features, classes: take(count), inAf: take(count) };
  const weights = [...new Float64Array(take(bytes.length - at).buffer)];
  return weights.length > 0 ? { ...of, standsFor: weights } : of;
}

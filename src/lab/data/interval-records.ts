import { createHash } from 'node:crypto';
import { mkdir, readFile, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import {
  BEAT_ECG_FEATURE_COUNT,
  BEAT_ECG_FEATURES,
  BeatEcgFeatures,
  INTERVAL_FEATURES,
} from '../../inference/windows/beat-ecg-features.js';
import { WIDE } from '../../inference/windows/beat-shape.js';
import { BeatTemplates, WIDE_R } from '../../inference/windows/beat-templates.js';
import { LabError } from '../error.js';
import { Random } from '../train/random.js';
import { type Annotation, aamiClass, isBeatSymbol, readAnnotationFile, readHeader } from '../wfdb/index.js';
import { CLASSES } from './beat-records.js';

/** Beats of a long recording without a signal: what their intervals tell, with the reference's class. */
export interface IntervalRecord {
  readonly database: string;
  readonly record: string;
  readonly count: number;
  /** count x INTERVAL_FEATURES.length, not standardised. */
  readonly features: Float32Array;
  /** Index into CLASSES. */
  readonly classes: Uint8Array;
}

/** Stretches taken of each recording, beats of each, and how many of these only bring the running means to their place. */
const STRETCHES = 16;
const STRETCH_BEATS = 800;
const SETTLING_BEATS = 200;
/** N beats are plenty: every fourth is kept. */
const KEEP_N = 0.25;
/** Longer than this between two beats is a hole. */
const HOLE_MS = 3000;

const BEATS_OF: Readonly<Record<string, string>> = { ltafdb: 'atr', nsr2db: 'ecg' };

/**
 * Reads a recording's beats and runs stretches of them through the daemon's own features; half of the stretches lie
 * about an S beat, where there is one.
 * @param folder of the database: ltafdb or nsr2db
 * @param cacheFolder where the result is kept between runs; null keeps nothing
 */
export async function loadIntervalRecord(
  folder: string,
  record: string,
  cacheFolder: string | null,
): Promise<IntervalRecord> {
  const database = folder.split('/').at(-1)!;
  const ending = BEATS_OF[database];
  if (!ending) throw new LabError(`${folder}: beats without a signal are read of ${Object.keys(BEATS_OF).join(', ')}`);
  const cacheFile = cacheFolder && join(cacheFolder, `${database}-${record}-${codeFingerprint()}.intervals`);
  if (cacheFile) {
    const cached = await readFile(cacheFile).catch(() => null);
    if (cached) return { database, record, ...unpack(cached) };
  }
  const { annotations } = await readAnnotationFile(join(folder, `${record}.${ending}`));
  const { rateHz } = await readHeader(join(folder, record));
  const made = stretches(
    annotations.filter(({ symbol }) => isBeatSymbol(symbol)),
    rateHz,
    new Random(Number.parseInt(createHash('sha256').update(record).digest('hex').slice(0, 6), 16)),
  );
  if (cacheFile && cacheFolder) {
    await mkdir(cacheFolder, { recursive: true });
    await writeFile(`${cacheFile}.new`, Buffer.concat([new Uint8Array(made.features.buffer), made.classes]));
    await rename(`${cacheFile}.new`, cacheFile);
  }
  return { database, record, ...made };
}

function stretches(beats: readonly Annotation[], rateHz: number, random: Random) {
  const width = INTERVAL_FEATURES.length;
  const rows: Float32Array[] = [];
  const classes: number[] = [];
  const early = beats.flatMap(({ symbol }, i) => (aamiClass(symbol) === 'S' ? [i] : []));
  for (let k = 0; k < STRETCHES; k++) {
    const about =
      k % 2 === 0 && early.length > 0 ? early[random.below(early.length)]! - random.below(STRETCH_BEATS / 2) : 0;
    const from = k % 2 === 0 && early.length > 0 ? about - SETTLING_BEATS : random.below(beats.length);
    const start = Math.max(0, Math.min(beats.length - STRETCH_BEATS - 2, from));
    run(beats.slice(start, start + STRETCH_BEATS + 2), rateHz, (beat, vector) => {
      if (beat < SETTLING_BEATS) return;
      const label = aamiClass(beats[start + beat]!.symbol)!;
      if (label === 'N' && random.uniform() > KEEP_N) return;
      rows.push(Float32Array.from(INTERVAL_FEATURES, (at) => vector[at]!));
      classes.push(CLASSES.indexOf(label));
    });
  }
  const features = new Float32Array(rows.length * width);
  for (const [i, row] of rows.entries()) features.set(row, i * width);
  return { count: rows.length, features, classes: Uint8Array.from(classes) };
}

/** Runs beats through the features with one shape for all of them. */
function run(beats: readonly Annotation[], rateHz: number, each: (beat: number, vector: Float32Array) => void): void {
  const templates = new BeatTemplates();
  const features = new BeatEcgFeatures(templates);
  const wide = new Float64Array(WIDE);
  for (let i = 0; i < WIDE; i++) wide[i] = Math.exp(-(((i - WIDE_R) / 3) ** 2));
  const vector = new Float32Array(BEAT_ECG_FEATURE_COUNT);
  const interval = (at: number) => {
    const before = beats[at - 1];
    const here = beats[at];
    if (!before || !here) return null;
    const ms = ((here.sample - before.sample) * 1000) / rateHz;
    return ms > 0 && ms <= HOLE_MS ? ms : null;
  };
  for (let beat = 0; beat + 1 < beats.length; beat++) {
    templates.look(wide);
    features.write(wide, interval(beat), interval(beat + 1), vector);
    each(beat, vector);
  }
}

let fingerprint = '';

/** Changes whenever the features' code does. */
function codeFingerprint(): string {
  if (fingerprint) return fingerprint;
  const hash = createHash('sha256').update(BEAT_ECG_FEATURES.join());
  const beats: Annotation[] = [];
  for (let k = 0, sample = 0; k < 300; k++) {
    sample += Math.round(200 + 40 * Math.sin(k / 9) + ((k * 7919) % 31) + (k % 41 === 3 ? -90 : 0));
    beats.push({ sample, symbol: 'N', subtype: 0, chan: 0, num: 0, aux: '' });
  }
  run(beats, 250, (_, vector) => hash.update(Float32Array.from(INTERVAL_FEATURES, (at) => vector[at]!)));
  fingerprint = hash.digest('hex').slice(0, 12);
  return fingerprint;
}

function unpack(bytes: Uint8Array) {
  const rowBytes = 4 * INTERVAL_FEATURES.length;
  const count = bytes.length / (rowBytes + 1);
  const features = new Float32Array(new Uint8Array(bytes.subarray(0, count * rowBytes)).buffer);
  return { count, features, classes: new Uint8Array(bytes.subarray(count * rowBytes)) };
}

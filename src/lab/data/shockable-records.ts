import { createHash } from 'node:crypto';
import { mkdir, readFile, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import {
  SHOCKABLE_FEATURES,
  SHOCKABLE_RATE_HZ,
  SHOCKABLE_SAMPLES,
  ShockableInputs,
  ShockableSignal,
  UsualHeight,
} from '../../inference/windows/shockable-ecg.js';
import { LabError } from '../error.js';
import { type Annotation, readAnnotations, readSoundRecord } from '../wfdb/index.js';

/** What the reference says of a window. */
export const OTHER = 0;
/** Ventricular tachycardia whose spectral peak lies at FAST_HZ or above. */
export const FAST_VT = 1;
/** Ventricular fibrillation or flutter. */
export const FIBRILLATION = 2;
export const ASYSTOLE = 3;
export const NOISE = 4;
export const SLOW_VT = 5;
/** The rhythm changes within the window, or nothing is said of it. */
export const MIXED = 6;

/** Slower ventricular tachycardia is not treated by shock at once, and is left out of training and of the figures, Hz. */
export const FAST_HZ = 2.4;

/** A stretch of annotated ventricular arrhythmia, s from the record's start. */
export interface ShockableEpisode {
  readonly kind: 'vf' | 'vt';
  readonly startS: number;
  readonly endS: number;
}

/** One lead as the shockable model sees it, with its reference. */
export interface ShockableRecord {
  readonly database: string;
  readonly record: string;
  /** 125 Hz, filtered as the daemon filters it. */
  readonly signal: Float32Array;
  /** One window a second: it ends before this index of `signal`. */
  readonly ends: Uint32Array;
  readonly labels: Uint8Array;
  /** The lead's usual height at that window. */
  readonly usual: Float32Array;
  /** Windows x SHOCKABLE_FEATURES, not standardised. */
  readonly features: Float32Array;
  readonly episodes: readonly ShockableEpisode[];
  /** The annotated rhythms, s. */
  readonly rhythms: readonly { readonly name: string; readonly startS: number; readonly endS: number }[];
}

const FEATURE_COUNT = SHOCKABLE_FEATURES.length;
const PEAK = SHOCKABLE_FEATURES.indexOf('spectralPeakHz');
const FIBRILLATIONS = /^\((VF|VFL|VFIB)$/;
const TACHYCARDIA = /^\(VT$/;

/**
 * Reads a record's first signal and runs it through the daemon's own filters.
 * @param folder of the database, named as the database is
 * @param everything what a record of a database without rhythm annotations is as a whole: OTHER or NOISE
 * @param cacheFolder where the result is kept between runs; null keeps nothing
 */
export async function loadShockableRecord(
  folder: string,
  record: string,
  everything: typeof OTHER | typeof NOISE | null,
  cacheFolder: string | null,
): Promise<ShockableRecord> {
  const database = folder.split('/').at(-1)!;
  const cacheFile =
    cacheFolder && join(cacheFolder, `${database}-${record}-${everything}-${codeFingerprint()}.windows`);
  if (cacheFile) {
    const cached = await readFile(cacheFile).catch(() => null);
    if (cached) return unpack(cached);
  }
  const { signals, rateHz, lengthSamples } = await readSoundRecord(join(folder, record));
  if (!signals[0]) throw new LabError(`${folder}/${record} has no signal`);
  const rhythms =
    everything === null ? rhythmsOf(await readAnnotations(join(folder, `${record}.atr`)), rateHz, lengthSamples) : [];
  const made: ShockableRecord = {
    database,
    record,
    ...windowsOfLead(signals[0].samples, rateHz, (fromS, toS) =>
      everything === null ? labelOf(rhythms, fromS, toS) : everything,
    ),
    episodes: rhythms.flatMap(({ name, startS, endS }): ShockableEpisode[] => {
      const kind = FIBRILLATIONS.test(name) ? 'vf' : TACHYCARDIA.test(name) ? 'vt' : null;
      return kind ? [{ kind, startS, endS }] : [];
    }),
    rhythms,
  };
  if (cacheFile && cacheFolder) {
    await mkdir(cacheFolder, { recursive: true });
    await writeFile(`${cacheFile}.new`, pack(made));
    await rename(`${cacheFile}.new`, cacheFile);
  }
  return made;
}

/** One lead's windows, one a second, each labelled by what `label` says of its stretch. */
export function windowsOfLead(
  samples: ArrayLike<number>,
  rateHz: number,
  label: (fromS: number, toS: number) => number,
): Pick<ShockableRecord, 'signal' | 'ends' | 'labels' | 'usual' | 'features'> {
  const signal = filtered(samples, rateHz);
  const count = Math.max(0, Math.floor((signal.length - SHOCKABLE_SAMPLES) / SHOCKABLE_RATE_HZ) + 1);
  const ends = Uint32Array.from({ length: count }, (_, w) => SHOCKABLE_SAMPLES + w * SHOCKABLE_RATE_HZ);
  const labels = new Uint8Array(count);
  const usual = new Float32Array(count);
  const features = new Float32Array(count * FEATURE_COUNT);
  const height = new UsualHeight();
  const inputs = new ShockableInputs();
  for (let w = 0; w < count; w++) {
    const end = ends[w]!;
    const window = signal.subarray(end - SHOCKABLE_SAMPLES, end);
    usual[w] = height.push(window);
    features.set(inputs.write(window, usual[w]!)[1], w * FEATURE_COUNT);
    const given = label((end - SHOCKABLE_SAMPLES) / SHOCKABLE_RATE_HZ, end / SHOCKABLE_RATE_HZ);
    const slow = given === FAST_VT && features[w * FEATURE_COUNT + PEAK]! < FAST_HZ;
    labels[w] = slow ? SLOW_VT : given;
  }
  return { signal, ends, labels, usual, features };
}

/** A lead at the model's rate, through the daemon's filters. */
export function filtered(samples: ArrayLike<number>, rateHz: number): Float32Array {
  const out = new Float32Array(Math.ceil((samples.length / rateHz) * SHOCKABLE_RATE_HZ) + 8);
  let count = 0;
  const stream = new ShockableSignal(rateHz, (value) => {
    out[count++] = value;
  });
  for (let i = 0; i < samples.length; i++) stream.push(samples[i]!);
  return out.slice(0, count);
}

type Rhythm = ShockableRecord['rhythms'][number];

function rhythmsOf(annotations: readonly Annotation[], rateHz: number, lengthSamples: number): Rhythm[] {
  const changes = annotations.filter(({ symbol, aux }) => symbol === '+' && aux.startsWith('('));
  return changes.map(({ sample, aux }, i) => ({
    name: aux.replaceAll('\0', '').trim(),
    startS: sample / rateHz,
    endS: (changes[i + 1]?.sample ?? lengthSamples) / rateHz,
  }));
}

function classOf(name: string): number {
  if (FIBRILLATIONS.test(name)) return FIBRILLATION;
  if (TACHYCARDIA.test(name)) return FAST_VT;
  if (name === '(ASYS') return ASYSTOLE;
  return name === '(NOISE' ? NOISE : OTHER;
}

function labelOf(rhythms: readonly Rhythm[], fromS: number, toS: number): number {
  const classes = new Set(
    rhythms.filter(({ startS, endS }) => startS < toS && endS > fromS).map(({ name }) => classOf(name)),
  );
  const covered = rhythms[0] !== undefined && rhythms[0].startS <= fromS;
  return covered && classes.size === 1 ? [...classes][0]! : MIXED;
}

let fingerprint = '';

/** Changes whenever the windows' code does: a hash of what it makes of a fixed signal. */
function codeFingerprint(): string {
  if (fingerprint) return fingerprint;
  const samples = Float64Array.from({ length: 30 * 250 }, (_, i) => {
    const phase = (i % 211) / 211;
    return Math.exp(-(((phase - 0.4) * 40) ** 2)) + 0.2 * Math.sin(i / 7) + 0.1 * Math.sin(i / 3) * Math.sin(i / 401);
  });
  const { signal, usual, features } = windowsOfLead(samples, 250, () => OTHER);
  const hash = createHash('sha256').update(signal).update(usual).update(features);
  fingerprint = hash.digest('hex').slice(0, 12);
  return fingerprint;
}

function pack({ signal, ends, labels, usual, features, ...rest }: ShockableRecord): Uint8Array {
  const head = Buffer.from(JSON.stringify({ ...rest, samples: signal.length, windows: ends.length }));
  const length = Buffer.alloc(4);
  length.writeUInt32LE(head.length);
  const bytes = [signal, ends, usual, features].map((values) => new Uint8Array(values.buffer));
  return Buffer.concat([length, head, ...bytes, labels]);
}

function unpack(bytes: Buffer): ShockableRecord {
  let at = 4 + bytes.readUInt32LE();
  const { samples, windows, ...rest } = JSON.parse(bytes.subarray(4, at).toString());
  const take = (length: number) => {
    at += length;
    return new Uint8Array(bytes.subarray(at - length, at)).buffer;
  };
  return {
    ...rest,
    signal: new Float32Array(take(4 * samples)),
    ends: new Uint32Array(take(4 * windows)),
    usual: new Float32Array(take(4 * windows)),
    features: new Float32Array(take(4 * windows * FEATURE_COUNT)),
    labels: new Uint8Array(take(windows)),
  };
}

import { createHash } from 'node:crypto';
import { mkdir, readFile, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { ANOMALY_FEATURES, AnomalyWindows } from '../../inference/windows/anomaly-rr.js';
import { RrCleaner } from '../../signal/rr.js';
import { type Annotation, isBeatSymbol, readAnnotationFile, readHeader } from '../wfdb/index.js';

/** Kinds of annotated episodes that are departures from a normal rhythm. */
export const EPISODE_KINDS = ['AF', 'flutter', 'SVTA', 'bigeminy', 'trigeminy', 'VT', 'rate change'] as const;
export type EpisodeKind = (typeof EPISODE_KINDS)[number];

export interface AnomalyEpisode {
  readonly kind: EpisodeKind;
  readonly startMs: number;
  readonly endMs: number;
}

/** One person's windows of 60 intervals, as the daemon makes them, with the reference's episodes. */
export interface AnomalyRecord {
  readonly database: string;
  readonly record: string;
  readonly count: number;
  /** count x ANOMALY_FEATURES. */
  readonly features: Float32Array;
  readonly tMs: Float64Array;
  readonly startMs: Float64Array;
  readonly spanMs: Float32Array;
  readonly episodes: readonly AnomalyEpisode[];
  readonly durationMs: number;
}

/** The daemon looks every so many intervals. */
export const ANOMALY_EVERY_BEATS = 20;

const FEATURE_COUNT = ANOMALY_FEATURES.length;
const KINDS: readonly (readonly [RegExp, EpisodeKind])[] = [
  [/^\(AFIB/, 'AF'],
  [/^\(AFL/, 'flutter'],
  [/^\(SVTA/, 'SVTA'],
  [/^\(B$/, 'bigeminy'],
  [/^\(T$/, 'trigeminy'],
  [/^\((VT|VFL|IVR)$/, 'VT'],
];

/** Reads a record's beats (and rhythm annotations, where its file has them) and runs them through the daemon's windows. */
export async function loadAnomalyRecord(
  folder: string,
  record: string,
  extension: string,
  cacheFolder: string | null,
): Promise<AnomalyRecord> {
  const database = folder.split('/').at(-1)!;
  const cacheFile = cacheFolder && join(cacheFolder, `${database}-${record}-${codeFingerprint()}.anomaly`);
  if (cacheFile) {
    const cached = await readFile(cacheFile).catch(() => null);
    if (cached) return unpack(cached);
  }
  const { annotations } = await readAnnotationFile(join(folder, `${record}.${extension}`));
  const { rateHz } = await readHeader(join(folder, record));
  const beats = annotations.filter(({ symbol }) => isBeatSymbol(symbol)).map(({ sample }) => (sample * 1000) / rateHz);
  const made = { database, record, ...windowsOfBeats(beats), episodes: episodesOf(annotations, rateHz, beats.at(-1)!) };
  if (cacheFile && cacheFolder) {
    await mkdir(cacheFolder, { recursive: true });
    await writeFile(`${cacheFile}.new`, pack(made));
    await rename(`${cacheFile}.new`, cacheFile);
  }
  return made;
}

/** A person's windows out of the times of beats, ms. */
export function windowsOfBeats(beatsMs: ArrayLike<number>): Omit<AnomalyRecord, 'database' | 'record' | 'episodes'> {
  const most = Math.ceil(beatsMs.length / ANOMALY_EVERY_BEATS) + 1;
  const features = new Float32Array(most * FEATURE_COUNT);
  const tMs = new Float64Array(most);
  const startMs = new Float64Array(most);
  const spanMs = new Float32Array(most);
  let count = 0;
  const windows = new AnomalyWindows({
    everyBeats: ANOMALY_EVERY_BEATS,
    onWindow(vector, at, from, span) {
      features.set(vector, count * FEATURE_COUNT);
      tMs[count] = at;
      startMs[count] = from;
      spanMs[count] = span;
      count++;
    },
  });
  const cleaner = new RrCleaner();
  for (let i = 1; i < beatsMs.length; i++) {
    const { rrMs, usable } = cleaner.push(beatsMs[i]! - beatsMs[i - 1]!);
    if (usable) windows.push(rrMs, beatsMs[i]!);
    else windows.skip();
  }
  return {
    count,
    features: features.slice(0, count * FEATURE_COUNT),
    tMs: tMs.slice(0, count),
    startMs: startMs.slice(0, count),
    spanMs: spanMs.slice(0, count),
    durationMs: (beatsMs[beatsMs.length - 1] ?? 0) - (beatsMs[0] ?? 0),
  };
}

function episodesOf(annotations: readonly Annotation[], rateHz: number, endMs: number): AnomalyEpisode[] {
  const changes = annotations.filter(({ symbol, aux }) => symbol === '+' && aux.startsWith('('));
  return changes.flatMap(({ aux, sample }, i) => {
    const name = aux.replaceAll('\0', '').trim();
    const kind = KINDS.find(([pattern]) => pattern.test(name))?.[1];
    const next = changes[i + 1];
    const startMs = (sample * 1000) / rateHz;
    return kind ? [{ kind, startMs, endMs: next ? (next.sample * 1000) / rateHz : endMs }] : [];
  });
}

let fingerprint = '';

/** Changes whenever cleaning or windows do: a hash of what they make of a fixed row of beats. */
function codeFingerprint(): string {
  if (fingerprint) return fingerprint;
  const beats: number[] = [0];
  for (let k = 0; k < 1500; k++) {
    beats.push(
      beats.at(-1)! + 800 + 160 * Math.sin(k / 9) + ((k * 7919) % 31) + (k % 97 === 5 ? 840 : k % 41 === 3 ? -420 : 0),
    );
  }
  const { features, tMs } = windowsOfBeats(beats);
  fingerprint = createHash('sha256').update(features).update(tMs).digest('hex').slice(0, 12);
  return fingerprint;
}

function pack({ features, tMs, startMs, spanMs, ...rest }: AnomalyRecord): Uint8Array {
  const head = Buffer.from(JSON.stringify(rest));
  const length = Buffer.alloc(4);
  length.writeUInt32LE(head.length);
  return Buffer.concat([length, head, ...[tMs, startMs, features, spanMs].map((v) => new Uint8Array(v.buffer))]);
}

function unpack(bytes: Buffer): AnomalyRecord {
  let at = 4 + bytes.readUInt32LE();
  const rest = JSON.parse(bytes.subarray(4, at).toString());
  const take = (length: number) => {
    at += length;
    return new Uint8Array(bytes.subarray(at - length, at)).buffer;
  };
  const { count } = rest;
  return {
    ...rest,
    tMs: new Float64Array(take(8 * count)),
    startMs: new Float64Array(take(8 * count)),
    features: new Float32Array(take(4 * count * FEATURE_COUNT)),
    spanMs: new Float32Array(take(4 * count)),
  };
}

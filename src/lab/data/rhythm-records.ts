import { createHash } from 'node:crypto';
import { mkdir, readFile, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { RHYTHM_BEATS, RHYTHM_HOLE_MS, rhythmIntervalS } from '../../inference/windows/rhythm-rr.js';
import { RrCleaner } from '../../signal/rr.js';
import { LabError } from '../error.js';
import { type Annotation, aamiClass, isBeatSymbol, readAnnotationFile, readHeader } from '../wfdb/index.js';

/** What the reference says of the rhythm at a beat. */
export const OTHER = 0;
export const AF = 1;
export const FLUTTER = 2;
/** Before the first rhythm annotation nothing is known. */
export const UNLABELLED = 3;

/** A stretch of annotated rhythm, ms from the record's start. */
export interface RhythmEpisode {
  readonly label: typeof AF | typeof FLUTTER;
  readonly startMs: number;
  readonly endMs: number;
}

/** The RR intervals of one record as the rhythm model will see them: cleaned, gaps left out. */
export interface RhythmRecord {
  readonly database: string;
  readonly record: string;
  readonly count: number;
  readonly rrMs: Float32Array;
  /** Time of the beat that ends the interval. */
  readonly tMs: Float64Array;
  /** OTHER, AF, FLUTTER or UNLABELLED at that beat. */
  readonly labels: Uint8Array;
  /** 1 where the beat is annotated as ectopic (S or V of AAMI EC57). */
  readonly ectopic: Uint8Array;
  /** How many intervals, this one included, belong to one stretch without a long hole; counts no further than 60. */
  readonly unbroken: Uint8Array;
  readonly episodes: readonly RhythmEpisode[];
  /** From the first to the last beat. */
  readonly durationMs: number;
}

/** Where a database keeps its beats and its rhythm, and its tick rate where it has no header. */
const LAYOUT: Readonly<Record<string, { beats: string; rhythm: string | null; rateHz?: number }>> = {
  ltafdb: { beats: 'atr', rhythm: 'atr' },
  nsr2db: { beats: 'ecg', rhythm: null },
  afdb: { beats: 'qrs', rhythm: 'atr', rateHz: 250 },
  mitdb: { beats: 'atr', rhythm: 'atr' },
};

/**
 * Reads a record's annotations and runs its beats through the daemon's own cleaning.
 * @param folder of the database, named as the database is
 * @param cacheFolder where the result is kept between runs; null keeps nothing
 * @throws LabError for a database whose layout is not known
 */
export async function loadRhythmRecord(
  folder: string,
  record: string,
  cacheFolder: string | null,
): Promise<RhythmRecord> {
  const database = folder.split('/').at(-1)!;
  const layout = LAYOUT[database];
  if (!layout) throw new LabError(`${folder}: rhythm is read of ${Object.keys(LAYOUT).join(', ')}`);
  const cacheFile = cacheFolder && join(cacheFolder, `${database}-${record}-${codeFingerprint()}.rhythm`);
  if (cacheFile) {
    const cached = await readFile(cacheFile).catch(() => null);
    if (cached) return unpack(database, record, cached);
  }
  const beatFile = await readAnnotationFile(join(folder, `${record}.${layout.beats}`));
  const beats = beatFile.annotations.filter(({ symbol }) => isBeatSymbol(symbol));
  const rhythm =
    layout.rhythm === null
      ? null
      : layout.rhythm === layout.beats
        ? beatFile.annotations
        : (await readAnnotationFile(join(folder, `${record}.${layout.rhythm}`))).annotations;
  const rateHz = layout.rateHz ?? (await readHeader(join(folder, record))).rateHz;
  const made = { database, record, ...rhythmArrays(beats, rhythm, rateHz) };
  if (cacheFile && cacheFolder) {
    await mkdir(cacheFolder, { recursive: true });
    await writeFile(`${cacheFile}.new`, pack(made));
    await rename(`${cacheFile}.new`, cacheFile);
  }
  return made;
}

/**
 * Cleans beats into intervals, with the reference's word on each.
 * @param beats annotations of beats alone, in order
 * @param rhythm annotations that hold the rhythm changes; null: the whole record is normal rhythm
 */
export function rhythmArrays(
  beats: readonly Annotation[],
  rhythm: readonly Annotation[] | null,
  rateHz: number,
): Omit<RhythmRecord, 'database' | 'record'> {
  const changes = (rhythm ?? []).filter(({ symbol, aux }) => symbol === '+' && aux.startsWith('('));
  const rrMs = new Float32Array(beats.length);
  const tMs = new Float64Array(beats.length);
  const labels = new Uint8Array(beats.length);
  const ectopic = new Uint8Array(beats.length);
  const unbroken = new Uint8Array(beats.length);
  const cleaner = new RrCleaner();
  let count = 0;
  let change = -1;
  for (let beat = 1; beat < beats.length; beat++) {
    const { sample, symbol } = beats[beat]!;
    const timeMs = (sample * 1000) / rateHz;
    while (change + 1 < changes.length && changes[change + 1]!.sample <= sample) change++;
    const cleaned = cleaner.push(((sample - beats[beat - 1]!.sample) * 1000) / rateHz);
    if (!cleaned.usable || Number.isNaN(rhythmIntervalS(cleaned.rrMs))) continue;
    rrMs[count] = cleaned.rrMs;
    tMs[count] = timeMs;
    labels[count] = rhythm === null ? OTHER : change < 0 ? UNLABELLED : labelOf(changes[change]!.aux);
    const aami = aamiClass(symbol);
    ectopic[count] = aami === 'S' || aami === 'V' ? 1 : 0;
    const whole = count > 0 && timeMs - tMs[count - 1]! <= RHYTHM_HOLE_MS;
    unbroken[count] = whole ? Math.min(RHYTHM_BEATS, unbroken[count - 1]! + 1) : 1;
    count++;
  }
  const endMs = ((beats.at(-1)?.sample ?? 0) * 1000) / rateHz;
  return {
    count,
    rrMs: rrMs.slice(0, count),
    tMs: tMs.slice(0, count),
    labels: labels.slice(0, count),
    ectopic: ectopic.slice(0, count),
    unbroken: unbroken.slice(0, count),
    episodes: episodesOf(changes, rateHz, endMs),
    durationMs: endMs - ((beats[0]?.sample ?? 0) * 1000) / rateHz,
  };
}

/** What the rhythm annotations say at some times (ms, ascending), and the episodes they make. */
export function rhythmAt(rhythm: readonly Annotation[], rateHz: number, timesMs: ArrayLike<number>, endMs: number) {
  const changes = rhythm.filter(({ symbol, aux }) => symbol === '+' && aux.startsWith('('));
  const labels = new Uint8Array(timesMs.length);
  let change = -1;
  for (let i = 0; i < timesMs.length; i++) {
    while (change + 1 < changes.length && (changes[change + 1]!.sample * 1000) / rateHz <= timesMs[i]!) change++;
    labels[i] = change < 0 ? UNLABELLED : labelOf(changes[change]!.aux);
  }
  return { labels, episodes: episodesOf(changes, rateHz, endMs) };
}

function labelOf(aux: string): number {
  return aux.startsWith('(AFIB') ? AF : aux.startsWith('(AFL') ? FLUTTER : OTHER;
}

function episodesOf(changes: readonly Annotation[], rateHz: number, endMs: number): RhythmEpisode[] {
  const episodes: { label: typeof AF | typeof FLUTTER; startMs: number; endMs: number }[] = [];
  changes.forEach(({ aux, sample }, i) => {
    const label = labelOf(aux);
    if (label !== AF && label !== FLUTTER) return;
    const startMs = (sample * 1000) / rateHz;
    const next = changes[i + 1];
    const untilMs = next ? (next.sample * 1000) / rateHz : endMs;
    const last = episodes.at(-1);
    // The same rhythm said twice is one episode.
    if (last && last.label === label && last.endMs === startMs) last.endMs = untilMs;
    else episodes.push({ label, startMs, endMs: untilMs });
  });
  return episodes;
}

let fingerprint = '';

/** Changes whenever the cleaning does: a hash of what it makes of a fixed row of beats. */
function codeFingerprint(): string {
  if (fingerprint) return fingerprint;
  const beats: Annotation[] = [];
  for (let k = 0, sample = 0; k < 2000; k++) {
    sample += Math.round(
      200 + 40 * Math.sin(k / 9) + ((k * 7919) % 31) + (k % 97 === 5 ? 210 : k % 41 === 3 ? -130 : 0),
    );
    if (k % 503 === 502) sample += 60_000;
    beats.push({ sample, symbol: 'N', subtype: 0, chan: 0, num: 0, aux: '' });
  }
  const { rrMs, tMs, unbroken } = rhythmArrays(beats, null, 250);
  fingerprint = createHash('sha256').update(rrMs).update(tMs).update(unbroken).digest('hex').slice(0, 12);
  return fingerprint;
}

function pack({ count, rrMs, tMs, labels, ectopic, unbroken, episodes, durationMs }: RhythmRecord): Uint8Array {
  const text = Buffer.from(JSON.stringify({ count, episodes, durationMs }));
  const head = Buffer.alloc(4);
  head.writeUInt32LE(text.length);
  return Buffer.concat([
    head,
    text,
    new Uint8Array(tMs.buffer, tMs.byteOffset, tMs.byteLength),
    new Uint8Array(rrMs.buffer, rrMs.byteOffset, rrMs.byteLength),
    labels,
    ectopic,
    unbroken,
  ]);
}

function unpack(database: string, record: string, bytes: Uint8Array): RhythmRecord {
  const textLength = Buffer.from(bytes.buffer, bytes.byteOffset, 4).readUInt32LE();
  const { count, episodes, durationMs } = JSON.parse(
    Buffer.from(bytes.buffer, bytes.byteOffset + 4, textLength).toString(),
  ) as Pick<RhythmRecord, 'count' | 'episodes' | 'durationMs'>;
  let at = 4 + textLength;
  // Copied out, so that the views are aligned.
  const take = (length: number) => {
    at += length;
    return new Uint8Array(bytes.buffer, bytes.byteOffset + at - length, length).slice();
  };
  const tMs = new Float64Array(take(8 * count).buffer);
  const rrMs = new Float32Array(take(4 * count).buffer);
  const [labels, ectopic, unbroken] = [take(count), take(count), take(count)];
  return { database, record, count, rrMs, tMs, labels, ectopic, unbroken, episodes, durationMs };
}

import { access, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { type ReferenceBeats, referenceBeats } from '../evaluation/beat-match.js';
import { readAnnotations, readRecord } from '../wfdb/index.js';

/** A record with its reference beats, as the beat detector is trained and judged on. */
export interface BeatRecord {
  readonly database: string;
  readonly name: string;
  readonly rateHz: number;
  readonly signals: readonly Float32Array[];
  readonly reference: ReferenceBeats;
}

/** Names of a database's records that have signals and annotations, in order. */
export async function beatRecordNames(folder: string): Promise<string[]> {
  const files = new Set(await readdir(folder));
  return [...files]
    .filter((file) => file.endsWith('.atr') && files.has(file.replace('.atr', '.dat')))
    .map((file) => file.slice(0, -4))
    .sort();
}

/**
 * Reads one record.
 * @param dataDir folder of the databases, as `slothd data` lays them out
 * @throws WfdbError when the record cannot be read
 */
export async function readBeatRecord(dataDir: string, database: string, name: string): Promise<BeatRecord> {
  const path = join(dataDir, database, name);
  const { rateHz, signals } = await readRecord(path);
  return {
    database,
    name,
    rateHz,
    signals: signals.map((signal) => signal.samples),
    reference: referenceBeats(await readAnnotations(await annotationFileOf(path)), rateHz),
  };
}

export async function readBeatRecords(dataDir: string, database: string): Promise<BeatRecord[]> {
  const names = await beatRecordNames(join(dataDir, database));
  const records: BeatRecord[] = [];
  for (const name of names) records.push(await readBeatRecord(dataDir, database, name));
  return records;
}

/** nstdb's -6 dB record is stored without annotations: its beats are 118e00's (made from the same record). */
async function annotationFileOf(path: string): Promise<string> {
  const own = `${path}.atr`;
  const present = await access(own).then(
    () => true,
    () => false,
  );
  return present ? own : path.replace('118e_6', '118e00').concat('.atr');
}

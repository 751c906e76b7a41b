import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type AnomalyRecord, loadAnomalyRecord, windowsOfBeats } from '../../data/anomaly-records.js';
import { LabDataError } from '../../data/find.js';

export interface AnomalyDataOptions {
  /** Folder that holds nsr2db/ (training), ltafdb/, mitdb/ and mmash/ (evaluation). */
  readonly dataFolder: string;
  readonly cacheFolder: string | null;
  onProgress?(done: number, of: number, what: string): void;
}

/** nsr2db: normal sinus rhythm of 54 people, about a day each. All that training may see. */
export function loadNormal(options: AnomalyDataOptions): Promise<AnomalyRecord[]> {
  return loadAll('nsr2db', 'ecg', options, () => true);
}

/** Every other person of ltafdb, and mitdb: never trained on, and no setting is chosen on them. */
export async function loadPatients(options: AnomalyDataOptions): Promise<AnomalyRecord[]> {
  return [
    ...(await loadAll('ltafdb', 'atr', options, (i) => i % 2 === 0)),
    ...(await loadAll('mitdb', 'atr', options, () => true)),
  ];
}

/** mmash: healthy people's chest straps, with their junk. */
export async function loadStraps({ dataFolder }: AnomalyDataOptions): Promise<AnomalyRecord[]> {
  const folder = join(dataFolder, 'mmash');
  const users = (await readdir(folder).catch(() => [])).filter((name) => name.startsWith('user_')).sort();
  const records: AnomalyRecord[] = [];
  for (const user of users) {
    const text = await readFile(join(folder, user, 'RR.csv'), 'utf8');
    const beats: number[] = [];
    let tMs = 0;
    for (const line of text.split('\n').slice(1)) {
      const rrS = Number(line.split(',')[1]);
      if (!(rrS > 0)) continue;
      tMs += rrS * 1000;
      beats.push(tMs);
    }
    records.push({ database: 'mmash', record: user, ...windowsOfBeats(beats), episodes: [] });
  }
  return records;
}

async function loadAll(
  database: string,
  extension: string,
  options: AnomalyDataOptions,
  wanted: (index: number) => boolean,
): Promise<AnomalyRecord[]> {
  const folder = join(options.dataFolder, database);
  const files = (await readdir(folder).catch(() => [])).filter((file) => file.endsWith(`.${extension}`)).sort();
  const names = files.filter((_, i) => wanted(i)).map((file) => file.slice(0, -4));
  if (names.length === 0) {
    throw new LabDataError(`there are no recordings in ${folder}: \`slothd data get ${database}\` downloads them`);
  }
  const records: AnomalyRecord[] = [];
  for (const name of names) {
    records.push(await loadAnomalyRecord(folder, name, extension, options.cacheFolder));
    options.onProgress?.(records.length, names.length, `${database}/${name}`);
  }
  return records;
}

/** For each person of nsr2db the fold that tests it. */
export const FOLDS = 3;

import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type AnomalyRecord, loadAnomalyRecord, windowsOfBeats } from '../../data/anomaly-records.js';
import { LabDataError } from '../../data/find.js';

export interface AnomalyDataOptions {
  /** Folder that holds nsr2db/ (training), ltafdb/ and mmash/ (choices and test) and mitdb/ (test). */
  readonly dataFolder: string;
  readonly cacheFolder: string | null;
  onProgress?(done: number, of: number, what: string): void;
}

const isKeptForTest = (i: number) => i % 4 === 3;
const isEven = (i: number) => i % 2 === 0;

/** nsr2db: normal sinus rhythm of 54 people, about a day each. Three quarters of them are all that training may see. */
export function loadNormal(options: AnomalyDataOptions): Promise<AnomalyRecord[]> {
  return loadAll('nsr2db', 'ecg', options, (i) => !isKeptForTest(i));
}

/** People that settings are chosen on, and nothing is trained on: half of ltafdb, half of mmash. */
export async function loadValidation(options: AnomalyDataOptions): Promise<AnomalyRecord[]> {
  return [
    ...(await loadAll('ltafdb', 'atr', options, (i) => !isEven(i))),
    ...(await loadStraps(options, (i) => !isEven(i))),
  ];
}

/** People that are looked at once, at the end: the rest of nsr2db, ltafdb and mmash, and mitdb. */
export async function loadTest(options: AnomalyDataOptions): Promise<AnomalyRecord[]> {
  return [
    ...(await loadAll('nsr2db', 'ecg', options, isKeptForTest)),
    ...(await loadAll('ltafdb', 'atr', options, isEven)),
    ...(await loadAll('mitdb', 'atr', options, () => true)),
    ...(await loadStraps(options, isEven)),
  ];
}

/** mmash: healthy people's chest straps, with their junk. */
async function loadStraps(
  { dataFolder }: AnomalyDataOptions,
  wanted: (index: number) => boolean,
): Promise<AnomalyRecord[]> {
  const folder = join(dataFolder, 'mmash');
  const all = (await readdir(folder).catch(() => [])).filter((name) => name.startsWith('user_')).sort();
  // By their number, so that the split is the same however many of them are there.
  const users = all.filter((name) => wanted(Number(name.slice(5)) - 1));
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

import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { LabDataError } from '../../data/find.js';
import { filtered, loadShockableRecord, NOISE, OTHER, type ShockableRecord } from '../../data/shockable-records.js';
import { readSplit, shippedSplitFile } from '../../data/split-file.js';
import { readRecord } from '../../wfdb/index.js';

export interface ShockableDataOptions {
  /** Folder that holds vfdb/, svdb/ and nstdb/ (training), mitdb/ and cinc2017/ (test). */
  readonly dataFolder: string;
  /** Where prepared records are kept between runs; null keeps nothing. */
  readonly cacheFolder: string | null;
  onProgress?(done: number, of: number, what: string): void;
}

/** All that training, calibration and choices may see. */
export interface ShockableTrainingData {
  /** vfdb and svdb. */
  readonly records: readonly ShockableRecord[];
  /** nstdb's baseline wander and muscle noise at 125 Hz, to be added to windows. */
  readonly noise: readonly Float32Array[];
}

export async function loadTrainingData(options: ShockableDataOptions): Promise<ShockableTrainingData> {
  const records = [
    ...(await loadAll('vfdb', 'hea', null, options)),
    // No rhythm is annotated in svdb; it holds none of these.
    ...(await loadAll('svdb', 'hea', OTHER, options)),
  ];
  return { records, noise: await loadNoise(options) };
}

/** mitdb (24 h of beats) and cinc2017's noisy recordings, for the final evaluation and nothing else. */
export async function loadTestRecords(options: ShockableDataOptions): Promise<ShockableRecord[]> {
  return [...(await loadAll('mitdb', 'hea', null, options)), ...(await loadNoiseRecordings(options))];
}

async function loadNoise({ dataFolder }: ShockableDataOptions): Promise<Float32Array[]> {
  const channels: Float32Array[] = [];
  for (const name of ['bw', 'ma']) {
    const { signals, rateHz } = await readRecord(join(dataFolder, 'nstdb', name)).catch((error: Error) => {
      throw new LabDataError(`${error.message}: \`slothd data get nstdb\` downloads the noise to train with`);
    });
    for (const { samples } of signals) channels.push(filtered(samples, rateHz));
  }
  return channels;
}

/** cinc2017's recordings that its annotators called too noisy. */
async function loadNoiseRecordings(options: ShockableDataOptions): Promise<ShockableRecord[]> {
  const { readFile } = await import('node:fs/promises');
  const folder = join(options.dataFolder, 'cinc2017');
  const reference = await readFile(join(folder, 'REFERENCE.csv'), 'utf8').catch(() => '');
  const present = new Set(await readdir(folder).catch(() => []));
  const records: ShockableRecord[] = [];
  for (const line of reference.split('\n')) {
    const [name, label] = line.trim().split(',');
    if (label !== '~' || !present.has(`${name}.hea`)) continue;
    records.push(await loadShockableRecord(folder, name!, NOISE, options.cacheFolder));
  }
  return records;
}

async function loadAll(
  database: string,
  extension: string,
  everything: typeof OTHER | null,
  options: ShockableDataOptions,
): Promise<ShockableRecord[]> {
  const folder = join(options.dataFolder, database);
  const files = await readdir(folder).catch(() => []);
  const names = files.filter((file) => file.endsWith(`.${extension}`)).map((file) => file.slice(0, -4));
  if (names.length === 0) {
    throw new LabDataError(`there are no recordings in ${folder}: \`slothd data get ${database}\` downloads them`);
  }
  const records: ShockableRecord[] = [];
  for (const name of names.sort()) {
    records.push(await loadShockableRecord(folder, name, everything, options.cacheFolder));
    options.onProgress?.(records.length, names.length, `${database}/${name}`);
  }
  return records;
}

/** The fold of each record of vfdb, as `config/splits/shockable-ecg.json` deals them. */
const FOLD_OF = new Map(
  Object.values(readSplit(shippedSplitFile('shockable-ecg')).parts).flatMap((records, fold) =>
    records.map((record) => [record, fold] as const),
  ),
);

/**
 * For each record the fold that tests it. Records of svdb train in every fold but the one they are dealt to, so that
 * their false alarms are those of people not trained on, too.
 */
export function foldsOf(records: readonly ShockableRecord[]): number[] {
  let others = 0;
  return records.map(({ database, record }) => FOLD_OF.get(`${database}/${record}`) ?? others++ % FOLDS);
}

export const FOLDS = 5;

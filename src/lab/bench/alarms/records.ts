import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { HEALTH_KINDS } from '../../../domain/alert.js';
import { detectBeats } from '../../beats/run.js';
import { findDatabase } from '../../data/find.js';
import { MITDB_DS1, MITDB_DS2 } from '../../data/splits.js';
import { readAnnotationFile, readHeader, readRecord } from '../../wfdb/index.js';
import { type NoiseHalf, NoisyRecords } from './noise.js';
import { spansFasterThan } from './repeat-rate.js';
import { limits, NEAR_BPM, type ReferenceBeat, referenceBeatsOf, type Truth, truthOf, truthOfRhythm } from './truth.js';

/** One run of `slothd replay` and how its answer is judged. */
export interface Task {
  readonly database: string;
  readonly record: string;
  /** Arguments of `slothd replay`. */
  readonly args: readonly string[];
  /** Seconds of recording, as far as known beforehand: for the progress line. */
  readonly guessS: number;
  /** Noise was added to it. */
  readonly noisy?: true;
  truth(): Promise<Truth>;
  /** Writes the record, where it is made for the occasion, and takes it away again. */
  make?(): Promise<void>;
  remove?(): void;
}

interface Database {
  readonly about: string;
  /** Databases it is made of; left out: its own. */
  readonly madeOf?: readonly string[];
  /** Played only when named. */
  readonly onlyNamed?: true;
  tasks(folder: string): Task[];
}

const NONE = { right: {}, episodes: {}, judged: new Set(HEALTH_KINDS) };

function namesIn(folder: string, pattern: RegExp): string[] {
  return readdirSync(folder)
    .flatMap((name) => pattern.exec(name)?.[1] ?? [])
    .sort();
}

async function annotatedTruth(folder: string, record: string, rhythm: boolean): Promise<Truth> {
  const header = await readHeader(join(folder, record));
  const own = join(folder, `${record}.atr`);
  // 118e_6 comes without: its beats are those of every other copy of 118.
  const { annotations } = await readAnnotationFile(existsSync(own) ? own : join(folder, '118e00.atr'));
  const endS = (header.lengthSamples ?? annotations.at(-1)!.sample) / header.rateHz;
  const beats = referenceBeatsOf(annotations, header.rateHz);
  const options = { rateHz: header.rateHz, endS, signal: true, afJudged: rhythm };
  return truthOf(beats, rhythm ? annotations : null, options);
}

/** ECG with annotated beats (and, where `rhythm`, rhythms). */
const ecg =
  (database: string, pattern: RegExp, rhythm: boolean, noisy = false) =>
  (folder: string): Task[] =>
    namesIn(folder, pattern).map((record) => ({
      database,
      record,
      args: [join(folder, record)],
      guessS: 1800,
      ...(noisy ? { noisy } : {}),
      truth: () => annotatedTruth(folder, record, rhythm),
    }));

/** Signal-to-noise ratios of the added noise, dB. */
const SNRS_DB = [12, 6, 0];

/** mitdb with one half of nstdb's noise added; what is right is what the clean record's annotations say. */
const withNoise =
  (database: string, records: readonly string[], half: NoiseHalf) =>
  (folder: string): Task[] => {
    const noisy = new NoisyRecords(dirname(folder));
    return SNRS_DB.flatMap((snrDb) =>
      records.map(
        (record, turn): Task => ({
          database: `${database} ${snrDb} dB`,
          record,
          get args() {
            return [noisy.pathOf(record, half, snrDb)];
          },
          guessS: 1800,
          noisy: true,
          truth: () => annotatedTruth(folder, record, true),
          make: () => noisy.make(record, half, snrDb, turn),
          remove: () => noisy.remove(record, half, snrDb),
        }),
      ),
    );
  };

/** Beats without a signal. */
const beatsAlone =
  (
    database: string,
    beatFile: string,
    rhythmFile: string | null,
    options: { rateHz?: number; normal: boolean; guessS: number },
  ) =>
  (folder: string): Task[] =>
    namesIn(folder, new RegExp(`^(\\w+)\\.${beatFile}$`)).map((record) => ({
      database,
      record,
      args: [join(folder, `${record}.${beatFile}`), ...(options.rateHz ? ['--rate', String(options.rateHz)] : [])],
      guessS: options.guessS,
      async truth() {
        const rateHz = options.rateHz ?? (await readHeader(join(folder, record))).rateHz;
        const beats = referenceBeatsOf(
          (await readAnnotationFile(join(folder, `${record}.${beatFile}`))).annotations,
          rateHz,
        );
        const rhythm = rhythmFile
          ? (await readAnnotationFile(join(folder, `${record}.${rhythmFile}`))).annotations
          : null;
        return truthOf(beats, rhythm, {
          rateHz,
          endS: beats.at(-1)?.tS ?? 0,
          signal: false,
          afJudged: true,
          normalByDatabase: options.normal,
        });
      },
    }));

function vfdb(folder: string): Task[] {
  return namesIn(folder, /^(\d+)\.hea$/).map((record) => ({
    database: 'vfdb',
    record,
    args: [join(folder, record)],
    guessS: 2100,
    async truth() {
      const header = await readHeader(join(folder, record));
      const { annotations } = await readAnnotationFile(join(folder, `${record}.atr`));
      return truthOfRhythm(annotations, header.rateHz, (header.lengthSamples ?? 0) / header.rateHz);
    },
  }));
}

/** The label N is of the rhythm and says nothing of its rate: a sinus tachycardia is N, too. */
async function fastByItself(record: string): Promise<Truth['right']> {
  const { rateHz, signals } = await readRecord(record);
  const above = (limitBpm: number) => spansFasterThan(limitBpm - NEAR_BPM, signals[0]!.samples, rateHz);
  return {
    'extreme-tachycardia': above(limits['extreme-tachycardia'].aboveBpm),
    tachycardia: above(limits.tachycardia.aboveBpm),
  };
}

/** N: every health alert is false, but that of a rate which the signal bears out by itself. ~ (too noisy for three cardiologists): as well. A and O: what else is there is not said. */
function cinc2017(folder: string): Task[] {
  const labels = readFileSync(join(folder, 'REFERENCE.csv'), 'utf8').trim().split('\n');
  const tasks = labels.flatMap((line) => {
    const [record, label] = line.trim().split(',') as [string, string];
    if (!statSync(join(folder, `${record}.hea`), { throwIfNoEntry: false })) return [];
    const database = `cinc2017 ${label}`;
    return {
      database,
      record,
      args: [join(folder, record)],
      guessS: 30,
      async truth(): Promise<Truth> {
        const header = await readHeader(join(folder, record));
        const hours = (header.lengthSamples ?? 0) / header.rateHz / 3600;
        const certain = label === 'N' || label === '~';
        const right = label === 'N' ? await fastByItself(join(folder, record)) : {};
        return { ...NONE, right, hours, normal: label === 'N', judged: certain ? NONE.judged : new Set() };
      },
    };
  });
  // Of one label together: they share a process.
  return tasks.sort((a, b) => a.database.localeCompare(b.database));
}

const clockS = (text: string) => text.split(':').reduce((sum, part) => sum * 60 + Number(part), 0);

/** A day of chest-strap intervals; rates are judged by what the strap's own watch wrote down each second. */
function mmash(folder: string): Task[] {
  return namesIn(folder, /^(user_\d+)$/).map((user) => {
    const file = join(folder, user, 'RR.csv');
    return {
      database: 'mmash',
      record: user,
      args: [file],
      guessS: 86_400,
      async truth(): Promise<Truth> {
        const startS = clockS(readFileSync(file, 'utf8').split('\n')[1]!.split(',')[3]!);
        const rows = readFileSync(join(folder, user, 'Actigraph.csv'), 'utf8')
          .trim()
          .split('\n');
        const names = rows[0]!.split(',');
        const [hr, day, time] = ['HR', 'day', 'time'].map((name) => names.indexOf(name)) as [number, number, number];
        // The watch's rate as evenly spaced beats: what a rate rule would have seen from it.
        const beats: ReferenceBeat[] = [];
        let lastS = 0;
        for (const row of rows.slice(1)) {
          const cells = row.split(',');
          lastS = (Number(cells[day]) - 1) * 86_400 + clockS(cells[time]!) - startS;
          const stepS = 60 / Number(cells[hr]);
          if (!(stepS < 3)) continue;
          let at = Math.max(lastS, (beats.at(-1)?.tS ?? lastS - stepS) + stepS);
          for (; at < lastS + 1; at += stepS) beats.push({ tS: at, aami: null });
        }
        const options = { rateHz: 1, endS: lastS, signal: false, afJudged: true, normalByDatabase: true };
        // The watch is a reference for what is right, too coarse a one for what must be found.
        return { ...truthOf(beats, null, options), episodes: {} };
      },
    };
  });
}

/** Chest ECG and wrist pleth while cycling and walking; both are judged by our own beats of the chest ECG. */
function wrist(folder: string): Task[] {
  return namesIn(folder, /^(\w+)\.csv$/).flatMap((record) =>
    ['chest_ecg', 'wrist_ppg'].map((signal) => ({
      database: `wrist ${signal.slice(-3)}`,
      record,
      args: [join(folder, `${record}.csv`), '--signal', signal],
      guessS: 60,
      async truth(): Promise<Truth> {
        const rows = readFileSync(join(folder, `${record}.csv`), 'utf8')
          .trim()
          .split('\n')
          .slice(1);
        const samples = Float32Array.from(rows, (row) => Number(row.split(',')[1]));
        const beats = detectBeats(samples, 256).samples.map((sample) => ({ tS: sample / 256, aami: null }));
        const endS = samples.length / 256;
        const options = { rateHz: 256, endS, signal: false, afJudged: true, normalByDatabase: true };
        return { ...truthOf(beats, null, options), episodes: {} };
      },
    })),
  );
}

export const DATABASES: Readonly<Record<string, Database>> = {
  mitdb: { about: 'ECG, beats and rhythm annotated', tasks: ecg('mitdb', /^(\d+)\.hea$/, true) },
  svdb: { about: 'ECG, beats annotated', tasks: ecg('svdb', /^(\d+)\.hea$/, false) },
  nstdb: { about: 'ECG of one person with noise added', tasks: ecg('nstdb', /^(118e\w+)\.hea$/, true, true) },
  noise: {
    about: 'mitdb DS2 with the second halves of nstdb noise added: figures in noise that nothing was chosen on',
    madeOf: ['mitdb', 'nstdb'],
    tasks: withNoise('noise', MITDB_DS2, 'second'),
  },
  'noise-ds1': {
    about: 'mitdb DS1 with the first halves: what the limits were chosen on',
    madeOf: ['mitdb', 'nstdb'],
    onlyNamed: true,
    tasks: withNoise('noise-ds1', MITDB_DS1, 'first'),
  },
  vfdb: { about: 'ECG, rhythm annotated', tasks: vfdb },
  cinc2017: { about: 'hand-held ECG of half a minute, labelled whole', tasks: cinc2017 },
  wrist: { about: 'ECG and wrist pleth in sport', tasks: wrist },
  mmash: { about: 'chest-strap intervals of a day', tasks: mmash },
  afdb: {
    about: 'beats alone, rhythm annotated',
    tasks: beatsAlone('afdb', 'qrs', 'atr', { rateHz: 250, normal: false, guessS: 36_800 }),
  },
  nsr2db: { about: 'beats alone, healthy', tasks: beatsAlone('nsr2db', 'ecg', null, { normal: true, guessS: 85_000 }) },
  ltafdb: {
    about: 'beats alone, rhythm annotated',
    tasks: beatsAlone('ltafdb', 'atr', 'atr', { normal: false, guessS: 86_000 }),
  },
};

/** What is played unless databases are named. */
export const USUAL_DATABASES = Object.keys(DATABASES).filter((name) => !DATABASES[name]!.onlyNamed);

/**
 * All recordings of the named databases that are on this machine; `missing` names those that are not.
 * @param everyOf of a database only every nth record
 */
export function tasksOf(
  names: readonly string[],
  everyOf: (name: string) => number = () => 1,
): { tasks: Task[]; missing: string[] } {
  const missing: string[] = [];
  const tasks = names.flatMap((name) => {
    const { madeOf = [name], tasks: all } = DATABASES[name]!;
    const folders = madeOf.map((one) => findDatabase(one));
    const [folder] = folders;
    // Made records are read from one folder of databases.
    if (folder && folders.every((one) => one && dirname(one) === dirname(folder))) {
      return all(folder).filter((_, i) => i % everyOf(name) === 0);
    }
    missing.push(name);
    return [];
  });
  return { tasks, missing };
}

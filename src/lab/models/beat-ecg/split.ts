import { access } from 'node:fs/promises';
import { basename, join } from 'node:path';
import type { BeatRecord } from '../../data/beat-records.js';
import { LabDataError } from '../../data/find.js';
import { patientsByHeader } from '../../data/patients.js';
import {
  foldsByPatient,
  joinedPatients,
  KNOWN_PATIENTS,
  readSplit,
  type Split,
  sharedPatients,
  shippedSplitFile,
} from '../../data/split-file.js';
import { LabError } from '../../error.js';
import { LABELS } from './network.js';

/** Whom beat-ecg is trained and tested on, as a value that every step is given: slothd's own split, or somebody's. */
export interface BeatSplit {
  /** Somebody's own, as a training and a manifest carry it on; null for the split that slothd's own model was made with. */
  readonly own: Split | null;
  /** Records as `database/record`. */
  readonly train: readonly string[];
  readonly test: readonly string[];
  /** The people trained on, and those tested on, as texts call them. */
  readonly trainTitle: string;
  readonly testTitle: string;
  /** A database of those trained on, as a table calls it. */
  titleOf(database: string): string;
}

/** Folds of a cross-validation where nobody says how many. */
export const DEFAULT_FOLDS = 5;

/** The split that slothd's own model was made with: DS1 and svdb to train on, DS2 to test on. */
export function shippedSplit(): BeatSplit {
  const { parts } = readSplit(shippedSplitFile('beat-ecg'));
  return {
    own: null,
    train: parts.train!,
    test: parts.test!,
    trainTitle: 'DS1 and svdb',
    testTitle: 'MIT-BIH DS2',
    titleOf: (database) => (database === 'mitdb' ? 'DS1' : database),
  };
}

/** Somebody's split, from its file, or from a training or manifest that was made with it; the shipped one where there is none. */
export function beatSplit(own: Split | null | undefined): BeatSplit {
  if (!own) return shippedSplit();
  const train = [...(own.parts.train ?? []), ...foldsOfFile(own).flat()];
  const test = own.parts.test ?? [];
  return {
    ...{ own, train, test },
    trainTitle: `${databasesOf(train).join(', ')} of split '${own.name}'`,
    testTitle: `${test.length} recordings of ${databasesOf(test).join(', ')} of split '${own.name}'`,
    titleOf: (database) => database,
  };
}

/** Names of the databases of some records, in their order. */
export function databasesOf(records: readonly string[]): string[] {
  return [...new Set(records.map((record) => record.split('/')[0]!))];
}

/**
 * Reads a split of somebody's own: what can be told without its recordings is checked.
 * @throws LabDataError: not a split, parts that nobody uses, or one without records to train on or to test on
 */
export function readOwnSplit(file: string): Split {
  const split = readSplit(file);
  const bad = (what: string) => new LabDataError(`${file}: ${what}`);
  const { parts } = split;
  const unknown = Object.keys(parts).find((part) => !/^(train|test|fold-\d+)$/.test(part));
  if (unknown !== undefined) throw bad(`part "${unknown}" is none of "train", "test", and "fold-1" and on`);
  const { train, test } = beatSplit(split);
  if (train.length === 0) throw bad('has no records to train on: a part "train", or "fold-1" and on');
  if (test.length === 0) throw bad('has no records to test on: a part "test", of people who are in no other part');
  const folds = foldsOfFile(split);
  if (parts.train && folds.length > 0)
    throw bad('has a part "train" and folds: records to train on stand in one of both');
  if (folds.length === 1 || folds.some((records) => records.length === 0))
    throw bad('needs two folds at least, none of them empty; or a part "train", which is dealt into folds');
  return { ...split, name: split.name === file ? basename(file, '.json') : split.name };
}

/**
 * Looks at the recordings of somebody's split before anything is read of them: whether they are there, and whose they are, by
 * the file, by their headers, and by what is known of mitdb.
 * @returns the split with all that is known of its people
 * @throws LabDataError that names a missing record, or a person who is in two parts
 */
export async function checkedSplit(file: string, split: Split, dataFolder: string): Promise<Split> {
  const records = Object.values(split.parts).flat();
  for (const record of records) {
    for (const [ending, what] of [
      ['hea', 'the split names it'],
      ['atr', 'a training learns of its annotated beats'],
    ] as const) {
      const path = `${join(dataFolder, record)}.${ending}`;
      await access(path).catch(() => {
        throw new LabDataError(
          `${file}: record ${record}: there is no ${path} (${what}); --data says where recordings are`,
        );
      });
    }
  }
  const patients = joinedPatients([
    ...split.patients,
    ...KNOWN_PATIENTS,
    ...(await patientsByHeader(dataFolder, records)),
  ]);
  const known = { ...split, patients: patients.filter((own) => own.some((record) => records.includes(record))) };
  const [shared] = sharedPatients(known);
  if (shared) {
    const partOf = (record: string) => Object.keys(split.parts).find((part) => split.parts[part]!.includes(record));
    const where = shared.filter(partOf).map((record) => `${record} is in part "${partOf(record)}"`);
    throw new LabDataError(`${file}: one person is in different parts: ${where.join(', ')}; put all of it into one`);
  }
  return known;
}

/** Folds that the split's own file deals. */
function foldsOfFile({ parts }: Split): (readonly string[])[] {
  return Object.entries(parts)
    .filter(([part]) => part.startsWith('fold-'))
    .sort(([a], [b]) => Number(a.slice(5)) - Number(b.slice(5)))
    .map(([, records]) => records);
}

/** How many people some records of a split are of. */
export function peopleIn({ own }: BeatSplit, records: readonly string[]): number {
  const sharing = (own?.patients ?? []).map((group) => group.filter((record) => records.includes(record)).length);
  return records.length - sharing.reduce((sum, count) => sum + Math.max(0, count - 1), 0);
}

/** How many folds a cross-validation has where nobody says it: those of the split's file, else 5 or as many as there are people. */
export function foldCount(split: BeatSplit): number {
  if (!split.own) return DEFAULT_FOLDS;
  return foldsOfFile(split.own).length || Math.min(DEFAULT_FOLDS, peopleIn(split, split.train));
}

/**
 * Folds by patient. Those of the shipped split are dealt as they were when slothd's own model was made; somebody's own are those
 * of its file, or dealt so that nobody is in two.
 * @returns for each record the number of its fold
 * @throws LabError: too few people, or folds that are not those of the split's file
 */
export function foldsOf(split: BeatSplit, records: readonly BeatRecord[], folds = foldCount(split)): number[] {
  if (!split.own) return patientFolds(records, folds);
  const names = records.map(({ database, record }) => `${database}/${record}`);
  const dealt = foldsOfFile(split.own);
  if (folds < 2) throw new LabError('a cross-validation needs two people and two folds; --folds 0 trains without one');
  if (dealt.length === 0) return foldsByPatient(names, folds, { patients: split.own.patients });
  if (folds !== dealt.length)
    throw new LabError(
      `the split '${split.own.name}' has ${dealt.length} folds of its own: ${folds} cannot be made of them`,
    );
  return names.map((name) => dealt.findIndex((own) => own.includes(name)));
}

/** Folds over records of one person each: each record is in the test part of exactly one, every database spread evenly. */
export function patientFolds(records: readonly Pick<BeatRecord, 'database'>[], folds: number): number[] {
  const seen = new Map<string, number>();
  return records.map(({ database }) => {
    const index = seen.get(database) ?? 0;
    seen.set(database, index + 1);
    return index % folds;
  });
}

/**
 * What a training needs of its people, before it begins.
 * @param foldOf the fold of each record; none without a cross-validation
 * @throws LabError that names a class which nobody has, or one fold's people alone
 */
export function needClasses(records: readonly BeatRecord[], foldOf: readonly number[]): void {
  for (const [label, name] of LABELS.entries()) {
    const having = records.flatMap((record, i) =>
      record.classes.includes(label) ? [{ record, fold: foldOf[i] }] : [],
    );
    if (having.length === 0) {
      throw new LabError(
        `no beats of class ${name} to train on: none of the ${records.length} training recordings has one annotated`,
      );
    }
    const folds = new Set(having.map(({ fold }) => fold));
    if (foldOf.length > 0 && folds.size === 1) {
      const names = having.map(({ record }) => `${record.database}/${record.record}`);
      throw new LabError(
        `beats of class ${name} are in one fold alone (${names.join(', ')}): without it there are none to train on; more people who have them are needed, or --folds 0`,
      );
    }
  }
}

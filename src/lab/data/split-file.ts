import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { Random } from '../train/random.js';
import { LabDataError } from './find.js';

/** Which records are for what, as a file: `config/splits/*.json` and anybody's own. */
export interface Split {
  readonly name: string;
  readonly title: string;
  /** Where the split comes from. */
  readonly cite: string;
  /** Records as `database/record`, by part: `train` and `test`, or `fold-1` and on. */
  readonly parts: Readonly<Record<string, readonly string[]>>;
  /** Records of one person, where somebody has several. */
  readonly patients: readonly (readonly string[])[];
}

/** The splits that slothd's own models were made with. */
export const SHIPPED_SPLITS = ['beat-ecg', 'shockable-ecg'] as const;

/** The file of a shipped split. */
export function shippedSplitFile(name: (typeof SHIPPED_SPLITS)[number]): string {
  return fileURLToPath(new URL(`../../../config/splits/${name}.json`, import.meta.url));
}

/** @throws LabDataError: no such file, not a split, or a record in two parts */
export function readSplit(file: string): Split {
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch (error) {
    throw new LabDataError(`${file}: cannot be read (${(error as NodeJS.ErrnoException).code ?? String(error)})`);
  }
  return parseSplit(file, text);
}

/** The text of a split, checked. `file` is only for the messages. */
export function parseSplit(file: string, text: string): Split {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw new LabDataError(`${file}: is not JSON (${(error as Error).message})`);
  }
  return splitFrom(file, value);
}

/** A split as JSON gave it, checked. `file` is only for the messages. */
export function splitFrom(file: string, value: unknown): Split {
  const bad = (what: string) => new LabDataError(`${file}: ${what}`);
  const split = value as Partial<Split> | null;
  const { name = file, title = '', cite = '', parts, patients = [] } = split ?? {};
  if (typeof parts !== 'object' || parts === null) throw bad('is not a split: it has no "parts"');
  const partOf = new Map<string, string>();
  for (const [part, records] of Object.entries(parts)) {
    if (!isListOfRecords(records)) throw bad(`part "${part}" is not a list of records such as "mitdb/100"`);
    for (const record of records) {
      const other = partOf.get(record);
      if (other !== undefined) throw bad(`record ${record} is in part "${other}" and in part "${part}"`);
      partOf.set(record, part);
    }
  }
  if (!Array.isArray(patients) || !patients.every(isListOfRecords))
    throw bad('"patients" is not a list of lists of records');
  return { name, title, cite, parts, patients };
}

function isListOfRecords(value: unknown): value is readonly string[] {
  return (
    Array.isArray(value) && value.every((record) => typeof record === 'string' && /^[^/\s]+\/[^/\s]+$/.test(record))
  );
}

/** People whose records are in more than one part: what is learnt of them in one is known in the other. */
export function sharedPatients({ parts, patients }: Split): (readonly string[])[] {
  const partOf = new Map(Object.entries(parts).flatMap(([part, records]) => records.map((record) => [record, part])));
  return patients.filter((records) => {
    const own = new Set(records.map((record) => partOf.get(record)).filter((part) => part !== undefined));
    return own.size > 1;
  });
}

/** Records that are one person's though no file of their database says so: the note of mitdb's own page on 201 and 202. */
export const KNOWN_PATIENTS: Split['patients'] = [['mitdb/201', 'mitdb/202']];

/** A comment of a header that names whose recording it is: `# patient: 7`, `# Subject ID: A-12`, `# patient 7`. */
const PATIENT = /^\s*(?:patient|subject)(?:\s+(?:id|no|number))?\.?(?:\s*[:=]\s*(\S.*?)|\s+#?(\S*\d\S*))\s*$/i;

/** What a record's header calls the person, as its comments say; null where they say nothing. */
export function patientOf(comments: readonly string[]): string | null {
  for (const comment of comments) {
    const [, told, numbered] = PATIENT.exec(comment) ?? [];
    const name = told ?? numbered;
    if (name !== undefined) return name;
  }
  return null;
}

/** Groups of one person's records made one where they have a record in common; those of one record are left out. */
export function joinedPatients(groups: Split['patients']): Split['patients'] {
  const joined: Set<string>[] = [];
  for (const group of groups) {
    const own = new Set(group);
    for (const other of joined.filter((one) => group.some((record) => one.has(record)))) {
      for (const record of other) own.add(record);
      joined.splice(joined.indexOf(other), 1);
    }
    joined.push(own);
  }
  return joined.filter(({ size }) => size > 1).map((group) => [...group].sort());
}

/** Names of the records of one database in a part of a split, in its order. */
export function recordsOf({ parts }: Split, part: string, database: string): string[] {
  return (parts[part] ?? [])
    .filter((record) => record.startsWith(`${database}/`))
    .map((record) => record.slice(database.length + 1));
}

/**
 * Folds by patient: all records of a person go to the same fold. People are dealt in an order drawn from the seed, each to the
 * fold that has fewest records of the databases the person is in, so that every fold has its share of each.
 * @param records as `database/record`
 * @param patients records of one person, where somebody has several
 * @returns for each record the number of its fold, from 0
 */
export function foldsByPatient(
  records: readonly string[],
  folds: number,
  { patients = [], seed = 0 }: { readonly patients?: Split['patients']; readonly seed?: number } = {},
): number[] {
  if (!Number.isInteger(folds) || folds < 2) throw new LabDataError(`${folds} folds: two at least are needed`);
  const personOf = new Map(patients.flatMap((own) => own.map((record) => [record, own[0]!])));
  const people = new Map<string, string[]>();
  for (const record of [...new Set(records)].sort()) {
    const person = personOf.get(record) ?? record;
    people.set(person, [...(people.get(person) ?? []), record]);
  }
  if (people.size < folds) throw new LabDataError(`${people.size} people cannot be dealt to ${folds} folds`);
  const random = new Random(seed);
  const order = [...people.keys()];
  for (let i = order.length - 1; i > 0; i--) {
    const other = random.below(i + 1);
    [order[i], order[other]] = [order[other]!, order[i]!];
  }
  const databaseOf = (record: string) => record.split('/')[0]!;
  const foldOf = new Map<string, number>();
  const held = new Map<string, number[]>();
  const all = new Array<number>(folds).fill(0);
  const countsOf = (record: string) => {
    const counts = held.get(databaseOf(record)) ?? new Array<number>(folds).fill(0);
    held.set(databaseOf(record), counts);
    return counts;
  };
  // Who has most records is dealt first, so that those with one can level the folds.
  order.sort((a, b) => people.get(b)!.length - people.get(a)!.length || databaseOf(a).localeCompare(databaseOf(b)));
  for (const person of order) {
    const own = people.get(person)!;
    const heldIn = (fold: number) => own.reduce((sum, record) => sum + countsOf(record)[fold]!, 0);
    let fold = 0;
    for (let f = 1; f < folds; f++) {
      const more = heldIn(f) - heldIn(fold);
      if (more < 0 || (more === 0 && all[f]! < all[fold]!)) fold = f;
    }
    for (const record of own) {
      countsOf(record)[fold]!++;
      foldOf.set(record, fold);
    }
    all[fold]! += own.length;
  }
  return records.map((record) => foldOf.get(record)!);
}

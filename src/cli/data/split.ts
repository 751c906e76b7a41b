import { existsSync } from 'node:fs';
import { readdir, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { Command } from 'commander';
import { needDatabase } from '../../lab/data/find.js';
import { patientsByHeader } from '../../lab/data/patients.js';
import {
  foldsByPatient,
  joinedPatients,
  KNOWN_PATIENTS,
  readSplit,
  SHIPPED_SPLITS,
  type Split,
  sharedPatients,
  shippedSplitFile,
} from '../../lab/data/split-file.js';
import { UsageError } from '../usage-error.js';

interface SplitArguments {
  readonly of?: readonly string[];
  readonly folds: number;
  readonly seed: number;
  /** The last fold is kept for the test. */
  readonly test?: boolean;
  readonly data?: string;
  readonly out?: string;
  readonly json?: boolean;
}

const HELP = `
  slothd data split                                        # the splits that slothd's models were made with
  slothd data split beat-ecg
  slothd data split --of mitdb svdb --folds 5 --out mine.json
  slothd data split mine.json
  slothd data split --of ward --data ~/ecg --folds 5 --test --out ward.json     # for \`slothd lab train --split ward.json\`

A split is a JSON file: parts with their records ("mitdb/100"), and which records are one person's ("patients"), as the
records' headers tell (a comment such as "# patient: 7").`;

/** `slothd data split`: which records are for what. */
export function splitCommand(): Command {
  return new Command('split')
    .description('Show a split of recordings (train and test, or folds), or make one by patient.')
    .argument('[split]', `a file, or one of slothd's own: ${SHIPPED_SPLITS.join(', ')}`)
    .option('--of <database...>', 'make folds of the records of these databases')
    .option('--folds <n>', 'how many', Number, 5)
    .option('--seed <n>', 'of the order in which people are dealt', Number, 0)
    .option('--test', 'keep the last fold for the test: what `slothd lab train --split` takes')
    .option('--data <dir>', 'folder that holds the databases ($SLOTHD_DATA, else the cache of `slothd data get`)')
    .option('-o, --out <file>', 'where the new split goes (printed unless told)')
    .option('--json', 'print the split as it stands in its file')
    .addHelpText('after', HELP)
    .action(split);
}

async function split(name: string | undefined, options: SplitArguments): Promise<void> {
  if (options.of) {
    if (name !== undefined) throw new UsageError('name a split to show it, or --of databases to make one, not both');
    const made = await foldsOf(options.of, options);
    const text = `${JSON.stringify(made, null, 1)}\n`;
    if (options.out === undefined) process.stdout.write(text);
    else {
      await writeFile(options.out, text);
      process.stdout.write(`${options.out}: ${counts(made)}\n`);
    }
    return;
  }
  if (name === undefined) {
    for (const own of SHIPPED_SPLITS) {
      const one = readSplit(shippedSplitFile(own));
      process.stdout.write(`${own.padEnd(14)} ${counts(one).padEnd(60)} ${one.title}\n`);
    }
    return;
  }
  const shipped = SHIPPED_SPLITS.find((own) => own === name);
  if (!shipped && !existsSync(name)) {
    throw new UsageError(`there is no split ${name}: a file, or one of ${SHIPPED_SPLITS.join(', ')}, is needed`);
  }
  const found = readSplit(shipped ? shippedSplitFile(shipped) : name);
  if (options.json) {
    process.stdout.write(`${JSON.stringify(found, null, 1)}\n`);
    return;
  }
  process.stdout.write(`${found.name}: ${found.title}\n${found.cite ? `${found.cite}\n` : ''}`);
  for (const [part, records] of Object.entries(found.parts)) {
    process.stdout.write(`${part} (${records.length}): ${records.join(' ')}\n`);
  }
  for (const records of sharedPatients(found)) {
    process.stdout.write(`note: ${records.join(' and ')} are one person's, and in different parts\n`);
  }
}

async function foldsOf(databases: readonly string[], { folds, seed, test, data }: SplitArguments): Promise<Split> {
  const records: string[] = [];
  const named: (readonly string[])[] = [...KNOWN_PATIENTS];
  for (const database of databases) {
    const folder = data === undefined ? needDatabase(database) : join(data, database);
    const files = await readdir(folder).catch(() => {
      throw new UsageError(`there is no folder ${folder}`);
    });
    const names = new Set(
      files.filter((file) => /\.(hea|atr|qrs|ecg)$/.test(file)).map((file) => file.replace(/\.\w+$/, '')),
    );
    const own = [...names].sort().map((record) => `${database}/${record}`);
    records.push(...own);
    const withHeader = own.filter((record) => files.includes(`${record.split('/')[1]}.hea`));
    named.push(...(await patientsByHeader(dirname(folder), withHeader)));
  }
  const patients = joinedPatients(named).filter((own) => own.some((record) => records.includes(record)));
  const foldOf = foldsByPatient(records, folds, { patients, seed });
  const partOf = (fold: number) => (test && fold === folds - 1 ? 'test' : `fold-${fold + 1}`);
  const parts = Object.fromEntries(
    Array.from({ length: folds }, (_, fold) => [partOf(fold), records.filter((_, i) => foldOf[i] === fold)]),
  );
  const command = `slothd data split --of ${databases.join(' ')} --folds ${folds} --seed ${seed}${test ? ' --test' : ''}`;
  const title = test ? `${folds - 1} folds by patient and a test` : `${folds} folds by patient`;
  return { name: databases.join('-'), title, cite: command, parts, patients };
}

function counts({ parts }: Split): string {
  return Object.entries(parts)
    .map(([part, records]) => `${part} ${records.length}`)
    .join(', ');
}

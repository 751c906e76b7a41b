import { existsSync } from 'node:fs';
import { readdir, writeFile } from 'node:fs/promises';
import { Command } from 'commander';
import { needDatabase } from '../../lab/data/find.js';
import {
  foldsByPatient,
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
  readonly out?: string;
  readonly json?: boolean;
}

const HELP = `
  slothd data split                                        # the splits that slothd's models were made with
  slothd data split beat-ecg
  slothd data split --of mitdb svdb --folds 5 --out mine.json
  slothd data split mine.json

A split is a JSON file: parts with their records ("mitdb/100"), and which records are one person's ("patients").`;

/** Records of one person that no file of a database says are one person's. */
const KNOWN_PATIENTS: Split['patients'] = [['mitdb/201', 'mitdb/202']];

/** `slothd data split`: which records are for what. */
export function splitCommand(): Command {
  return new Command('split')
    .description('Show a split of recordings (train and test, or folds), or make one by patient.')
    .argument('[split]', `a file, or one of slothd's own: ${SHIPPED_SPLITS.join(', ')}`)
    .option('--of <database...>', 'make folds of the records of these databases')
    .option('--folds <n>', 'how many', Number, 5)
    .option('--seed <n>', 'of the order in which people are dealt', Number, 0)
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

async function foldsOf(databases: readonly string[], { folds, seed }: SplitArguments): Promise<Split> {
  const records: string[] = [];
  for (const database of databases) {
    const files = await readdir(needDatabase(database));
    const names = new Set(
      files.filter((file) => /\.(hea|atr|qrs|ecg)$/.test(file)).map((file) => file.replace(/\.\w+$/, '')),
    );
    records.push(...[...names].sort().map((record) => `${database}/${record}`));
  }
  const patients = KNOWN_PATIENTS.filter((own) => own.some((record) => records.includes(record)));
  const foldOf = foldsByPatient(records, folds, { patients, seed });
  const parts = Object.fromEntries(
    Array.from({ length: folds }, (_, fold) => [`fold-${fold + 1}`, records.filter((_, i) => foldOf[i] === fold)]),
  );
  const command = `slothd data split --of ${databases.join(' ')} --folds ${folds} --seed ${seed}`;
  return { name: databases.join('-'), title: `${folds} folds by patient`, cite: command, parts, patients };
}

function counts({ parts }: Split): string {
  return Object.entries(parts)
    .map(([part, records]) => `${part} ${records.length}`)
    .join(', ');
}

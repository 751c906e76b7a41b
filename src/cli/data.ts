import { readdir } from 'node:fs/promises';
import { Command, Option } from 'commander';
import { ARCHIVE, CATALOGUE, findInCatalogue } from '../lab/data/catalogue.js';
import { downloadDatabase } from '../lab/data/download.js';
import { cacheFolder, findDatabase } from '../lab/data/find.js';
import { csvCommand } from './data/csv.js';
import { splitCommand } from './data/split.js';
import { UsageError } from './usage-error.js';

export function dataCommand(): Command {
  const command = new Command('data').description(
    'Public recordings to train and measure on: download, split, turn into CSV.',
  );
  command
    .command('list')
    .description('List the databases, and which of them are on this machine.')
    .action(async () => {
      for (const { name, title, cite } of CATALOGUE) {
        const folder = findDatabase(name);
        const files = folder ? (await readdir(folder)).length : 0;
        process.stdout.write(
          `${name.padEnd(8)} ${(folder ? `${folder} (${files} files)` : 'not here').padEnd(44)} ${title}. ${cite}\n`,
        );
      }
    });
  command
    .command('get')
    .description('Download databases into the cache: resumable, every file checked.')
    .argument('<name...>', "names from `data list`, or 'all'")
    .option('--archive <url>', 'where to get them from', ARCHIVE)
    .addOption(
      new Option('--folder <dir>', 'where to put them').default(
        cacheFolder(),
        'slothd/data in $XDG_CACHE_HOME or ~/.cache',
      ),
    )
    .action(get);
  command.addCommand(csvCommand());
  command.addCommand(splitCommand());
  return command;
}

async function get(names: string[], options: { archive: string; folder: string }): Promise<void> {
  const wanted = names.includes('all') ? CATALOGUE.map(({ name }) => name) : names;
  for (const name of wanted) {
    const database = findInCatalogue(name);
    if (!database) throw new UsageError(`no database '${name}'; there are: ${CATALOGUE.map((d) => d.name).join(', ')}`);
    const { total, fetched } = await downloadDatabase(database, {
      archive: options.archive.replace(/\/*$/, '/'),
      folder: options.folder,
      onProgress: ({ file, done, total: all, bytes }) => {
        if (process.stderr.isTTY)
          process.stderr.write(`\r\x1b[K${name} ${done}/${all} ${file} ${(bytes / 1e6).toFixed(1)} MB`);
      },
    });
    if (process.stderr.isTTY) process.stderr.write('\r\x1b[K');
    process.stdout.write(`${name}: ${total} files in ${options.folder}/${name}, ${fetched} fetched\n`);
  }
}

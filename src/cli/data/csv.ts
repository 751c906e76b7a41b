import { existsSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { Command, InvalidArgumentError } from 'commander';
import {
  type OpenRecord,
  openRecord,
  readAnnotationFile,
  readHeader,
  WfdbError,
  type WfdbHeader,
  writeAnnotationsCsv,
  writeSignalsCsv,
} from '../../lab/wfdb/index.js';
import { positive } from '../arguments.js';
import { ProgressBar } from '../progress.js';
import { UsageError } from '../usage-error.js';

interface CsvArguments {
  readonly out?: string;
  readonly annotations?: string;
  readonly signals?: readonly string[];
  readonly rate?: number;
  readonly from?: number;
  readonly to?: number;
  readonly tickRate?: number;
}

const HELP = `
  slothd data csv mitdb/208                        # 208.csv with both leads, 208-atr.csv with the annotations
  slothd data csv mitdb/208 --signals MLII --rate 128 --from 60 --to 120
  slothd data csv ltafdb/00 --annotations atr      # a record without signals: its annotations alone

Records of a day are written piece by piece, in little memory. Times are seconds from the record's start.`;

/** `slothd data csv`: a WFDB record for a spreadsheet or a script. */
export function csvCommand(): Command {
  return new Command('csv')
    .description('Write a WFDB record as CSV: its signals, and beside it its annotations.')
    .argument('<record>', 'the record: path without extension; in one piece or in segments')
    .option('-o, --out <file>', "the signals' file (the record's name with .csv)")
    .option('--annotations <extension>', 'which annotation file (atr, else qrs or ecg, where there is one)')
    .option('--signals <list>', 'signals by name or number, with commas between them (all)', commas)
    .option('--rate <hz>', "bring the signals to this rate (the record's own)", positive)
    .option('--from <s>', 'from this second of the record', notNegative)
    .option('--to <s>', 'up to this second of the record', positive)
    .option('--tick-rate <hz>', 'ticks per second of annotations, where no header tells', positive)
    .addHelpText('after', HELP)
    .action(csv);
}

async function csv(path: string, options: CsvArguments): Promise<void> {
  const stem = path.replace(/\.(hea|dat|mat)$/, '');
  const out = options.out ?? `${basename(stem)}.csv`;
  try {
    const isRecord = existsSync(`${stem}.hea`);
    const annotations = annotationsOf(stem, options.annotations);
    if (!isRecord && !annotations)
      throw new UsageError(`there is no record ${path}: neither ${stem}.hea nor annotations`);
    const header = isRecord ? await readHeader(stem) : null;
    const isThere = (header?.signals.length ?? 0) > 0 && !isWithoutFiles(stem, header!);
    if (isThere) await signalsCsv(stem, out, options);
    else if (!annotations) throw new UsageError(`${path} has neither signals nor annotations`);
    else if (header && header.signals.length > 0)
      process.stdout.write(`the signals of ${path} are not on this machine: its annotations alone\n`);
    if (annotations) {
      const own = await readAnnotationFile(annotations);
      const rateHz = options.tickRate ?? own.rateHz ?? header?.rateHz;
      if (rateHz === undefined)
        throw new UsageError(`${annotations} has no header that tells its rate: give --tick-rate HZ (afdb: 250)`);
      const [from, to] = [(options.from ?? 0) * rateHz, (options.to ?? Number.POSITIVE_INFINITY) * rateHz];
      const kept = own.annotations.filter(({ sample }) => sample >= from && sample < to);
      const file = out.replace(/(\.csv)?$/, `-${annotations.split('.').at(-1)}.csv`);
      await writeAnnotationsCsv(file, kept, rateHz);
      process.stdout.write(`${file}: ${kept.length} annotations\n`);
    }
  } catch (error) {
    if (error instanceof WfdbError || error instanceof RangeError) throw new UsageError(error.message);
    const { code } = error as NodeJS.ErrnoException;
    if (code !== undefined && /^E[A-Z]+$/.test(code)) throw new UsageError((error as Error).message);
    throw error;
  }
}

async function signalsCsv(stem: string, out: string, options: CsvArguments): Promise<void> {
  const record = await openRecord(stem);
  const bar = new ProgressBar();
  try {
    const { rateHz, signals } = record;
    const chosen = options.signals?.map((key) => placeOf(key, record));
    const rows = await writeSignalsCsv(out, record, {
      ...(chosen && { signals: chosen }),
      ...(options.rate !== undefined && { rateHz: options.rate }),
      ...(options.from !== undefined && { fromSample: Math.round(options.from * rateHz) }),
      ...(options.to !== undefined && { toSample: Math.round(options.to * rateHz) }),
      onProgress: (done, of) => bar.show(`writing ${out}`, done, of),
    });
    bar.end();
    const names = (chosen ?? Array.from(signals.keys())).map((index) => signals[index]!.name).join(', ');
    for (const [index, ok] of record.checksums().entries()) {
      if (ok === false)
        process.stderr.write(
          `note: ${signals[index]!.name} does not add up to its checksum; the file may be damaged\n`,
        );
    }
    process.stdout.write(`${out}: ${rows} rows of ${names} at ${options.rate ?? rateHz} Hz\n`);
  } finally {
    bar.end();
    await record.close();
  }
}

/** Some databases come without their signals: they are too large, and the beats are what is asked for. */
function isWithoutFiles(stem: string, { signals, segments }: WfdbHeader): boolean {
  return segments === null && !signals.some(({ file }) => file === '~' || existsSync(join(dirname(stem), file)));
}

function placeOf(key: string, { name, signals }: OpenRecord): number {
  const byName = signals.findIndex((signal) => signal.name === key);
  const index = byName >= 0 ? byName : /^\d+$/.test(key) ? Number(key) : -1;
  if (!signals[index]) {
    throw new UsageError(
      `${name} has no signal '${key}'; it has ${signals.map((one, i) => `${i} ${one.name}`).join(', ')}`,
    );
  }
  return index;
}

function annotationsOf(stem: string, extension: string | undefined): string | null {
  if (extension !== undefined) {
    const file = existsSync(extension) ? extension : `${stem}.${extension.replace(/^\./, '')}`;
    if (!existsSync(file)) throw new UsageError(`there is no annotation file ${file}`);
    return file;
  }
  return ['atr', 'qrs', 'ecg'].map((own) => `${stem}.${own}`).find((file) => existsSync(file)) ?? null;
}

function commas(text: string): string[] {
  const parts = text.split(',').map((part) => part.trim());
  if (parts.some((part) => part === '')) throw new InvalidArgumentError('names with commas between them are needed');
  return parts;
}

function notNegative(text: string): number {
  const value = Number(text);
  if (!(value >= 0) || text.trim() === '') throw new InvalidArgumentError('seconds from 0 up are needed');
  return value;
}

import { Command, CommanderError } from 'commander';
import { keepHeapSmall } from './run/small-heap.js';
import { UsageError } from './usage-error.js';
import { VERBS } from './verbs.js';
import { VERSION } from './version.js';

async function main(argv: readonly string[]): Promise<number> {
  const program = new Command('slothd')
    .description(
      'The faster sloth: heart sensors in over serial ports, health alerts out over MQTT. Not a medical device.',
    )
    .version(VERSION)
    // `lab export --version` is a model's: options of the program stand before its verb.
    .enablePositionalOptions()
    .exitOverride()
    .showHelpAfterError('(slothd --help lists the verbs; slothd VERB --help its options)');
  // `slothd help VERB` wants the verb, too.
  const words = argv.filter((word) => !word.startsWith('-'));
  const wanted = words[0] === 'help' ? words[1] : words[0];
  if (wanted === 'run') keepHeapSmall();
  for (const [name, does, load] of VERBS) {
    program.addCommand(
      name === wanted ? (await load()).name(name).exitOverride() : new Command(name).description(does),
    );
  }
  await program.parseAsync([...argv], { from: 'user' });
  return Number(process.exitCode ?? 0);
}

/** The program from its arguments to its exit code; nothing is thrown. */
export async function runProgram(argv: readonly string[]): Promise<void> {
  for (const stream of [process.stdout, process.stderr]) {
    stream.on('error', (error: NodeJS.ErrnoException) => {
      // A reader that has seen enough (`| head`) ends the program; it is no fault.
      if (error.code === 'EPIPE') process.exit(0);
      process.stderr.write(`slothd: the output could not be written: ${error.message}\n`, () => process.exit(1));
    });
  }
  try {
    process.exitCode = await main(argv);
  } catch (error) {
    if (error instanceof CommanderError) {
      process.exitCode = error.exitCode === 0 ? 0 : 1;
    } else if (error instanceof UsageError || isExpected(error)) {
      process.stderr.write(`slothd: ${(error as Error).message}\n`);
      process.exitCode = 1;
    } else if (refusalOf(error) !== null) {
      process.stderr.write(`slothd: ${refusalOf(error)}\n`);
      process.exitCode = 1;
    } else {
      process.stderr.write(
        `slothd: a fault of our own, please report it:\n${error instanceof Error ? error.stack : error}\n`,
      );
      process.exitCode = 2;
    }
  }
}

/** What the system refuses because of a file that somebody named, or of its disk: nothing of it is ours to mend. */
const REFUSALS: Readonly<Record<string, string>> = {
  EACCES: 'may not be used by this user',
  EPERM: 'may not be used by this user',
  EROFS: 'is on a read-only file system',
  ENOSPC: 'the disk is full',
  EDQUOT: 'the disk quota is used up',
  ENOENT: 'there is no such file or folder',
  ENOTDIR: 'a part of the path is no folder',
  EISDIR: 'is a folder',
  ELOOP: 'is a link that leads to itself',
  ENAMETOOLONG: 'the name is too long',
  EIO: 'the disk cannot be read or written',
};

/** A failed call of the system in words; null where the error is none, or names no file. */
function refusalOf(error: unknown): string | null {
  const { code, path, syscall } = error as NodeJS.ErrnoException;
  const words = REFUSALS[code ?? ''];
  if (words === undefined || syscall === undefined) return null;
  // Without a file it is a write to one that was open, to a full disk above all; anything else would be our own doing.
  if (path === undefined) return /^(ENOSPC|EDQUOT|EIO|EROFS)$/.test(code ?? '') ? words : null;
  return `${path}: ${words} (${code})`;
}

/** Errors of stations that name what a person gave us: a record, a bundle, a file. */
function isExpected(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  if (isFileError(error)) return true;
  return /^(Config|StoreInUse|WebServer|Replay|Wfdb|Bundle|Link|Scenario|Format|Lab|Backend|Export|Calibration|Quantization|UnsupportedLayer|OnnxFormat|Training|Checkpoint|Personalize|Convert)\w*Error$/.test(
    error.name,
  );
}

/** What the file system says of a path that a person gave: not there, not allowed, not a folder, full. */
const FILE_ERRORS = new Set(
  'ENOENT EACCES EPERM ENOTDIR EISDIR EEXIST ENOTEMPTY ENOSPC EDQUOT EROFS ENAMETOOLONG ELOOP EXDEV EBUSY EFBIG'.split(
    ' ',
  ),
);

function isFileError({ code, path }: NodeJS.ErrnoException): boolean {
  return path !== undefined && FILE_ERRORS.has(code ?? '');
}

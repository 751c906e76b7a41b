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
      return;
    }
    const refusal = refusalOf(error);
    if (refusal !== null || error instanceof UsageError || isExpected(error)) {
      process.stderr.write(`slothd: ${refusal ?? (error as Error).message}\n`);
      process.exitCode = 1;
    } else {
      process.stderr.write(
        `slothd: a fault of our own, please report it:\n${error instanceof Error ? error.stack : error}\n`,
      );
      process.exitCode = 2;
    }
  }
}

/** What the system says of a path that a person gave: not there, not allowed, not a folder, full. Its words name the path. */
const FILE_ERRORS = new Set(
  'ENOENT EACCES EPERM ENOTDIR EISDIR EEXIST ENOTEMPTY ENOSPC EDQUOT EROFS ENAMETOOLONG ELOOP EXDEV EBUSY EFBIG'.split(
    ' ',
  ),
);

/** Of a file that was open already, on a full disk above all, it says no more than this. */
const DISK_ERRORS: Readonly<Record<string, string>> = {
  EROFS: 'is on a read-only file system',
  ENOSPC: 'the disk is full',
  EDQUOT: 'the disk quota is used up',
  EIO: 'the disk cannot be read or written',
};

/** What the system refused because of a named file or its disk, in words; null for any other error. None is ours to mend. */
function refusalOf(error: unknown): string | null {
  if (!(error instanceof Error)) return null;
  const { code = '', path, syscall, message } = error as NodeJS.ErrnoException;
  if (path !== undefined && FILE_ERRORS.has(code)) return message;
  const words = DISK_ERRORS[code];
  if (words === undefined || syscall === undefined) return null;
  return path === undefined ? words : `${path}: ${words} (${code})`;
}

/** Errors of stations that name what a person gave us: a record, a bundle, a file. */
function isExpected(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  return /^(Config|StoreInUse|WebServer|Replay|Wfdb|Bundle|Link|Scenario|Format|Lab|Backend|Export|Calibration|Quantization|UnsupportedLayer|OnnxFormat|Training|Checkpoint|Personalize|Convert)\w*Error$/.test(
    error.name,
  );
}

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
  const wanted = argv.find((word) => !word.startsWith('-'));
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
  // A reader that has seen enough (`| head`) ends the program; it is no fault.
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code === 'EPIPE') process.exit(0);
    throw error;
  });
  try {
    process.exitCode = await main(argv);
  } catch (error) {
    if (error instanceof CommanderError) {
      process.exitCode = error.exitCode === 0 ? 0 : 1;
    } else if (error instanceof UsageError || isExpected(error)) {
      process.stderr.write(`slothd: ${(error as Error).message}\n`);
      process.exitCode = 1;
    } else {
      process.stderr.write(
        `slothd: a fault of our own, please report it:\n${error instanceof Error ? error.stack : error}\n`,
      );
      process.exitCode = 2;
    }
  }
}

/** Errors of stations that name what a person gave us: a record, a bundle, a file. */
function isExpected(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  return /^(Config|StoreInUse|WebServer|Replay|Wfdb|Bundle|Link|Scenario|Format|Lab|Backend|Export|Calibration|Quantization|UnsupportedLayer|OnnxFormat|Training|Checkpoint|Personalize|Convert)\w*Error$/.test(
    error.name,
  );
}

#!/usr/bin/env node
import { Command, CommanderError } from 'commander';
import { UsageError } from './cli/usage-error.js';
import { VERSION } from './cli/version.js';
import { ConfigError } from './config/load.js';

/** Each verb is one file; it is loaded only when it is called, so that `--help` is instant and a device needs no lab. */
const VERBS: readonly [name: string, does: string, load: () => Promise<Command>][] = [
  ['run', 'the daemon', async () => (await import('./cli/run.js')).runCommand()],
  [
    'demo',
    'a simulated heart, a broker and a dashboard on this machine',
    async () => (await import('./cli/demo.js')).demoCommand(),
  ],
  ['init', 'write a first config from what is plugged in', async () => (await import('./cli/init.js')).initCommand()],
  ['reload', 'let the daemon take a changed config', async () => (await import('./cli/reload.js')).reloadCommand()],
  ['alerts', 'list, acknowledge and snooze alerts', async () => (await import('./cli/alerts.js')).alertsCommand()],
  ['check', 'check a config file', async () => (await import('./cli/check.js')).checkCommand()],
  [
    'doctor',
    'look at this machine and say what to mend first',
    async () => (await import('./cli/doctor.js')).doctorCommand(),
  ],
  ['schema', "print the config's JSON Schema", async () => (await import('./cli/schema.js')).schemaCommand()],
  [
    'formats',
    'list the wire formats and their options',
    async () => (await import('./cli/formats.js')).formatsCommand(),
  ],
  ['ports', 'list serial ports by stable name', async () => (await import('./cli/ports.js')).portsCommand()],
  ['probe', 'find out what is on a port by listening', async () => (await import('./cli/probe.js')).probeCommand()],
  [
    'record',
    "keep a sensor's raw bytes with their times",
    async () => (await import('./cli/record.js')).recordCommand(),
  ],
  ['replay', 'run a recording through the pipeline', async () => (await import('./cli/replay.js')).replayCommand()],
  [
    'export',
    "a recording or an alert's evidence as WFDB, EDF+ or CSV",
    async () => (await import('./cli/export.js')).exportCommand(),
  ],
  ['simulate', 'offer a simulated sensor', async () => (await import('./cli/simulate.js')).simulateCommand()],
  ['model', 'list, inspect and verify model bundles', async () => (await import('./cli/model.js')).modelCommand()],
  [
    'lab',
    'train, prune, quantize, export and evaluate models',
    async () => (await import('./cli/lab.js')).labCommand(),
  ],
];

async function main(argv: readonly string[]): Promise<number> {
  const program = new Command('slothd')
    .description(
      'The faster sloth: heart sensors in over serial ports, health alerts out over MQTT. Not a medical device.',
    )
    .version(VERSION)
    .exitOverride()
    .showHelpAfterError('(slothd --help lists the verbs; slothd VERB --help its options)');
  const wanted = argv.find((word) => !word.startsWith('-'));
  for (const [name, does, load] of VERBS) {
    program.addCommand(
      name === wanted ? (await load()).name(name).exitOverride() : new Command(name).description(does),
    );
  }
  await program.parseAsync([...argv], { from: 'user' });
  return Number(process.exitCode ?? 0);
}

// A reader that has seen enough (`| head`) ends the program; it is no fault.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code === 'EPIPE') process.exit(0);
  throw error;
});

main(process.argv.slice(2)).then(
  (code) => {
    process.exitCode = code;
  },
  (error: unknown) => {
    if (error instanceof CommanderError) {
      process.exitCode = error.exitCode === 0 ? 0 : 1;
    } else if (error instanceof UsageError || error instanceof ConfigError || isExpected(error)) {
      process.stderr.write(`slothd: ${(error as Error).message}\n`);
      process.exitCode = 1;
    } else {
      process.stderr.write(
        `slothd: a fault of our own, please report it:\n${error instanceof Error ? error.stack : error}\n`,
      );
      process.exitCode = 2;
    }
  },
);

/** Errors of stations that name what a person gave us: a record, a bundle, a file. */
function isExpected(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  return /^(Replay|Wfdb|Bundle|Link|Scenario|Format|Lab|Backend|Export|Calibration|Quantization|UnsupportedLayer|OnnxFormat)\w*Error$/.test(
    error.name,
  );
}

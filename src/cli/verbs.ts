import type { Command } from 'commander';

/** Each verb is one file; it is loaded only when it is called, so that `--help` is instant and a device needs no lab. */
export const VERBS: readonly [name: string, does: string, load: () => Promise<Command>][] = [
  ['run', 'the daemon', async () => (await import('./run.js')).runCommand()],
  [
    'demo',
    'a simulated heart, a broker and a dashboard on this machine',
    async () => (await import('./demo.js')).demoCommand(),
  ],
  ['init', 'write a first config from what is plugged in', async () => (await import('./init.js')).initCommand()],
  ['reload', 'let the daemon take a changed config', async () => (await import('./reload.js')).reloadCommand()],
  ['alerts', 'list, acknowledge and snooze alerts', async () => (await import('./alerts.js')).alertsCommand()],
  ['check', 'check a config file', async () => (await import('./check.js')).checkCommand()],
  [
    'doctor',
    'look at this machine and say what to mend first',
    async () => (await import('./doctor.js')).doctorCommand(),
  ],
  ['schema', "print the config's JSON Schema", async () => (await import('./schema.js')).schemaCommand()],
  ['formats', 'list the wire formats and their options', async () => (await import('./formats.js')).formatsCommand()],
  ['ports', 'list serial ports by stable name', async () => (await import('./ports.js')).portsCommand()],
  ['probe', 'find out what is on a port by listening', async () => (await import('./probe.js')).probeCommand()],
  ['record', "keep a sensor's raw bytes with their times", async () => (await import('./record.js')).recordCommand()],
  ['replay', 'run a recording through the pipeline', async () => (await import('./replay.js')).replayCommand()],
  [
    'export',
    "a recording or an alert's evidence as WFDB, EDF+ or CSV",
    async () => (await import('./export.js')).exportCommand(),
  ],
  ['simulate', 'offer a simulated sensor', async () => (await import('./simulate.js')).simulateCommand()],
  ['model', 'list, inspect and verify model bundles', async () => (await import('./model.js')).modelCommand()],
  ['data', 'list and download public recordings', async () => (await import('./data.js')).dataCommand()],
  ['lab', 'train, prune, quantize, export and evaluate models', async () => (await import('./lab.js')).labCommand()],
];

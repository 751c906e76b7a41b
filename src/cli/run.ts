import { Command } from 'commander';
import { startEarlyHost } from '../inference/host/early.js';
import { HangUps } from './run/hang-ups.js';

export function runCommand(): Command {
  return new Command('run')
    .description('Run the daemon. It never exits because a sensor or a broker is missing.')
    .option('-c, --config <file>', 'the config file', '/etc/slothd/slothd.yaml')
    .action(async ({ config }: { config: string }) => {
      // A reload that is asked for while we start must not end us, which is what the signal does by itself.
      const hangUps = new HangUps();
      // The model's process first: it comes up while this one reads the rest of the program.
      const host = startEarlyHost();
      try {
        const { runDaemon } = await import('./run/daemon.js');
        await runDaemon(config, host.spawn, hangUps);
      } finally {
        host.close();
      }
    });
}

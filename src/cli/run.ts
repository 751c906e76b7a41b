import { Command } from 'commander';
import { startEarlyHost } from '../inference/host/early.js';

export function runCommand(): Command {
  return new Command('run')
    .description('Run the daemon. It never exits because a sensor or a broker is missing.')
    .option('-c, --config <file>', 'the config file', '/etc/slothd/slothd.yaml')
    .action(async ({ config }: { config: string }) => {
      // The model's process first: it comes up while this one reads the rest of the program.
      const host = startEarlyHost();
      try {
        const { runDaemon } = await import('./run/daemon.js');
        await runDaemon(config, host.spawn);
      } finally {
        host.close();
      }
    });
}

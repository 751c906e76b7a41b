import { Command } from 'commander';
import { destination, type Logger, pino } from 'pino';
import { loadConfig } from '../config/load.js';
import type { Config } from '../config/schema.js';
import { checkSensors } from '../daemon/check-sensors.js';
import { Daemon } from '../daemon/daemon.js';
import { systemOutside } from '../daemon/outside.js';
import { goesToJournal, journalStream } from './run/journal.js';
import { Reloader } from './run/reloader.js';
import { VERSION } from './version.js';

/** Longest a clean end may take before the process ends anyway; what is unsent is on the disk. */
const STOP_MS = 8000;

export function runCommand(): Command {
  return new Command('run')
    .description('Run the daemon. It never exits because a sensor or a broker is missing.')
    .option('-c, --config <file>', 'the config file', '/etc/slothd/slothd.yaml')
    .action(async (options: { config: string }) => {
      const read = async () => {
        const config = await loadConfig(options.config);
        checkSensors(config, options.config);
        return config;
      };
      const config = await read();
      const log = createLog(config);
      const build = (next: Config) => new Daemon(next, systemOutside(next, log, VERSION));
      const reloader = new Reloader(config, build(config), read, build, log);
      await reloader.daemon.start();
      const failed = new Promise<never>((_, reject) => {
        process.on('SIGHUP', () => reloader.reload().catch(reject));
      });
      await Promise.race([untilSignal(), failed]);
      log.info('stopping');
      const giveUp = setTimeout(() => process.exit(0), STOP_MS);
      giveUp.unref();
      await reloader.settled();
      await reloader.daemon.stop();
    });
}

/** JSON lines on standard output, for journald; written synchronously so that the last line before a crash is there. */
function createLog(config: Config): Logger {
  const to = goesToJournal(process.env) ? journalStream() : destination({ sync: true });
  return pino({ level: config.log.level, base: undefined }, to);
}

/** Resolves at SIGINT or SIGTERM. */
export function untilSignal(): Promise<NodeJS.Signals> {
  return new Promise((resolve) => {
    for (const name of ['SIGINT', 'SIGTERM'] as const) process.once(name, () => resolve(name));
  });
}

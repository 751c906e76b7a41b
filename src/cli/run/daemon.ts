import { destination, type Logger, pino } from 'pino';
import { loadConfig } from '../../config/load.js';
import type { Config } from '../../config/schema.js';
import { checkSensors } from '../../daemon/check-sensors.js';
import { Daemon } from '../../daemon/daemon.js';
import { systemOutside } from '../../daemon/outside.js';
import type { SpawnHost } from '../../inference/host/spawn.js';
import { untilSignal } from '../until-signal.js';
import { VERSION } from '../version.js';
import type { HangUps } from './hang-ups.js';
import { goesToJournal, journalStream } from './journal.js';
import { Reloader } from './reloader.js';

/** Longest a clean end may take before the process ends anyway; what is unsent is on the disk. */
const STOP_MS = 8000;

/** Log lines that wait for a disk with room; more are dropped. */
const MOST_UNWRITTEN_BYTES = 256 * 1024;

/** Runs until SIGINT or SIGTERM. @throws ConfigError and what a config that cannot be used gives */
export async function runDaemon(file: string, spawnHost: SpawnHost, hangUps: HangUps): Promise<void> {
  const read = async () => {
    const config = await loadConfig(file);
    checkSensors(config, file);
    return config;
  };
  const config = await read();
  const log = createLog(config);
  const build = (next: Config) => new Daemon(next, systemOutside(next, log, VERSION, spawnHost));
  const reloader = new Reloader(config, build(config), read, build, log);
  await reloader.daemon.start();
  const failed = new Promise<never>((_, reject) => {
    hangUps.listen(() => void reloader.reload().catch(reject));
  });
  await Promise.race([untilSignal(), failed]);
  log.info('stopping');
  const giveUp = setTimeout(() => process.exit(0), STOP_MS);
  giveUp.unref();
  await reloader.settled();
  await reloader.daemon.stop();
}

/** JSON lines on standard output, for journald; written synchronously so that the last line before a crash is there. */
function createLog(config: Config): Logger {
  // A log that cannot be written (a full disk) must neither end what watches a heart nor fill its memory.
  const out = destination({ sync: true, maxLength: MOST_UNWRITTEN_BYTES });
  out.on('error', () => {});
  const to = goesToJournal(process.env) ? journalStream(out) : out;
  return pino({ level: config.log.level, base: undefined }, to);
}

import { resolve } from 'node:path';
import { Command } from 'commander';
import { loadConfig } from '../config/load.js';
import { checkSensors } from '../daemon/check-sensors.js';
import { processes, type System, thisMachine } from './doctor/system.js';
import { UsageError } from './usage-error.js';

export function reloadCommand(): Command {
  return new Command('reload')
    .description('Let the running daemon take its changed config. A config with mistakes is refused before that.')
    .option('-c, --config <file>', 'the config file, checked first', DEFAULT_CONFIG)
    .action(async (options: { config: string }) => {
      checkSensors(await loadConfig(options.config), options.config);
      const pids = await daemons(resolve(options.config), thisMachine);
      if (pids.length === 0) throw new UsageError(`no slothd runs with ${options.config}: sudo systemctl start slothd`);
      for (const pid of pids) hangUp(pid);
      process.stdout.write(`told process ${pids.join(', ')}; what changed is in its log: journalctl -u slothd -n 5\n`);
    });
}

const DEFAULT_CONFIG = '/etc/slothd/slothd.yaml';

/**
 * Processes that are `slothd run` with this very config, by their command lines: a machine may run several.
 * @param config absolute path
 */
export async function daemons(config: string, system: System): Promise<number[]> {
  const found: number[] = [];
  for (const { pid } of await processes(system)) {
    const words = ((await system.text(`/proc/${pid}/cmdline`)) ?? '').split('\0');
    if (slothdVerb(words) === 'run' && (await configOfRun(pid, words, system)) === config) found.push(pid);
  }
  return found;
}

/** The verb of a command line that is slothd's own; null for any other's. */
export function slothdVerb(words: readonly string[]): string | null {
  const at = verbAt(words);
  // Not `timeout 60 slothd run` or `sudo slothd run`: those pass signals on or are somebody else's.
  const ours = /(^|\/)(node|slothd)$/.test(words[0] ?? '');
  return ours && at > 0 ? (words[at] ?? null) : null;
}

/** Absolute path of the config of a process that is `slothd run`. */
export async function configOfRun(pid: number, words: readonly string[], system: System): Promise<string> {
  const folder = (await system.link(`/proc/${pid}/cwd`)) ?? '/';
  return resolve(folder, configOf(words.slice(verbAt(words) + 1)));
}

function verbAt(words: readonly string[]): number {
  return words.findIndex((word) => /(^|\/)(slothd|main\.js)$/.test(word)) + 1;
}

/** The value of -c or --config, in any of the ways a command line may give it. */
function configOf(words: readonly string[]): string {
  for (const [index, word] of words.entries()) {
    if (word === '-c' || word === '--config') return words[index + 1] ?? DEFAULT_CONFIG;
    const joined = /^(?:--config=|-c=?)(.+)$/.exec(word);
    if (joined) return joined[1]!;
  }
  return DEFAULT_CONFIG;
}

/** Lets a process look at its config and its models again. @throws UsageError where it is somebody else's */
export function hangUp(pid: number): void {
  try {
    process.kill(pid, 'SIGHUP');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EPERM') {
      throw new UsageError(`process ${pid} belongs to another user: sudo systemctl reload slothd`);
    }
    throw error;
  }
}

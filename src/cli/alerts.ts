import { readFile } from 'node:fs/promises';
import { Command, InvalidArgumentError } from 'commander';
import { loadConfig } from '../config/load.js';
import { UsageError } from './usage-error.js';

interface ShownAlert {
  readonly id: string;
  readonly event: string;
  readonly kind: string;
  readonly priority: string;
  readonly sensor: string;
  readonly onsetAt?: string;
}

interface Flags {
  readonly config: string;
  readonly minutes?: number;
}

/** Asks the daemon; `body` makes it a command. Returns the parsed answer. @throws UsageError */
export type Ask = (path: string, body?: object) => Promise<unknown>;

const TIMEOUT_MS = 5000;

export function alertsCommand(): Command {
  const command = new Command('alerts').description('Alerts of the running daemon, over its web server.');
  const verb = (name: string, does: string) =>
    command.command(name).description(does).option('-c, --config <file>', 'the config file', '/etc/slothd/slothd.yaml');
  verb('list', 'List open and recent alerts, newest first.').action(async (flags: Flags) => {
    process.stdout.write(await listAlerts(await daemonOf(flags.config)));
  });
  verb('show', 'Show one alert with what led to it, as JSON.')
    .argument('<id>', 'its id, or the first letters of it')
    .action(async (id: string, flags: Flags) => {
      process.stdout.write(await showAlert(await daemonOf(flags.config), id));
    });
  for (const [name, does] of [
    ['ack', 'Acknowledge an alarm: no reminders for a time.'],
    ['snooze', 'Keep an alarm silent for a time, also when it comes anew.'],
  ] as const) {
    verb(name, does)
      .argument('<sensor>', 'name of the sensor')
      .argument('<kind>', 'kind of alert, as `list` shows it')
      .option('--minutes <n>', 'for how long', minutes, 30)
      .action(async (sensor: string, kind: string, flags: Flags) => {
        const ask = await daemonOf(flags.config);
        await ask(`alerts/${name}`, { sensor, kind, minutes: flags.minutes });
        process.stdout.write(`${kind} of ${sensor}: ${name} for ${flags.minutes} min\n`);
      });
  }
  return command;
}

/** One line for each alert. */
export async function listAlerts(ask: Ask): Promise<string> {
  const alerts = await alertsOf(ask);
  if (alerts.length === 0) return 'no alerts\n';
  return alerts
    .map(
      ({ id, event, kind, priority, sensor, onsetAt }) =>
        `${id.slice(0, 8)}  ${(event === 'end' ? 'ended' : 'OPEN').padEnd(6)} ${priority.padEnd(7)} ${sensor.padEnd(12)} ${kind.padEnd(26)} ${onsetAt ?? ''}\n`,
    )
    .join('');
}

/** @throws UsageError when no or more than one alert begins with `id` */
export async function showAlert(ask: Ask, id: string): Promise<string> {
  const found = (await alertsOf(ask)).filter((alert) => alert.id.startsWith(id));
  if (found.length !== 1) {
    throw new UsageError(found.length === 0 ? `no alert begins with ${id}` : `${found.length} alerts begin with ${id}`);
  }
  return `${JSON.stringify(await ask(`alerts/${found[0]!.id}`), null, 2)}\n`;
}

async function alertsOf(ask: Ask): Promise<ShownAlert[]> {
  const answer = await ask('alerts');
  if (!Array.isArray(answer)) throw new UsageError('what answers there is not slothd');
  return answer as ShownAlert[];
}

/** The web server of the daemon that runs with this config. */
async function daemonOf(configFile: string): Promise<Ask> {
  const { http } = await loadConfig(configFile);
  if (!http.enabled || http.port === 0) {
    throw new UsageError(`${configFile}: http must be enabled and http.port fixed, so that the daemon can be asked`);
  }
  const host = http.host === '0.0.0.0' || http.host === '::' ? '127.0.0.1' : http.host;
  const token = http.tokenFile ? (await readFile(http.tokenFile, 'utf8')).trim() : null;
  return askAt(`http://${host.includes(':') ? `[${host}]` : host}:${http.port}/`, token);
}

/** Asks the web server at `base`. */
export function askAt(base: string, token: string | null): Ask {
  return async (path, body) => {
    let response: Response;
    try {
      response = await fetch(new URL(path, base), {
        method: body ? 'POST' : 'GET',
        headers: {
          ...(body ? { 'content-type': 'application/json' } : {}),
          ...(token ? { authorization: `Bearer ${token}` } : {}),
        },
        body: body && JSON.stringify(body),
        signal: AbortSignal.timeout(TIMEOUT_MS),
      });
    } catch {
      throw new UsageError(`no slothd answers at ${base}: is it running?`);
    }
    const text = await response.text();
    let answer: { error?: string } | null = null;
    try {
      answer = JSON.parse(text) as { error?: string };
    } catch {
      // Refusals are plain text.
    }
    if (!response.ok || answer === null)
      throw new UsageError(answer?.error ?? (text.trim() || `HTTP ${response.status}`));
    return answer;
  };
}

function minutes(text: string): number {
  const value = Number(text);
  if (!(value > 0 && value <= 24 * 60)) throw new InvalidArgumentError('It must be above 0 and at most 1440 minutes.');
  return value;
}

import { writeFile } from 'node:fs/promises';
import { Command, InvalidArgumentError, Option } from 'commander';
import { loadConfig } from '../config/load.js';
import type { ShownAlert } from '../daemon/alert-history.js';
import { alertsCsv } from '../daemon/alert-query.js';
import { readNamed } from '../delivery/tls-files.js';
import { adoptCredentials } from './credentials.js';
import { UsageError } from './usage-error.js';

interface Flags {
  readonly config: string;
  readonly minutes?: number;
}

/** Asks the daemon; `body` makes it a command. Returns the parsed answer. @throws UsageError */
export type Ask = (path: string, body?: object) => Promise<unknown>;

/** The daemon over its web server. */
export interface Daemon {
  readonly ask: Ask;
  /** A file of it, as bytes. @throws UsageError */
  readonly download: (path: string) => Promise<Uint8Array>;
}

const TIMEOUT_MS = 5000;
/** Longest refusal in words that slothd gives. */
const MOST_WORDS = 300;

export function alertsCommand(): Command {
  const command = new Command('alerts').description('Alerts of the running daemon, over its web server.');
  const verb = (name: string, does: string) =>
    command.command(name).description(does).option('-c, --config <file>', 'the config file', '/etc/slothd/slothd.yaml');
  verb('list', 'List open and recent alerts, newest first; the device remembers the last thousand.')
    .option('--since <time>', 'open since then: 90m, 24h, 7d back from now, or 2026-01-31T08:00Z')
    .option('--until <time>', 'raised before then')
    .option('--sensor <name>', 'of one sensor')
    .option('--kind <kind>', 'of one kind')
    .option('--category <category>', 'health or technical')
    .option('--open', 'only those that have not ended')
    .option('--limit <n>', 'at most so many', '100')
    .addOption(new Option('--format <format>', 'how to print them').choices(['table', 'json', 'csv']).default('table'))
    .action(async ({ config, format, ...asked }: Flags & ListFlags) => {
      const daemon = await daemonOf(config);
      process.stdout.write(await listAlerts(daemon.ask, asked, format));
    });
  verb('show', 'Show one alert with what led to it, as JSON.')
    .argument('<id>', 'its id, or the first letters of it')
    .option('--save <file>', 'keep the raw bytes it was decided on, for `slothd replay FILE` on any machine')
    .action(async (id: string, flags: Flags & { readonly save?: string }) => {
      const daemon = await daemonOf(flags.config);
      process.stdout.write(await showAlert(daemon.ask, id));
      if (flags.save) process.stderr.write(await saveRecording(daemon, id, flags.save));
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
        const { ask } = await daemonOf(flags.config);
        process.stdout.write(await silence(ask, name, { sensor, kind, minutes: flags.minutes }));
      });
  }
  verb('test', 'Send a test alert, to see that alerts arrive: over MQTT and at the webhook, where there is one.')
    .argument('[sensor]', 'name of the sensor; left out: the first one')
    .action(async (sensor: string | undefined, flags: Flags) => {
      const { ask } = await daemonOf(flags.config);
      const answer = (await ask('alerts/test', sensor === undefined ? {} : { sensor })) as { result?: { id?: string } };
      process.stdout.write(`test alert ${answer.result?.id ?? ''} was sent\n`);
    });
  return command;
}

type ListFlags = Readonly<Record<string, string | boolean>> & { readonly format: ListFormat };
type ListFormat = 'table' | 'json' | 'csv';

/** The alerts that are asked for: a line each, or JSON, or CSV. */
export async function listAlerts(
  ask: Ask,
  asked: Readonly<Record<string, string | boolean>> = {},
  format: ListFormat = 'table',
): Promise<string> {
  const params = new URLSearchParams(
    Object.entries(asked).map(([name, value]): [string, string] => [name, String(value)]),
  );
  const query = params.size > 0 ? `?${params}` : '';
  const alerts = await alertsOf(ask, query);
  if (format === 'json') return `${JSON.stringify(alerts, null, 2)}\n`;
  if (format === 'csv') return alertsCsv(alerts);
  if (alerts.length === 0) return 'no alerts\n';
  return alerts
    .map(
      ({ id, event, kind, priority, sensor, onsetAt }) =>
        `${id.slice(0, 8)}  ${(event === 'end' ? 'ended' : 'OPEN').padEnd(6)} ${priority.padEnd(7)} ${sensor.padEnd(12)} ${kind.padEnd(26)} ${onsetAt ?? ''}\n`,
    )
    .join('');
}

/**
 * Acknowledges or snoozes. @returns a line that says until when it was granted, which may be sooner than was asked
 * @throws UsageError where it was not done, with the reason
 */
export async function silence(
  ask: Ask,
  verb: 'ack' | 'snooze',
  asked: { readonly sensor: string; readonly kind: string; readonly minutes?: number | undefined },
): Promise<string> {
  const { result } = (await ask(`alerts/${verb}`, asked)) as {
    result?: { accepted?: boolean; reason?: string; until?: string };
  };
  const { sensor, kind, minutes: wanted } = asked;
  if (result?.accepted === false) throw new UsageError(`${kind} of ${sensor}: ${result.reason ?? 'not done'}`);
  return `${kind} of ${sensor}: ${verb} ${result?.until ? `until ${result.until}` : `for ${wanted} min`}\n`;
}

/** @throws UsageError when no or more than one alert begins with `id` */
export async function showAlert(ask: Ask, id: string): Promise<string> {
  return `${JSON.stringify(await ask(`alerts/${await idOf(ask, id)}`), null, 2)}\n`;
}

export async function idOf(ask: Ask, id: string): Promise<string> {
  const found = (await alertsOf(ask, '?limit=100000')).filter((alert) => alert.id.startsWith(id));
  if (found.length !== 1) {
    throw new UsageError(found.length === 0 ? `no alert begins with ${id}` : `${found.length} alerts begin with ${id}`);
  }
  return found[0]!.id;
}

/** Writes the stretch an alert was decided on to `file`; @returns a line for a person. @throws UsageError */
export async function saveRecording(daemon: Daemon, id: string, file: string): Promise<string> {
  const found = await idOf(daemon.ask, id);
  const bytes = await daemon.download(`alerts/${found}/recording`);
  await writeFile(file, bytes, { flag: 'wx' }).catch((error: NodeJS.ErrnoException) => {
    throw new UsageError(error.code === 'EEXIST' ? `${file} is there already; it is not overwritten` : error.message);
  });
  return `${file}: ${bytes.length} bytes; \`slothd replay ${file}\` decides it again\n`;
}

async function alertsOf(ask: Ask, query = ''): Promise<ShownAlert[]> {
  const answer = await ask(`alerts${query}`);
  if (!Array.isArray(answer)) throw new UsageError('what answers there is not slothd');
  return answer as ShownAlert[];
}

/** The web server of the daemon that runs with this config. */
export async function daemonOf(configFile: string): Promise<Daemon> {
  const { http } = await loadConfig(configFile);
  if (!http.enabled || http.port === 0) {
    throw new UsageError(`${configFile}: http must be enabled and http.port fixed, so that the daemon can be asked`);
  }
  const host = http.host === '0.0.0.0' || http.host === '::' ? '127.0.0.1' : http.host;
  adoptCredentials();
  const token = await readNamed('http.tokenFile', http.tokenFile).catch((error: Error) => {
    throw new UsageError(error.message);
  });
  const base = `http://${host.includes(':') ? `[${host}]` : host}:${http.port}/`;
  const text = token?.toString('utf8').trim() ?? null;
  return { ask: askAt(base, text), download: downloadAt(base, text) };
}

/** Asks the web server at `base`. */
export function askAt(base: string, token: string | null): Ask {
  return async (path, body) => {
    const response = await send(base, token, path, body);
    const text = await response.text();
    let answer: { error?: string } | null = null;
    try {
      answer = JSON.parse(text) as { error?: string };
    } catch {
      // Refusals are plain text.
    }
    // Our refusals are one line; a page is another program's.
    if (answer === null && (response.ok || text.length > MOST_WORDS))
      throw new UsageError(`what answers at ${base} is not slothd`);
    if (!response.ok || answer === null)
      throw new UsageError(answer?.error ?? (text.trim() || `HTTP ${response.status}`));
    return answer;
  };
}

/** Takes a file from the web server at `base`. */
export function downloadAt(base: string, token: string | null): Daemon['download'] {
  return async (path) => {
    const response = await send(base, token, path);
    if (!response.ok) throw new UsageError((await response.text()).trim() || `HTTP ${response.status}`);
    return new Uint8Array(await response.arrayBuffer());
  };
}

async function send(base: string, token: string | null, path: string, body?: object): Promise<Response> {
  try {
    return await fetch(new URL(path, base), {
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
}

function minutes(text: string): number {
  const value = Number(text);
  if (!(value > 0 && value <= 24 * 60)) throw new InvalidArgumentError('It must be above 0 and at most 1440 minutes.');
  return value;
}

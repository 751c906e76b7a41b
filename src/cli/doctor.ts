import { resolve } from 'node:path';
import { Command } from 'commander';
import { ConfigError, loadConfig, SYSTEM_CONFIG } from '../config/load.js';
import type { Config } from '../config/schema.js';
import { checkSensors } from '../daemon/check-sensors.js';
import { adoptCredentials } from './credentials.js';
import { checkBroker } from './doctor/broker.js';
import { checkDisk } from './doctor/disk.js';
import { bad, type Finding, good, quoted } from './doctor/finding.js';
import { checkClock, checkMemory, checkSpeed, checkVersions, checkWear } from './doctor/machine.js';
import { checkPort, checkRivals } from './doctor/ports.js';
import { checkRuntime } from './doctor/runtime.js';
import { checkSecrets } from './doctor/secrets.js';
import { type Account, mayRead, SERVICE_USER, serviceAccount } from './doctor/service.js';
import { type System, thisMachine } from './doctor/system.js';
import { checkWeb } from './doctor/web.js';
import { checkWebhook } from './doctor/webhook.js';
import { VERSION } from './version.js';

export function doctorCommand(): Command {
  return new Command('doctor')
    .description(
      'Look at everything slothd needs on this machine, and say what to do first. Exit code 1 if something is bad.',
    )
    .option('-c, --config <file>', 'the config file', SYSTEM_CONFIG)
    .option('--json', 'as JSON')
    .action(async (options: { config: string; json?: boolean }) => {
      adoptCredentials();
      const findings = await examine(options.config, thisMachine);
      const text = options.json ? `${JSON.stringify(report(findings), null, 2)}\n` : asText(findings);
      await new Promise((written) => process.stdout.write(text, written));
      // At once: a name that a dead name server was asked for would keep the process for as long as that takes.
      process.exit(findings.some(({ state }) => state === 'bad') ? 1 : 0);
    });
}

/** All checks, in the order a person would go: machine, config, sensors, model, broker, webhook. */
export async function examine(configFile: string, system: System): Promise<Finding[]> {
  const machine = await Promise.all([
    checkVersions(VERSION, process.version, process.arch, system),
    checkClock(system),
    checkMemory(system),
    checkSpeed(system),
    checkWear(system),
    checkRivals(system),
  ]);
  let config: Config;
  try {
    config = await loadConfig(configFile);
    checkSensors(config, configFile);
  } catch (error) {
    return [...machine.flat(), bad('config', (error as Error).message, configFix(error, configFile))];
  }
  // With sudo nothing is refused to us: what counts then is the user that the service runs as.
  const service = system.isRoot && resolve(configFile) === SYSTEM_CONFIG ? await serviceAccount(system) : null;
  const use = { config: resolve(configFile), service };
  const rest = await Promise.all([
    checkReadable(configFile, config, system, service),
    checkSecrets(config, system, service),
    checkDisk(config.stateDir, system, service),
    ...config.sensors.map((sensor) => checkPort(sensor, system, use)),
    checkRuntime(config.inference, {}, config.stateDir),
    checkBroker(config),
    checkWebhook(config),
    checkWeb(config, use.config, system),
  ]);
  return [...machine.flat(), ...rest.flat()];
}

/** The config is good; may the service read it? */
async function checkReadable(
  file: string,
  { sensors }: Config,
  system: System,
  service: Account | null,
): Promise<Finding[]> {
  if (service && !(await mayRead(file, service, system)))
    return [
      bad(
        'config',
        `${file} may not be read by the service's user ${SERVICE_USER}`,
        `sudo chgrp ${SERVICE_USER} /etc/slothd ${file} && sudo chmod g+rx /etc/slothd && sudo chmod g+r ${file}`,
      ),
    ];
  return [good('config', `${file}: ${sensors.length} sensor(s)`)];
}

function configFix(error: unknown, file: string): string {
  const text = (error as Error).message;
  const name = quoted(file);
  const more = resolve(file) === SYSTEM_CONFIG ? '' : ` --config ${name}`;
  if (/there is no such file/.test(text)) return `${more ? '' : 'sudo '}slothd init${more}`;
  if (/it may not be read/.test(text)) return `sudo slothd doctor${more}`;
  if (!(error instanceof ConfigError)) return `slothd check${more}`;
  return `${more ? 'editor' : 'sudoedit'} ${name}   # mend the lines named, then: slothd check${more}`;
}

/** What alerts depend on most comes first. */
const URGENCY = [
  'config',
  'secrets',
  'sensor',
  'rivals',
  'http',
  'broker',
  'webhook',
  'model',
  'speed',
  'disk',
  'memory',
  'clock',
];

/** The bad finding to mend first; null when there is none. */
export function firstToMend(findings: readonly Finding[]): Finding | null {
  const rank = ({ check }: Finding) => {
    const at = URGENCY.indexOf(check.split(' ')[0] ?? '');
    return at < 0 ? URGENCY.length : at;
  };
  return findings.filter(({ state }) => state === 'bad').sort((a, b) => rank(a) - rank(b))[0] ?? null;
}

function report(findings: readonly Finding[]) {
  return { ok: !findings.some(({ state }) => state === 'bad'), first: firstToMend(findings), findings };
}

const MARKS = { good: 'ok  ', note: 'note', bad: 'BAD ' } as const;

/** As a person reads it; the last line says what to do first. */
export function asText(findings: readonly Finding[]): string {
  const lines = findings.map(({ check, state, says, fix }) => {
    const how = fix && state !== 'good' ? `\n      ${''.padEnd(16)} -> ${fix}` : '';
    return `${MARKS[state]}  ${check.padEnd(16)} ${says.replaceAll('\n', `\n${''.padEnd(23)}`)}${how}`;
  });
  const first = firstToMend(findings);
  lines.push('', first ? `First: ${first.says.split('\n')[0]}\n       ${first.fix}` : 'All is well.');
  return `${lines.join('\n')}\n`;
}

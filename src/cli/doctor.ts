import { Command } from 'commander';
import { loadConfig } from '../config/load.js';
import type { Config } from '../config/schema.js';
import { checkSensors } from '../daemon/check-sensors.js';
import { checkBroker } from './doctor/broker.js';
import { bad, type Finding, good } from './doctor/finding.js';
import { checkClock, checkDisk, checkMemory, checkSpeed, checkVersions, checkWear } from './doctor/machine.js';
import { checkPort, checkRivals } from './doctor/ports.js';
import { checkRuntime } from './doctor/runtime.js';
import { type System, thisMachine } from './doctor/system.js';
import { checkWebhook } from './doctor/webhook.js';
import { VERSION } from './version.js';

export function doctorCommand(): Command {
  return new Command('doctor')
    .description(
      'Look at everything slothd needs on this machine, and say what to do first. Exit code 1 if something is bad.',
    )
    .option('-c, --config <file>', 'the config file', '/etc/slothd/slothd.yaml')
    .option('--json', 'as JSON')
    .action(async (options: { config: string; json?: boolean }) => {
      const findings = await examine(options.config, thisMachine);
      process.stdout.write(options.json ? `${JSON.stringify(report(findings), null, 2)}\n` : asText(findings));
      if (findings.some(({ state }) => state === 'bad')) process.exitCode = 1;
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
    return [
      ...machine.flat(),
      bad('config', (error as Error).message, `slothd init --config ${configFile}   # or mend the lines named`),
    ];
  }
  const rest = await Promise.all([
    checkDisk(config.stateDir, system),
    ...config.sensors.map((sensor) => checkPort(sensor, system)),
    checkRuntime(config.inference, {}, config.stateDir),
    checkBroker(config),
    checkWebhook(config),
  ]);
  return [...machine.flat(), good('config', `${configFile}: ${config.sensors.length} sensor(s)`), ...rest.flat()];
}

/** What alerts depend on most comes first. */
const URGENCY = ['config', 'sensor', 'rivals', 'broker', 'webhook', 'model', 'speed', 'disk', 'memory', 'clock'];

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

import { constants } from 'node:fs';
import type { SensorSettings } from '../../config/sensors.js';
import { configOfRun, slothdVerb } from '../reload.js';
import { bad, type Finding, good, note } from './finding.js';
import { type Account, allows, groupName, isMember, SERVICE_USER } from './service.js';
import { holdersOf, type Process, processes, type System } from './system.js';

/** Whom the port is for. */
export interface PortUse {
  /** Absolute path of the config looked at; a daemon that runs with it may hold the port. */
  readonly config?: string;
  /** The service's user, where root asks for it; null: whoever runs the doctor. */
  readonly service?: Account | null;
}

/** The device of one sensor: is it there, may it be used, is it free? */
export async function checkPort(sensor: SensorSettings, system: System, use: PortUse = {}): Promise<Finding[]> {
  const check = `sensor ${sensor.name}`;
  const { link } = sensor;
  if (link.type === 'tcp')
    return [note(check, `listens to ${link.host}:${link.port}; not tried, it may allow only one`)];
  if (link.type === 'process') return [note(check, `reads what ${link.command[0]} prints; not started here`)];
  if (link.type === 'recording') {
    const there = await system.real(link.file);
    return [there ? good(check, `plays ${link.file}`) : bad(check, `${link.file} is not there`, `ls -l ${link.file}`)];
  }
  const device = await system.real(link.path);
  if (!device) {
    return [bad(check, `${link.path} is not there: the sensor is unplugged or has another name`, 'slothd ports')];
  }
  const mode = (await system.owner(device))?.mode;
  if (mode !== undefined && (mode & constants.S_IFMT) !== constants.S_IFCHR)
    return [bad(check, `${link.path} is no serial port, but a file or a folder`, 'slothd ports')];
  const findings: Finding[] = [];
  findings.push(...(await checkRights(check, device, system, use.service ?? null)));
  for (const holder of await holdersOf(device, system)) {
    const name = await rivalName(holder, use.config, system);
    if (name)
      findings.push(bad(check, `${device} is held by ${name} (process ${holder.pid})`, `sudo kill ${holder.pid}`));
  }
  if (
    !link.path.startsWith('/dev/serial/') &&
    !link.path.startsWith('/dev/slothd/') &&
    /tty(USB|ACM)\d+$/.test(link.path)
  ) {
    findings.push(note(check, `${link.path} is a name that may change at the next plug-in`, 'slothd ports'));
  }
  if (findings.length > 0) return findings;
  const free = system.isRoot ? 'free' : 'held by no program of yours (sudo sees those of others)';
  return [good(check, `${link.path} is there, ${free} and may be used`)];
}

/** May the port be read and written, by whom it is for? */
async function checkRights(check: string, device: string, system: System, service: Account | null): Promise<Finding[]> {
  const owner = await system.owner(device);
  if (service ? !owner || allows(owner, service, 0o6) : await system.mayReadAndWrite(device)) return [];
  const who = service ? `the service's user ${SERVICE_USER}` : system.user;
  const group = owner ? await groupName(owner.gid, system) : 'dialout';
  // A group that may itself not use the port, or root's, is none to join.
  const joinable = !owner || (owner.gid !== 0 && (owner.mode & 0o060) === 0o060);
  if (!joinable)
    return [
      bad(
        check,
        `${who} may not use ${device}: it is open to ${group === 'root' ? 'root alone' : 'its owner alone'}`,
        `sudo chgrp dialout ${device} && sudo chmod g+rw ${device}   # until it is plugged in again`,
      ),
    ];
  const user = service ? SERVICE_USER : system.user;
  if (!service && (await isMember(user, group, system)))
    return [
      bad(check, `${who} may not use ${device} before a new login`, `newgrp ${group}   # or log out and in again`),
    ];
  const then = service
    ? 'then: sudo systemctl restart slothd'
    : "then log in again; the service's user is in it already";
  return [bad(check, `${who} may not use ${device}`, `sudo usermod -aG ${group} ${user}   # ${then}`)];
}

/** What a holder of the port is called; null for the daemon that this config is for. */
async function rivalName({ pid, name }: Process, config: string | undefined, system: System): Promise<string | null> {
  const words = ((await system.text(`/proc/${pid}/cmdline`)) ?? '').split('\0').filter(Boolean);
  const verb = slothdVerb(words);
  if (verb === 'run') {
    const other = await configOfRun(pid, words, system);
    return config === undefined || other === config ? null : `another slothd, that of ${other}`;
  }
  if (verb !== null) return `slothd ${verb}`;
  // Node and Python say only what runs them; the script is what a person knows.
  const script = /^(node|python|MainThread)/i.test(name)
    ? words.slice(1).find((word) => !word.startsWith('-'))
    : undefined;
  return script ? `${name} ${script}` : name;
}

/** Programs known to take serial ports away from their owners. */
const RIVALS: readonly {
  readonly name: string;
  readonly does: string;
  readonly fix: string;
  /** Files of it that make it come by itself, at the start or when an adapter is plugged in. */
  readonly comesBy: readonly string[];
}[] = [
  {
    name: 'ModemManager',
    does: 'sends modem commands to serial ports it does not know',
    fix: 'sudo systemctl disable --now ModemManager   # or install the udev rules of slothd',
    comesBy: ['/etc/systemd/system/multi-user.target.wants/ModemManager.service'],
  },
  {
    name: 'brltty',
    does: 'takes USB serial adapters for Braille displays and detaches them',
    fix: 'sudo systemctl mask --now brltty-udev brltty   # or: sudo apt remove brltty',
    comesBy: ['/usr/lib/udev/rules.d/85-brltty.rules', '/usr/lib/udev/rules.d/90-brltty-device.rules'],
  },
];

const RULES = ['/etc/udev/rules.d/60-slothd.rules', '/usr/lib/udev/rules.d/60-slothd.rules'];

/** ModemManager and brltty: harmless only where the udev rules hold them off. */
export async function checkRivals(system: System): Promise<Finding[]> {
  const running = new Set((await processes(system)).map(({ name }) => name));
  const ruled = await hasRules(system);
  const findings: Finding[] = [];
  for (const { name, does, fix, comesBy } of RIVALS) {
    if (running.has(name))
      findings.push(
        ruled
          ? good('rivals', `${name} runs; the udev rules of slothd keep it away from sensors' adapters`)
          : bad('rivals', `${name} runs: it ${does}`, fix),
      );
    else if (!ruled && (await Promise.all(comesBy.map((path) => system.real(path)))).some(Boolean))
      findings.push(note('rivals', `${name} is not running, but comes by itself: it ${does}`, fix));
  }
  return findings.length > 0 ? findings : [good('rivals', 'no program that grabs serial ports is running')];
}

/** udev takes a name from /etc before that of /usr/lib, and a link to /dev/null for none. */
async function hasRules(system: System): Promise<boolean> {
  for (const path of RULES) {
    const file = await system.real(path);
    if (file !== null) return file !== '/dev/null';
  }
  return false;
}

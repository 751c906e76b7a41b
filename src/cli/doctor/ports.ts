import type { SensorSettings } from '../../config/sensors.js';
import { bad, type Finding, good, note } from './finding.js';
import { holdersOf, processes, type System } from './system.js';

/** The device of one sensor: is it there, may it be used, is it free? */
export async function checkPort(sensor: SensorSettings, system: System): Promise<Finding[]> {
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
  const findings: Finding[] = [];
  if (!(await system.mayReadAndWrite(device))) {
    findings.push(
      bad(
        check,
        `${system.user} may not use ${device}`,
        `sudo usermod -aG dialout ${system.user}   # then log in again; the service's user is in it already`,
      ),
    );
  }
  const rivals = (await holdersOf(device, system)).filter(({ name }) => name !== 'slothd' && !name.startsWith('node'));
  for (const { pid, name } of rivals) {
    findings.push(bad(check, `${device} is held by ${name} (process ${pid})`, `sudo kill ${pid}`));
  }
  if (
    !link.path.startsWith('/dev/serial/') &&
    !link.path.startsWith('/dev/slothd/') &&
    /tty(USB|ACM)\d+$/.test(link.path)
  ) {
    findings.push(note(check, `${link.path} is a name that may change at the next plug-in`, 'slothd ports'));
  }
  return findings.length > 0 ? findings : [good(check, `${link.path} is there, free and may be used`)];
}

/** Programs known to take serial ports away from their owners. */
const RIVALS: Readonly<Record<string, { readonly does: string; readonly fix: string }>> = {
  ModemManager: {
    does: 'sends modem commands to serial ports it does not know',
    fix: 'sudo systemctl disable --now ModemManager   # or install the udev rules of slothd',
  },
  brltty: {
    does: 'takes USB serial adapters for Braille displays and detaches them',
    fix: 'sudo systemctl mask --now brltty-udev brltty   # or: sudo apt remove brltty',
  },
};

const RULES = ['/usr/lib/udev/rules.d/60-slothd.rules', '/etc/udev/rules.d/60-slothd.rules'];

/** ModemManager and brltty: harmless only where the udev rules hold them off. */
export async function checkRivals(system: System): Promise<Finding[]> {
  const running = (await processes(system)).filter(({ name }) => name in RIVALS);
  if (running.length === 0) return [good('rivals', 'no program that grabs serial ports is running')];
  const ruled = (await Promise.all(RULES.map((path) => system.real(path)))).some((path) => path !== null);
  return running.map(({ name }) => {
    const { does, fix } = RIVALS[name]!;
    return ruled
      ? good('rivals', `${name} runs; the udev rules of slothd keep it away from sensors' adapters`)
      : bad('rivals', `${name} runs: it ${does}`, fix);
  });
}

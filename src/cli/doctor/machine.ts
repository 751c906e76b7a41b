import { bad, type Finding, good, note } from './finding.js';
import type { System } from './system.js';

/** Before this the clock was never set: a Pi without a battery clock starts where it was shut down, or at 1970. */
const EARLIEST_PLAUSIBLE_MS = Date.UTC(2025, 0, 1);

/** systemd-timesyncd touches this file at each synchronisation. */
const TIMESYNC_MARK = '/run/systemd/timesync/synchronized';

/** Times in alerts are only as good as the clock. */
export async function checkClock(system: System): Promise<Finding[]> {
  if (system.wallMs() < EARLIEST_PLAUSIBLE_MS) {
    const day = new Date(system.wallMs()).toISOString().slice(0, 10);
    return [bad('clock', `the clock says ${day}: it was never set`, 'sudo timedatectl set-ntp true')];
  }
  const told =
    (await system.run('timedatectl', ['show', '--property=NTPSynchronized', '--value'])) ??
    ((await system.real(TIMESYNC_MARK)) ? 'yes' : null);
  const rtc = (await system.list('/sys/class/rtc')).length > 0;
  const findings: Finding[] = [];
  if (told === null)
    findings.push(note('clock', 'plausible; nothing here can tell whether it is synchronised', 'timedatectl status'));
  else if (told.trim() === 'yes') findings.push(good('clock', 'synchronised'));
  else findings.push(bad('clock', 'not synchronised: times in alerts may be wrong', 'sudo timedatectl set-ntp true'));
  if (!rtc) {
    findings.push(
      note(
        'clock',
        'no battery-backed clock: after a power cut without a network, times are wrong until it is back',
        'sudo apt install fake-hwclock   # or a clock module; for a DS3231 on a Pi: dtoverlay=i2c-rtc,ds3231 in /boot/firmware/config.txt',
      ),
    );
  }
  return findings;
}

/** eMMC and SD cards that tell their wear: 0x01 is 0 to 10 % used, 0x0B worn out (JEDEC eMMC 5.0, DEVICE_LIFE_TIME_EST). */
export async function checkWear(system: System): Promise<Finding[]> {
  const findings: Finding[] = [];
  for (const name of await system.list('/sys/block')) {
    const text = await system.text(`/sys/block/${name}/device/life_time`);
    if (text === null) continue;
    const worst = Math.max(
      ...text
        .trim()
        .split(/\s+/)
        .map((part) => Number.parseInt(part, 16) || 0),
    );
    if (worst >= 0x0a)
      findings.push(
        bad('wear', `${name} is worn out (over 90 % of its life)`, 'lsblk   # then copy the card to a new one'),
      );
    else if (worst > 0) findings.push(good('wear', `${name}: at most ${worst * 10} % of its life is used`));
  }
  return findings;
}

/** What mends these is no command; the command shows that it did. */
const SUPPLY = 'vcgencmd get_throttled   # 0x0 is well, once it has the 5 V supply made for this Pi and a short cable';
const COOLING = 'cat /sys/class/thermal/thermal_zone0/temp   # thousandths of a degree; give it a heat sink or a fan';

/** Linux on a Pi slows down by itself, and tells why only in one file of its firmware. */
export async function checkSpeed(system: System): Promise<Finding[]> {
  const findings: Finding[] = [];
  const governor = (await system.text('/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor'))?.trim();
  if (governor === 'powersave') {
    findings.push(
      note(
        'speed',
        'the CPU governor is powersave: scores take longer',
        'echo schedutil | sudo tee /sys/devices/system/cpu/cpu*/cpufreq/scaling_governor',
      ),
    );
  }
  const flags = await throttlingFlags(system);
  if (flags !== null) {
    // Bits as the Raspberry Pi documentation lists them for `vcgencmd get_throttled`: 0 to 3 now, 16 to 19 since boot.
    if (flags & 0x1) findings.push(bad('speed', 'under-voltage right now', SUPPLY));
    else if (flags & 0x10000) findings.push(bad('speed', 'there was under-voltage since the start', SUPPLY));
    if (flags & 0xe) findings.push(bad('speed', 'slowed down right now, for heat or power', COOLING));
    else if (flags & 0xe0000)
      findings.push(note('speed', 'was slowed down since the start, for heat or power', COOLING));
  }
  const heat = Number(await system.text('/sys/class/thermal/thermal_zone0/temp')) / 1000;
  if (heat >= 80) findings.push(bad('speed', `${heat.toFixed(0)} °C: the CPU slows down`, COOLING));
  return findings.length > 0 ? findings : [good('speed', 'nothing slows this machine down')];
}

async function throttlingFlags(system: System): Promise<number | null> {
  const file = await system.text('/sys/devices/platform/soc/soc:firmware/get_throttled');
  const text = file ?? (await system.run('vcgencmd', ['get_throttled']))?.replace('throttled=0x', '') ?? '';
  const value = Number.parseInt(text, 16);
  return Number.isFinite(value) ? value : hwmonFlags(system);
}

/** The kernel's own watch on the supply (driver raspberrypi-hwmon): an alarm since it was last read. */
async function hwmonFlags(system: System): Promise<number | null> {
  for (const name of await system.list('/sys/class/hwmon')) {
    if ((await system.text(`/sys/class/hwmon/${name}/name`))?.trim() !== 'rpi_volt') continue;
    return (await system.text(`/sys/class/hwmon/${name}/in0_lcrit_alarm`))?.trim() === '1' ? 0x10000 : 0;
  }
  return null;
}

/** What the daemon and the model host together are allowed by the unit (MemoryHigh), rounded. */
const NEEDED_MB = 200;

export async function checkMemory(system: System): Promise<Finding[]> {
  const kB = /^MemAvailable:\s+(\d+) kB/m.exec((await system.text('/proc/meminfo')) ?? '')?.[1];
  if (kB === undefined) return [note('memory', 'cannot be read')];
  const freeMB = Math.round(Number(kB) / 1000);
  return freeMB < NEEDED_MB
    ? [bad('memory', `${freeMB} MB available, slothd wants ${NEEDED_MB}`, 'ps -eo rss,comm --sort=-rss | head')]
    : [good('memory', `${freeMB} MB available`)];
}

/** A line for a bug report. */
export async function checkVersions(slothd: string, node: string, arch: string, system: System): Promise<Finding[]> {
  const os = /^PRETTY_NAME="?([^"\n]*)/m.exec((await system.text('/etc/os-release')) ?? '')?.[1] ?? 'unknown system';
  const kernel = (await system.text('/proc/sys/kernel/osrelease'))?.trim() ?? 'unknown kernel';
  const says = `slothd ${slothd}, Node ${node}, ${arch}, ${os}, Linux ${kernel}`;
  const [major = 0, minor = 0] = node.replace(/^v/, '').split('.').map(Number);
  // engines of package.json: >= 20.19.
  if (major < 20 || (major === 20 && minor < 19))
    return [
      bad(
        'versions',
        `${says}: Node is too old, 20.19 is needed`,
        'sudo apt install ./slothd_*.deb   # it brings its own Node; or: nvm install 22',
      ),
    ];
  if (arch !== 'x64' && arch !== 'arm64')
    return [note('versions', `${says}: no native model runtime for ${arch}; the WASM one is used`)];
  return [good('versions', says)];
}

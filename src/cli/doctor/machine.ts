import { bad, type Finding, good, note } from './finding.js';
import type { System } from './system.js';

/** Before this the clock was never set: a Pi without a battery clock starts where it was shut down, or at 1970. */
const EARLIEST_PLAUSIBLE_MS = Date.UTC(2025, 0, 1);

/** Times in alerts are only as good as the clock. */
export async function checkClock(system: System): Promise<Finding[]> {
  if (system.wallMs() < EARLIEST_PLAUSIBLE_MS) {
    const day = new Date(system.wallMs()).toISOString().slice(0, 10);
    return [bad('clock', `the clock says ${day}: it was never set`, 'sudo timedatectl set-ntp true')];
  }
  const told = await system.run('timedatectl', ['show', '--property=NTPSynchronized', '--value']);
  const rtc = (await system.list('/sys/class/rtc')).length > 0;
  const findings: Finding[] = [];
  if (told === null) findings.push(note('clock', 'plausible; nothing here can tell whether it is synchronised'));
  else if (told.trim() === 'yes') findings.push(good('clock', 'synchronised'));
  else findings.push(bad('clock', 'not synchronised: times in alerts may be wrong', 'sudo timedatectl set-ntp true'));
  if (!rtc) {
    findings.push(
      note('clock', 'no battery-backed clock: after a power cut without a network, times are wrong until it is back'),
    );
  }
  return findings;
}

/** The outbox's default bound and room for compaction. */
const LOW_BYTES = 100e6;
const LOW_INODES = 1000;

/** Room for what must survive, and whether it may be written. */
export async function checkDisk(stateDir: string, system: System): Promise<Finding[]> {
  let folder = stateDir;
  let disk = await system.disk(folder);
  // The daemon makes the folder itself: judge the nearest one that is there.
  while (!disk && folder.includes('/') && folder !== '/') {
    folder = folder.slice(0, folder.lastIndexOf('/')) || '/';
    disk = await system.disk(folder);
  }
  if (!disk) disk = await system.disk('.');
  if (!disk) return [bad('disk', `${stateDir} cannot be looked at`, `ls -ld ${stateDir}`)];
  const findings: Finding[] = [];
  const free = `${(disk.freeBytes / 1e6).toFixed(0)} MB free`;
  if (disk.freeBytes < LOW_BYTES) {
    findings.push(
      bad(
        'disk',
        `${free} for ${stateDir}: alerts that wait for the broker may be lost`,
        'sudo apt clean && sudo journalctl --vacuum-size=50M',
      ),
    );
  }
  if (disk.inodes > 0 && disk.freeInodes < LOW_INODES) {
    findings.push(
      bad('disk', `${disk.freeInodes} inodes left for ${stateDir}`, `sudo du --inodes -x / | sort -n | tail`),
    );
  }
  return findings.length > 0 ? findings : [good('disk', `${free} for ${stateDir}`)];
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
      findings.push(bad('wear', `${name} is worn out (over 90 % of its life)`, 'copy the card to a new one'));
    else if (worst > 0) findings.push(good('wear', `${name}: at most ${worst * 10} % of its life is used`));
  }
  return findings;
}

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
    if (flags & 0x1)
      findings.push(bad('speed', 'under-voltage right now', 'use the 5 V supply made for this Pi, and a short cable'));
    else if (flags & 0x10000)
      findings.push(
        bad(
          'speed',
          'there was under-voltage since the start',
          'use the 5 V supply made for this Pi, and a short cable',
        ),
      );
    if (flags & 0xe)
      findings.push(bad('speed', 'slowed down right now, for heat or power', 'give it a heat sink or a fan'));
    else if (flags & 0xe0000)
      findings.push(
        note('speed', 'was slowed down since the start, for heat or power', 'give it a heat sink or a fan'),
      );
  }
  const heat = Number(await system.text('/sys/class/thermal/thermal_zone0/temp')) / 1000;
  if (heat >= 80)
    findings.push(bad('speed', `${heat.toFixed(0)} °C: the CPU slows down`, 'give it a heat sink or a fan'));
  return findings.length > 0 ? findings : [good('speed', 'nothing slows this machine down')];
}

async function throttlingFlags(system: System): Promise<number | null> {
  const file = await system.text('/sys/devices/platform/soc/soc:firmware/get_throttled');
  const text = file ?? (await system.run('vcgencmd', ['get_throttled']))?.replace('throttled=0x', '') ?? '';
  const value = Number.parseInt(text, 16);
  return Number.isFinite(value) ? value : null;
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
    return [bad('versions', `${says}: Node is too old`, 'install the Debian package: it brings its own Node')];
  if (arch !== 'x64' && arch !== 'arm64')
    return [note('versions', `${says}: no native model runtime for ${arch}; the WASM one is used`)];
  return [good('versions', says)];
}

import { dirname, join, resolve } from 'node:path';
import { bad, type Finding, good, quoted } from './finding.js';
import { type Account, allows, SERVICE_USER } from './service.js';
import type { DiskFigures, System } from './system.js';

/** The outbox's default bound and room for compaction. */
const LOW_BYTES = 100e6;
const LOW_INODES = 1000;

/**
 * Room for what must survive, and whether it may be written.
 * @param service the service's user, where root asks for it
 */
export async function checkDisk(stateDir: string, system: System, service: Account | null = null): Promise<Finding[]> {
  // The daemon makes the folder itself: judge the nearest one that is there.
  let folder = resolve(stateDir);
  let disk = await system.disk(folder);
  while (!disk && folder !== '/') {
    folder = dirname(folder);
    disk = await system.disk(folder);
  }
  if (!disk) return [bad('disk', `${stateDir} cannot be looked at`, `ls -ld ${quoted(stateDir)}`)];
  const findings = [...(await checkWritable(folder, stateDir, system, service)), ...checkRoom(disk, stateDir)];
  return findings.length > 0 ? findings : [good('disk', `${freeMB(disk)} free for ${stateDir}`)];
}

const freeMB = ({ freeBytes }: DiskFigures) => `${(freeBytes / 1e6).toFixed(0)} MB`;

function checkRoom(disk: DiskFigures, stateDir: string): Finding[] {
  const findings: Finding[] = [];
  if (disk.freeBytes < LOW_BYTES) {
    findings.push(
      bad(
        'disk',
        `${freeMB(disk)} free for ${stateDir}: alerts that wait for the broker may be lost`,
        'sudo apt clean && sudo journalctl --vacuum-size=50M',
      ),
    );
  }
  if (disk.inodes > 0 && disk.freeInodes < LOW_INODES) {
    findings.push(
      bad('disk', `${disk.freeInodes} inodes left for ${stateDir}`, `sudo du --inodes -x / | sort -n | tail`),
    );
  }
  return findings;
}

/** Without the disk slothd works on from memory, and a power cut takes what was not sent yet. */
async function checkWritable(
  folder: string,
  stateDir: string,
  system: System,
  service: Account | null,
): Promise<Finding[]> {
  const there = folder === resolve(stateDir);
  for (const path of there ? [folder, join(folder, 'store')] : [folder]) {
    const why = await system.whyNotWritable(path);
    if (why === 'EROFS')
      return [
        bad(
          'disk',
          `${path} is on a read-only file system: a power cut would take the alerts that wait`,
          `sudo mount -o remount,rw "$(findmnt -no TARGET -T ${quoted(path)})"   # if that fails: dmesg | tail`,
        ),
      ];
    if (service) {
      // A folder that is not there yet is made by systemd, as the service's own.
      const owner = there ? await system.owner(path) : null;
      if (owner && !allows(owner, service, 0o3))
        return [
          bad(
            'disk',
            `${path} may not be written by the service's user ${SERVICE_USER}`,
            `sudo chown -R ${SERVICE_USER}:${SERVICE_USER} ${quoted(stateDir)} && sudo systemctl restart slothd`,
          ),
        ];
    } else if (why !== null && why !== 'ENOENT') {
      const user = quoted(system.user);
      const own = there ? `sudo chown -R ${user} ${quoted(folder)}` : `sudo install -d -o ${user} ${quoted(stateDir)}`;
      return [
        bad(
          'disk',
          `${stateDir} may not be written by ${system.user}`,
          `${own}   # or set stateDir to a folder of yours`,
        ),
      ];
    }
  }
  return [];
}

import { dirname, resolve } from 'node:path';
import type { Owner, System } from './system.js';

/** The user the package's service runs as, and the group of serial ports that its unit gives it. */
export const SERVICE_USER = 'slothd';
const SERVICE_GROUP = 'dialout';

/** A user by numbers: root may do everything, so what the service may do is judged from these. */
export interface Account {
  readonly uid: number;
  readonly gids: readonly number[];
}

/** The service's user; null where the package is not installed. */
export async function serviceAccount(system: System): Promise<Account | null> {
  const line = (await rows('/etc/passwd', system)).find(([name]) => name === SERVICE_USER);
  if (!line) return null;
  const groups = (await rows('/etc/group', system)).filter(
    ([name, , , members]) => name === SERVICE_GROUP || members?.split(',').includes(SERVICE_USER),
  );
  return { uid: Number(line[2]), gids: [Number(line[3]), ...groups.map(([, , gid]) => Number(gid))] };
}

/** The name of a group; its number where it has none. */
export async function groupName(gid: number, system: System): Promise<string> {
  return (await rows('/etc/group', system)).find(([, , id]) => id === String(gid))?.[0] ?? String(gid);
}

/** Whether a user is named in a group, be it that only a new login makes it count. */
export async function isMember(user: string, group: string, system: System): Promise<boolean> {
  const line = (await rows('/etc/group', system)).find(([name]) => name === group);
  return line?.[3]?.split(',').includes(user) ?? false;
}

/** @param bits as in a mode: 4 to read, 2 to write, 1 to enter */
export function allows({ uid, gid, mode }: Owner, account: Account, bits: number): boolean {
  if (account.uid === 0) return true;
  const shift = uid === account.uid ? 6 : account.gids.includes(gid) ? 3 : 0;
  return ((mode >> shift) & bits) === bits;
}

/** Whether a user may read a file, by its mode and those of the folders above it. */
export async function mayRead(file: string, account: Account, system: System): Promise<boolean> {
  const owner = await system.owner(file);
  if (!owner || !allows(owner, account, 0o4)) return false;
  for (let folder = dirname(resolve(file)); folder !== '/'; folder = dirname(folder)) {
    const above = await system.owner(folder);
    if (above && !allows(above, account, 0o1)) return false;
  }
  return true;
}

/** Lines of a file of accounts (passwd(5), group(5)) as their fields. */
async function rows(file: string, system: System): Promise<string[][]> {
  return ((await system.text(file)) ?? '').split('\n').map((line) => line.trim().split(':'));
}

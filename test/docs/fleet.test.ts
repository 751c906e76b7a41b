import { spawnSync } from 'node:child_process';
import { copyFileSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { homedir, tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';

/** The files of config/fleet, as docs/fleet.md has them used. `npm run bench:fleet` runs the whole cluster. */

const fleet = join(import.meta.dirname, '../../config/fleet');
let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'slothd-fleet-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const makeUsers = (...args: string[]) =>
  spawnSync(process.execPath, [join(fleet, 'make-users.mjs'), ...args], { encoding: 'utf8' });

test('each device gets rights below its own root, MQTT alone, and a password that stays', () => {
  expect(makeUsers(folder, 'pi-1', 'pi-2').status).toBe(0);
  const users = readFileSync(join(folder, 'users.conf'), 'utf8');
  const password = readFileSync(join(folder, 'passwords/pi-1'), 'utf8').trim();
  const own = users.slice(users.indexOf('"pi-1"'), users.indexOf('"pi-2"'));
  expect(own).toContain(password);
  expect(own).toContain('publish: { allow: ["slothd.pi-1.>"] }');
  expect(own).toContain('allowed_connection_types: ["MQTT"]');
  expect(own).not.toContain('pi-2');
  expect(statSync(join(folder, 'passwords/pi-1')).mode & 0o077).toBe(0);
  expect(statSync(join(folder, 'users.conf')).mode & 0o077).toBe(0);

  writeFileSync(join(folder, 'names'), 'pi-1\npi-3\n');
  expect(makeUsers(folder, '--names', join(folder, 'names')).status).toBe(0);
  const again = readFileSync(join(folder, 'users.conf'), 'utf8');
  expect(again).toContain(password);
  expect(again).not.toContain('"pi-2"');
});

test('a name that would widen the rights is refused', () => {
  for (const name of ['*', '>', 'a.b', 'a b', '"x']) {
    const { status, stderr } = makeUsers(folder, name);
    expect(status, name).toBe(1);
    expect(stderr).toContain('not a device name');
  }
  expect(makeUsers(folder).stderr).toContain('usage:');
});

test('nats-server takes the config', ({ skip }) => {
  const server = [process.env.NATS_SERVER ?? 'nats-server', join(homedir(), 'go/bin/nats-server')].find(
    (path) => spawnSync(path, ['--version']).status === 0,
  );
  if (!server) skip('nats-server is not installed: go install github.com/nats-io/nats-server/v2@latest');
  makeUsers(folder, 'pi-1');
  copyFileSync(join(fleet, 'node.conf'), join(folder, 'node.conf'));
  writeFileSync(join(folder, 'routes.conf'), 'routes: ["nats://10.0.0.1:6222", "nats://10.0.0.2:6222"]\n');
  const { status, stderr } = spawnSync(server!, ['-t', '-c', join(folder, 'node.conf')], {
    encoding: 'utf8',
    env: {
      ...process.env,
      FLEET_NODE: 'fleet-1',
      FLEET_CLIENT: '"0.0.0.0:4222"',
      FLEET_MQTT: '"0.0.0.0:1883"',
      FLEET_CLUSTER: '"0.0.0.0:6222"',
      FLEET_MONITOR: '"127.0.0.1:8222"',
    },
  });
  expect(stderr).toContain('configuration file');
  expect(status, stderr).toBe(0);
});

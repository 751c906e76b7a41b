import { createServer as createHttpServer } from 'node:http';
import { createServer } from 'node:net';
import { Aedes } from 'aedes';
import { describe, expect, it } from 'vitest';
import { checkBroker } from '../../../src/cli/doctor/broker.js';
import { checkDisk } from '../../../src/cli/doctor/disk.js';
import { checkClock, checkMemory, checkSpeed, checkVersions, checkWear } from '../../../src/cli/doctor/machine.js';
import { checkPort, checkRivals } from '../../../src/cli/doctor/ports.js';
import { checkRuntime } from '../../../src/cli/doctor/runtime.js';
import { checkSecrets } from '../../../src/cli/doctor/secrets.js';
import { checkWeb } from '../../../src/cli/doctor/web.js';
import { asText, firstToMend } from '../../../src/cli/doctor.js';
import { parseConfig } from '../../../src/config/load.js';
import type { Config } from '../../../src/config/schema.js';
import { WASM_RUNTIME } from '../../../src/inference/host/messages.js';
import { spawnHost } from '../../../src/inference/host/spawn.js';
import { HOST_ENTRY } from '../../inference/helpers.js';
import { fakeSystem } from './fake-system.js';

const BY_ID = '/dev/serial/by-id/usb-Arduino-if00';
const states = (findings: readonly { state: string }[]) => findings.map(({ state }) => state);

function config(more: string): Config {
  return parseConfig(
    `sensors: [{ name: a, format: ad8232, link: { type: serial, path: '${BY_ID}' } }]\n${more}`,
    'test.yaml',
  );
}

describe('port', () => {
  const sensor = config('').sensors[0]!;
  const plugged = { files: { '/dev/ttyUSB0': '' }, links: { [BY_ID]: '/dev/ttyUSB0' } };

  it('is content with a free port it may use', async () => {
    expect(states(await checkPort(sensor, fakeSystem(plugged)))).toEqual(['good']);
  });

  it('says that the sensor is unplugged', async () => {
    const [finding] = await checkPort(sensor, fakeSystem({}));
    expect(finding).toMatchObject({ state: 'bad', fix: 'slothd ports' });
  });

  it('gives the command that mends missing rights', async () => {
    const [finding] = await checkPort(sensor, fakeSystem({ ...plugged, forbidden: ['/dev/ttyUSB0'] }));
    expect(finding).toMatchObject({ state: 'bad', says: 'anna may not use /dev/ttyUSB0' });
    expect(finding!.fix).toContain('usermod -aG dialout anna');
  });

  it('names the program that holds the port, through its open files', async () => {
    const system = fakeSystem({
      files: { ...plugged.files, '/proc/77/comm': 'minicom\n', '/proc/78/comm': 'sshd\n' },
      links: { ...plugged.links, '/proc/77/fd/5': '/dev/ttyUSB0', '/proc/78/fd/5': '/dev/null' },
    });
    expect(await checkPort(sensor, system)).toMatchObject([{ state: 'bad', fix: 'sudo kill 77' }]);
  });

  it('does not take the daemon itself for a rival, but another one, and any other program of Node', async () => {
    const holder = (cmdline: string) =>
      fakeSystem({
        files: { ...plugged.files, '/proc/77/comm': 'node\n', '/proc/77/cmdline': cmdline.replaceAll(' ', '\0') },
        links: { ...plugged.links, '/proc/77/fd/5': '/dev/ttyUSB0' },
      });
    const of = (cmdline: string) => checkPort(sensor, holder(cmdline), { config: '/etc/slothd/slothd.yaml' });
    const run = 'node /usr/lib/slothd/dist/main.js run';
    expect(states(await of(`${run} --config /etc/slothd/slothd.yaml`))).toEqual(['good']);
    expect((await of(`${run} -c /home/anna/x.yaml`))[0]?.says).toContain('another slothd, that of /home/anna/x.yaml');
    expect((await of('node /usr/bin/node-red --safe'))[0]?.says).toContain('node /usr/bin/node-red');
  });

  it('does not take who keeps the other end of a virtual port for a rival', async () => {
    const link = { type: 'serial' as const, path: '/dev/pts/4' };
    const files = { '/dev/pts/4': '', '/proc/77/comm': 'socat\n', '/proc/77/fdinfo/3': 'pos:\t0\ntty-index:\t4\n' };
    const links = { '/proc/77/fd/3': '/dev/pts/ptmx', '/proc/77/fd/5': '/dev/pts/4' };
    expect(states(await checkPort({ ...sensor, link }, fakeSystem({ files, links })))).toEqual(['good']);
    const other = { ...files, '/proc/77/fdinfo/3': 'tty-index:\t9\n' };
    expect(states(await checkPort({ ...sensor, link }, fakeSystem({ files: other, links })))).toEqual(['bad']);
  });

  it('knows a group that is new to the user, and a port that no group may use', async () => {
    const etc = { '/etc/group': 'uucp:x:14:anna\ndialout:x:20:\n' };
    const at = (gid: number, mode: number) =>
      checkPort(
        sensor,
        fakeSystem({
          ...plugged,
          files: { ...plugged.files, ...etc },
          forbidden: ['/dev/ttyUSB0'],
          owners: { '/dev/ttyUSB0': { uid: 0, gid, mode: 0o020000 | mode } },
        }),
      );
    expect((await at(20, 0o660))[0]?.fix).toContain('usermod -aG dialout anna');
    expect((await at(14, 0o660))[0]?.fix).toContain('newgrp uucp');
    expect((await at(20, 0o600))[0]?.fix).toContain('chmod g+rw /dev/ttyUSB0');
  });

  it('asks for the service where root asks: nothing is refused to root itself', async () => {
    const service = { uid: 999, gids: [999, 20] };
    const at = (gid: number) =>
      fakeSystem({ ...plugged, isRoot: true, owners: { '/dev/ttyUSB0': { uid: 0, gid, mode: 0o020660 } } });
    expect(states(await checkPort(sensor, at(20), { service }))).toEqual(['good']);
    const [finding] = await checkPort(sensor, at(5), { service });
    expect(finding?.says).toContain("the service's user slothd may not use /dev/ttyUSB0");
  });

  it('says of a file that it is no port', async () => {
    const owners = { '/dev/ttyUSB0': { uid: 0, gid: 0, mode: 0o100644 } };
    expect((await checkPort(sensor, fakeSystem({ ...plugged, owners })))[0]?.says).toContain('is no serial port');
  });

  it('notes a name that changes at the next plug-in', async () => {
    const loose = { ...sensor, link: { type: 'serial' as const, path: '/dev/ttyUSB0' } };
    expect(states(await checkPort(loose, fakeSystem(plugged)))).toEqual(['note']);
  });
});

describe('rivals', () => {
  it.each(['ModemManager', 'brltty'])('names %s and how to stop it', async (name) => {
    const [finding] = await checkRivals(fakeSystem({ files: { '/proc/9/comm': `${name}\n` } }));
    expect(finding).toMatchObject({ state: 'bad' });
    expect(finding!.fix).toContain(name);
  });

  it('is content where the udev rules hold it off', async () => {
    const files = { '/proc/9/comm': 'ModemManager\n', '/usr/lib/udev/rules.d/60-slothd.rules': '' };
    expect(states(await checkRivals(fakeSystem({ files })))).toEqual(['good']);
    const masked = { '/etc/udev/rules.d/60-slothd.rules': '/dev/null' };
    const system = fakeSystem({ files: { ...files, '/dev/null': '' }, links: masked });
    expect(states(await checkRivals(system))).toEqual(['bad']);
  });

  it('notes one that comes with the next adapter', async () => {
    const files = { '/usr/lib/udev/rules.d/85-brltty.rules': '' };
    expect(states(await checkRivals(fakeSystem({ files })))).toEqual(['note']);
  });
});

describe('clock', () => {
  const rtc = { '/sys/class/rtc/rtc0': '' };

  it('is content with a synchronised clock', async () => {
    expect(states(await checkClock(fakeSystem({ files: rtc, programs: { timedatectl: 'yes\n' } })))).toEqual(['good']);
  });

  it('finds a clock that is not synchronised, and no battery clock', async () => {
    expect(states(await checkClock(fakeSystem({ programs: { timedatectl: 'no\n' } })))).toEqual(['bad', 'note']);
  });

  it('finds a clock that was never set', async () => {
    const [finding] = await checkClock(fakeSystem({ wallMs: 0, programs: { timedatectl: 'yes\n' } }));
    expect(finding).toMatchObject({ state: 'bad', says: 'the clock says 1970-01-01: it was never set' });
  });
});

describe('disk', () => {
  const roomy = { freeBytes: 5e9, freeInodes: 1e6, inodes: 2e6 };

  it.each([
    ['room', roomy, ['good']],
    ['a full disk', { ...roomy, freeBytes: 1e6 }, ['bad']],
    ['no inodes left', { ...roomy, freeInodes: 3 }, ['bad']],
    ['a file system that counts no inodes', { ...roomy, freeInodes: 0, inodes: 0 }, ['good']],
  ])('%s', async (_name, disk, expected) => {
    expect(states(await checkDisk('/var/lib/slothd', fakeSystem({ disk })))).toEqual(expected);
  });

  it('finds a disk that cannot be written, and state that is not the service’s', async () => {
    const readOnly = fakeSystem({ disk: roomy, unwritable: { '/var/lib/slothd': 'EROFS' } });
    expect((await checkDisk('/var/lib/slothd', readOnly))[0]).toMatchObject({
      state: 'bad',
      fix: expect.stringContaining('remount,rw'),
    });
    const forbidden = fakeSystem({ disk: roomy, unwritable: { '/var/lib/slothd': 'EACCES' } });
    expect((await checkDisk('/var/lib/slothd', forbidden))[0]?.says).toContain('may not be written by anna');
    // Somebody ran it as root once.
    const owners = {
      '/var/lib/slothd': { uid: 999, gid: 999, mode: 0o040700 },
      '/var/lib/slothd/store': { uid: 0, gid: 0, mode: 0o040755 },
    };
    const rooted = fakeSystem({ disk: roomy, owners, isRoot: true });
    expect((await checkDisk('/var/lib/slothd', rooted, { uid: 999, gids: [999] }))[0]).toMatchObject({
      state: 'bad',
      fix: expect.stringContaining('chown -R slothd:slothd /var/lib/slothd'),
    });
  });

  it('reads the wear of a card', async () => {
    const worn = (text: string) => fakeSystem({ files: { '/sys/block/mmcblk0/device/life_time': text } });
    expect(states(await checkWear(worn('0x0b 0x01\n')))).toEqual(['bad']);
    expect(states(await checkWear(worn('0x01 0x02\n')))).toEqual(['good']);
    expect(await checkWear(fakeSystem({}))).toEqual([]);
  });
});

describe('speed', () => {
  const GOVERNOR = '/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor';
  it.each([
    ['nothing', {}, {}, ['good']],
    ['a slow governor', { [GOVERNOR]: 'powersave\n' }, {}, ['note']],
    ['under-voltage now, by vcgencmd', {}, { vcgencmd: 'throttled=0x50005\n' }, ['bad', 'bad']],
    ['under-voltage since the start', {}, { vcgencmd: 'throttled=0x50000\n' }, ['bad', 'note']],
    [
      'under-voltage, by the kernel alone',
      { '/sys/class/hwmon/hwmon1/name': 'rpi_volt\n', '/sys/class/hwmon/hwmon1/in0_lcrit_alarm': '1\n' },
      {},
      ['bad'],
    ],
    ['heat', { '/sys/class/thermal/thermal_zone0/temp': '84000\n' }, {}, ['bad']],
  ])('%s', async (_name, files, programs, expected) => {
    expect(states(await checkSpeed(fakeSystem({ files: files as Record<string, string>, programs })))).toEqual(
      expected,
    );
  });
});

describe('memory and versions', () => {
  it.each([
    ['MemAvailable:   900000 kB', 'good'],
    ['MemAvailable:    90000 kB', 'bad'],
  ])('%s is %s', async (line, expected) => {
    expect(states(await checkMemory(fakeSystem({ files: { '/proc/meminfo': `MemTotal: 1 kB\n${line}\n` } })))).toEqual([
      expected,
    ]);
  });

  it.each([
    ['v22.1.0', 'arm64', 'good'],
    ['v18.20.0', 'arm64', 'bad'],
    ['v20.18.0', 'x64', 'bad'],
    ['v22.1.0', 'arm', 'note'],
  ])('Node %s on %s is %s', async (node, arch, expected) => {
    expect(states(await checkVersions('1.0.0', node, arch, fakeSystem({})))).toEqual([expected]);
  });
});

describe('model', () => {
  const settings = (beat: string | null) =>
    ({ models: { beat, rhythm: null }, startTimeoutMs: 60_000, runtime: 'auto' }) as never;

  it('finds a bundle that is not there', async () => {
    const [finding] = await checkRuntime(settings('/nowhere/model'), { backOff: { firstMs: 10, longestMs: 10 } });
    expect(finding).toMatchObject({ state: 'bad', fix: 'slothd model verify /nowhere/model' });
  });

  it('finds one of several that is not there, and says that the others are good', async () => {
    const models = { beat: 'beat-ecg', rhythm: '/nowhere/rhythm', shockable: null, anomaly: null };
    const findings = await checkRuntime(
      { models, startTimeoutMs: 60_000, runtime: 'auto' },
      { spawn: () => spawnHost(HOST_ENTRY) },
    );
    expect(findings).toMatchObject([
      { state: 'bad', fix: 'slothd model verify /nowhere/rhythm' },
      { state: 'good', says: expect.stringContaining('beat-ecg') },
    ]);
  });

  it('finds a host that cannot start', async () => {
    const [finding] = await checkRuntime(settings('beat-ecg'), {
      spawn: () => {
        throw new Error('illegal instruction');
      },
    });
    expect(finding).toMatchObject({ state: 'bad', fix: expect.stringContaining('apt install --reinstall') });
    expect(finding!.says).toContain('illegal instruction');
  });

  it('notes that the native library does not load, and what runs instead', async () => {
    const broken = { runtime: 'native' as const, module: 'onnxruntime-of-nowhere' };
    const [finding] = await checkRuntime(settings('beat-ecg'), {
      runtimes: [broken, WASM_RUNTIME],
      spawn: () => spawnHost(HOST_ENTRY),
    });
    expect(finding).toMatchObject({ state: 'note' });
    expect(finding!.says).toMatch(/runs on the wasm runtime: onnxruntime-of-nowhere does not load/);
  });

  it('takes no model for a choice', async () => {
    expect(states(await checkRuntime(settings(null)))).toEqual(['note']);
  });
});

describe('broker', () => {
  async function withBroker(rules: Partial<Aedes>, run: (url: string) => Promise<void>): Promise<void> {
    const aedes = await Aedes.createBroker();
    Object.assign(aedes, rules);
    const server = createServer((socket) => aedes.handle(socket));
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    try {
      await run(`mqtt://127.0.0.1:${(server.address() as { port: number }).port}`);
    } finally {
      await new Promise<void>((resolve) => aedes.close(() => server.close(() => resolve())));
    }
  }

  it('is content with a broker that allows everything', async () => {
    await withBroker({}, async (url) => {
      expect(states(await checkBroker(config(`mqtt: { url: '${url}', protocol: '3.1.1' }`)))).toEqual(['good']);
    });
  });

  it('says that the password is wrong', async () => {
    const refuse: Aedes['authenticate'] = (_client, _user, _password, done) =>
      done(Object.assign(new Error('no'), { returnCode: 5 }) as never, false);
    await withBroker({ authenticate: refuse }, async (url) => {
      const [finding] = await checkBroker(config(`mqtt: { url: '${url}', protocol: '3.1.1' }`));
      expect(finding).toMatchObject({ state: 'bad' });
      expect(finding!.says).toContain('passwordFile');
    });
  });

  it('says that the topics are forbidden', async () => {
    await withBroker({ authorizeSubscribe: (_client, _sub, done) => done(null, null) }, async (url) => {
      const [finding] = await checkBroker(config(`mqtt: { url: '${url}', protocol: '3.1.1' }`));
      expect(finding).toMatchObject({ state: 'bad' });
      expect(finding!.says).toContain('may not subscribe');
    });
  });

  it('says that no broker is there, and that TLS is not spoken', async () => {
    const [none] = await checkBroker(config('mqtt: { url: mqtt://127.0.0.1:1 }'));
    expect(none).toMatchObject({ state: 'bad' });
    expect(none!.says).toContain('no broker listens there');
    await withBroker({}, async (url) => {
      const [noTls] = await checkBroker(
        config(`mqtt: { url: '${url.replace('mqtt:', 'mqtts:')}', connectTimeoutMs: 2000 }`),
      );
      expect(noTls).toMatchObject({ state: 'bad' });
    });
  });

  it('does not wait for ever for a broker that says nothing more', async () => {
    const silent: Partial<Aedes> = { authorizeSubscribe: () => {}, authorizePublish: () => {} };
    await withBroker(silent, async (url) => {
      const [finding] = await checkBroker(config(`mqtt: { url: '${url}', protocol: '3.1.1' }`));
      expect(finding?.says).toContain('did not answer within');
    });
  }, 20_000);

  it('says which secret cannot be read', async () => {
    const [finding] = await checkBroker(config('mqtt: { username: a, passwordFile: /nowhere/password }'));
    expect(finding!.says).toContain('mqtt.passwordFile: /nowhere/password: there is no such file');
    expect(finding!.fix).toContain('install -m 600 /dev/stdin /nowhere/password');
    const [credential] = await checkBroker(
      config('mqtt: { username: a, passwordFile: $CREDENTIALS_DIRECTORY/mqtt-password }'),
    );
    expect(credential).toMatchObject({ state: 'note', fix: expect.stringContaining('systemctl restart slothd') });
  });
});

describe('secrets', () => {
  const named = config('mqtt: { username: a, passwordFile: /etc/slothd/secrets/mqtt }');
  const file = (mode: number) => ({ '/etc/slothd/secrets/mqtt': { uid: 0, gid: 999, mode } });
  const folder = { '/etc/slothd/secrets': { uid: 0, gid: 0, mode: 0o040700 } };
  const service = { uid: 999, gids: [999] };

  it('are the service’s to read, and nobody’s else', async () => {
    expect(await checkSecrets(named, fakeSystem({ owners: file(0o100640) }), service)).toEqual([]);
    expect(states(await checkSecrets(named, fakeSystem({ owners: file(0o100644) }), service))).toEqual(['note']);
    // What the folder hides is hidden, whatever the file's mode.
    const [finding] = await checkSecrets(named, fakeSystem({ owners: { ...file(0o100640), ...folder } }), service);
    expect(finding).toMatchObject({ state: 'bad', fix: expect.stringContaining('LoadCredential=') });
  });
});

describe('web server', () => {
  it('finds that its port is taken, and a token that cannot be read', async () => {
    const server = createHttpServer((_request, response) => response.end('x'));
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const { port } = server.address() as { port: number };
    const at = (more: string) => checkWeb(config(`http: { ${more} }`), '/x.yaml', fakeSystem({}));
    const [taken] = await at(`port: ${port}`);
    expect(taken).toMatchObject({ state: 'bad', says: expect.stringContaining('another program') });
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
    expect(states(await at(`port: ${port}`))).toEqual(['good']);
    expect((await at('tokenFile: /nowhere/token'))[0]).toMatchObject({ state: 'bad' });
  });
});

describe('what to do first', () => {
  it('is what alerts depend on most, whatever the order found', () => {
    const findings = [
      { check: 'clock', state: 'bad', says: 'late', fix: 'set it' },
      { check: 'sensor a', state: 'bad', says: 'unplugged', fix: 'plug it in' },
      { check: 'broker', state: 'note', says: 'off' },
    ] as const;
    expect(firstToMend(findings)?.check).toBe('sensor a');
    expect(asText(findings).trimEnd()).toMatch(/First: unplugged\n {7}plug it in$/);
    expect(asText([{ check: 'broker', state: 'good', says: 'answers' }])).toContain('All is well.');
  });
});

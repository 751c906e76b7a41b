// What `npm run package:test` looks at inside a Debian root. Each check throws with what is wrong.
import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** Highest exposure that `systemd-analyze security` may find, of 10. */
const MOST_EXPOSURE = 1.5;

/** Commands inside the root. */
export function inRoot(root) {
  const run = (command, options = {}) =>
    execFileSync('chroot', [root, '/bin/sh', '-c', command], {
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { PATH: '/usr/sbin:/usr/bin:/sbin:/bin', DEBIAN_FRONTEND: 'noninteractive', HOME: '/root' },
      ...options,
    });
  return { run, path: (name) => join(root, name) };
}

const CONFIG = `sensors:
  - { name: chest, format: ad8232, link: { type: recording, file: /tmp/none.bin, bytesPerSecond: 1500 } }
mqtt: { enabled: false }
http: { port: 19464 }
`;

/** Every file of the dashboard as the running service gives it out; the root shares this machine's network. */
const ASSETS = `
const { ASSET_PATHS } = await import('/usr/lib/slothd/dist/watch/dashboard/assets.js');
for (const path of ['/livez', '/metrics', ...ASSET_PATHS]) {
  const { status } = await fetch('http://127.0.0.1:19464' + path);
  if (status !== 200) throw new Error(path + ' gives ' + status);
}
console.log('the dashboard is whole');
`;

/** @returns checks in order: what they are called, and what does them */
export function checks(root, { newer }) {
  const { run, path } = inRoot(root);
  const expect = (truth, what) => {
    if (!truth) throw new Error(what);
  };
  return [
    [
      'install',
      () => {
        run('dpkg --install /tmp/slothd.deb');
        expect(/^slothd .*:/m.test(run('getent passwd slothd').replace('slothd:', 'slothd :')), 'no user slothd');
        expect(run('id -nG slothd').includes('dialout'), 'slothd is not in dialout');
        expect((statSync(path('etc/slothd/secrets')).mode & 0o777) === 0o700, '/etc/slothd/secrets is not 0700');
        return run('slothd --version').trim();
      },
    ],
    [
      'unit: systemd-analyze verify',
      () => {
        const said = run('systemd-analyze verify /usr/lib/systemd/system/slothd.service 2>&1 || true');
        // Debian 12 has systemd 252, which does not know two keys of 254 and says so; a small root has no man.
        const rest = said
          .split('\n')
          .filter(
            (line) =>
              line.includes('slothd') && !/Unknown key (name )?'Restart(Steps|MaxDelaySec)'|Command 'man /.test(line),
          );
        expect(rest.length === 0, rest.join('\n'));
      },
    ],
    [
      'unit: systemd-analyze security',
      () => {
        const said = run(
          'systemd-analyze security --offline=true --no-pager /usr/lib/systemd/system/slothd.service 2>/dev/null || true',
        );
        const exposure = Number(/exposure level for \S+: ([\d.]+)/.exec(said)?.[1]);
        expect(exposure <= MOST_EXPOSURE, `exposure ${exposure}, ${MOST_EXPOSURE} is allowed`);
        return `exposure ${exposure}`;
      },
    ],
    [
      'model verify, native',
      () => `${run('slothd model verify beat-ecg').match(/good \(native\)/g).length} variants good`,
    ],
    [
      'model verify, WASM',
      () => `${run('slothd model verify beat-ecg --runtime wasm').match(/good \(wasm\)/g).length} variants good`,
    ],
    [
      'init, check, run as the service does',
      () => {
        run('slothd init --yes');
        run('slothd check');
        writeFileSync(path('etc/slothd/slothd.yaml'), CONFIG);
        run('slothd check');
        writeFileSync(path('tmp/assets.mjs'), ASSETS);
        // As the unit's ExecStart, by its user; meanwhile somebody opens the dashboard.
        const log = run(
          "(sleep 12; /usr/lib/slothd/runtime/node /tmp/assets.mjs 2>&1) & su -s /bin/sh slothd -c 'cd /var/lib/slothd && timeout --preserve-status 20 /usr/lib/slothd/bin/slothd run --config /etc/slothd/slothd.yaml' 2>&1 || true; wait",
        );
        expect(/the dashboard is whole/.test(log), log.slice(-800));
        expect(/"msg":"running"/.test(log), log.slice(-800));
        expect(/"msg":"inference ready"/.test(log), log.slice(-800));
        expect(existsSync(path('var/lib/slothd/store')), 'no store in /var/lib/slothd');
      },
    ],
    [
      'upgrade keeps config, secrets and state',
      () => {
        writeFileSync(path('etc/slothd/secrets/mqtt-password'), 'secret\n');
        run(`dpkg --install ${newer.inside}`);
        expect(
          run('dpkg-query --status slothd').includes(`Version: ${newer.version}`),
          'the newer version is not there',
        );
        expect(readFileSync(path('etc/slothd/slothd.yaml'), 'utf8') === CONFIG, 'the config changed');
        expect(readFileSync(path('etc/slothd/secrets/mqtt-password'), 'utf8') === 'secret\n', 'the secret is gone');
        expect(existsSync(path('var/lib/slothd/store')), 'the state is gone');
        run('slothd check');
      },
    ],
    [
      'remove keeps config and state',
      () => {
        run('dpkg --remove slothd');
        expect(!existsSync(path('usr/lib/slothd')), '/usr/lib/slothd is still there');
        expect(existsSync(path('etc/slothd/slothd.yaml')), 'the config is gone');
        expect(existsSync(path('var/lib/slothd/store')), 'the state is gone');
      },
    ],
    [
      'purge leaves nothing but the user',
      () => {
        run('dpkg --purge slothd');
        const left = run(
          "find / -xdev -name '*slothd*' -not -path '/proc/*' -not -path '/sys/*' -not -path '/tmp/*' 2>/dev/null || true",
        ).trim();
        expect(left === '', `left behind: ${left}`);
      },
    ],
  ];
}

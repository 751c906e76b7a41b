// Tests the amd64 package in a fresh Debian root: npm run package:test [-- --deb FILE] [--suite bookworm] [--lintian] [--reproducible]
// Needs root, debootstrap and a Debian mirror; without them it says so and ends with 0. Prints each check; result in bench/results/package.json.
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { checks, inRoot } from './checks.mjs';
import { has, Verdicts } from './verdicts.mjs';

const top = fileURLToPath(new URL('../../', import.meta.url));
const { values: options } = parseArgs({
  options: {
    deb: { type: 'string' },
    suite: { type: 'string', default: 'bookworm' },
    lintian: { type: 'boolean', default: false },
    reproducible: { type: 'boolean', default: false },
  },
});
if (process.arch !== 'x64') skip('this machine is not amd64');
if (process.getuid?.() !== 0) skip('it needs root: sudo npm run package:test');
if (!has('debootstrap')) skip('it needs debootstrap: sudo apt install debootstrap');

const deb = resolve(options.deb ?? newestDeb());
const verdicts = new Verdicts();
const work = mkdtempSync(join(tmpdir(), 'slothd-root-'));
const root = join(work, 'root');
try {
  makeRoot(root);
  const { path } = inRoot(root);
  copyFileSync(deb, path('tmp/slothd.deb'));
  const newer = makeNewer();
  for (const mount of ['proc', 'dev']) execFileSync('mount', ['--rbind', `/${mount}`, path(mount)]);
  try {
    for (const [name, run] of checks(root, { newer })) await verdicts.check(name, run);
  } finally {
    for (const mount of ['proc', 'dev']) execFileSync('umount', ['--recursive', '--lazy', path(mount)]);
  }
  if (options.lintian) await verdicts.check('lintian', lintian);
  if (options.reproducible) await verdicts.check('the same bytes when built again', reproducible);
} finally {
  // Never through a mount that stayed: that would be this machine's own /dev.
  if (existsSync(join(root, 'proc/self'))) process.stderr.write(`${root}/proc is still mounted: umount it by hand\n`);
  else rmSync(work, { recursive: true, force: true });
}
report();

/** A small Debian with systemd; unpacked once, then copied from the cache. */
function makeRoot(folder) {
  const cache = join(top, '.cache', `debian-${options.suite}.tar`);
  mkdirSync(folder, { recursive: true });
  if (!existsSync(cache)) {
    process.stdout.write(`making a Debian root (${options.suite}), once\n`);
    const fresh = join(work, 'fresh');
    const include = '--include=systemd,udev,libstdc++6,libgcc-s1';
    execFileSync('debootstrap', ['--variant=minbase', include, options.suite, fresh], {
      stdio: ['ignore', 'ignore', 'inherit'],
    });
    mkdirSync(join(top, '.cache'), { recursive: true });
    execFileSync('tar', ['--create', '--file', cache, '--directory', fresh, '--exclude=./var/cache/apt/*', '.']);
    rmSync(fresh, { recursive: true, force: true });
  }
  execFileSync('tar', ['--extract', '--file', cache, '--directory', folder]);
}

/** The same package under a newer version, packed fast: what an upgrade does with it is the same. */
function makeNewer() {
  const tree = join(work, 'newer');
  execFileSync('dpkg-deb', ['--raw-extract', deb, tree]);
  const control = join(tree, 'DEBIAN/control');
  const version = `${execFileSync('dpkg-deb', ['--field', deb, 'Version'], { encoding: 'utf8' }).trim()}+newer`;
  writeFileSync(control, readFileSync(control, 'utf8').replace(/^Version: .*$/m, `Version: ${version}`));
  execFileSync('dpkg-deb', ['--root-owner-group', '-Znone', '--build', tree, join(root, 'tmp/newer.deb')]);
  rmSync(tree, { recursive: true });
  return { inside: '/tmp/newer.deb', version };
}

function lintian() {
  if (!has('lintian')) throw new Error('it is not installed: sudo apt install lintian');
  const found = [];
  for (const file of debs()) {
    const said = execFileSync('lintian', ['--no-tag-display-limit', '--fail-on', 'none', file], { encoding: 'utf8' });
    found.push(...said.split('\n').filter((line) => /^[EW]:/.test(line)));
  }
  if (found.length > 0) throw new Error(found.join('\n'));
  const { length } = debs();
  return `no errors, no warnings in ${length} package${length > 1 ? 's' : ''}`;
}

function reproducible() {
  const out = join(work, 'again');
  const archs = debs().map((file) => /_(\w+)\.deb$/.exec(file)[1]);
  execFileSync(process.execPath, [join(top, 'systemd/package.mjs'), '--arch', archs.join(), '--out', out], {
    stdio: 'ignore',
  });
  for (const file of debs()) {
    const [first, second] = [file, join(out, basename(file))].map(sha256);
    if (first !== second)
      throw new Error(`${basename(file)}: sha256 ${first} and ${second}: built with --fast or from other sources?`);
  }
  return archs.join(' and ');
}

function report() {
  const result = {
    what: 'the amd64 package in a fresh Debian root',
    root: `debootstrap --variant=minbase ${options.suite}`,
    packages: debs().map((file) => ({ file: basename(file), bytes: statSync(file).size, sha256: sha256(file) })),
    at: new Date().toISOString(),
    checks: verdicts.list,
  };
  writeFileSync(join(top, 'bench/results/package.json'), `${JSON.stringify(result, null, 2)}\n`);
  verdicts.end();
}

/** The package under test, and the other architecture's beside it. */
function debs() {
  const other = deb.replace(/_amd64\.deb$/, '_arm64.deb');
  return existsSync(other) && other !== deb ? [deb, other] : [deb];
}

function newestDeb() {
  const folder = join(top, '.cache/package');
  const found = existsSync(folder) ? readdirSync(folder).filter((name) => name.endsWith('_amd64.deb')) : [];
  if (found.length === 0) {
    process.stderr.write('there is no package yet: npm run package\n');
    process.exit(1);
  }
  return join(folder, found.sort().at(-1));
}

function sha256(file) {
  return createHash('sha256').update(readFileSync(file)).digest('hex');
}

function skip(why) {
  process.stdout.write(`package:test skipped: ${why}\n`);
  process.exit(0);
}

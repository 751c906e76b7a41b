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
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { checks, inRoot } from './checks.mjs';

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
const results = [];
const work = mkdtempSync(join(tmpdir(), 'slothd-root-'));
const root = join(work, 'root');
try {
  makeRoot(root);
  const { path } = inRoot(root);
  copyFileSync(deb, path('tmp/slothd.deb'));
  const newer = makeNewer();
  for (const mount of ['proc', 'dev']) execFileSync('mount', ['--rbind', `/${mount}`, path(mount)]);
  try {
    for (const [name, run] of checks(root, { newer })) check(name, run);
  } finally {
    for (const mount of ['proc', 'dev']) execFileSync('umount', ['--recursive', '--lazy', path(mount)]);
  }
  if (options.lintian) check('lintian', lintian);
  if (options.reproducible) check('the same bytes when built again', reproducible);
} finally {
  // Never through a mount that stayed: that would be this machine's own /dev.
  if (existsSync(join(root, 'proc/self'))) process.stderr.write(`${root}/proc is still mounted: umount it by hand\n`);
  else rmSync(work, { recursive: true, force: true });
}
report();

function check(name, run) {
  const from = performance.now();
  const result = { name, ok: true, says: '' };
  try {
    result.says = run() ?? '';
  } catch (error) {
    result.ok = false;
    result.says = `${error.message}\n${error.stdout ?? ''}${error.stderr ?? ''}`.trim();
  }
  results.push(result);
  const seconds = ((performance.now() - from) / 1000).toFixed(1);
  process.stdout.write(
    `${result.ok ? 'ok  ' : 'BAD '} ${name} (${seconds} s)${result.says ? `: ${result.says}` : ''}\n`,
  );
}

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
  if (!has('lintian')) return 'not installed, not run';
  const said = execFileSync('lintian', ['--no-tag-display-limit', '--fail-on', 'none', deb], { encoding: 'utf8' });
  const found = said.split('\n').filter((line) => /^[EW]:/.test(line));
  if (found.length > 0) throw new Error(found.join('\n'));
  return 'no errors, no warnings';
}

function reproducible() {
  const out = join(work, 'again');
  execFileSync(process.execPath, [join(top, 'systemd/package.mjs'), '--arch', 'amd64', '--out', out], {
    stdio: 'ignore',
  });
  const [again] = readdirSync(out);
  const [first, second] = [deb, join(out, again)].map(sha256);
  if (first !== second) throw new Error(`sha256 ${first} and ${second}: built from other sources?`);
  return first;
}

function report() {
  const bad = results.filter(({ ok }) => !ok).length;
  const result = {
    what: 'the amd64 package in a fresh Debian root',
    suite: options.suite,
    bytes: statSync(deb).size,
    sha256: sha256(deb),
    at: new Date().toISOString(),
    checks: results,
  };
  writeFileSync(join(top, 'bench/results/package.json'), `${JSON.stringify(result, null, 2)}\n`);
  process.stdout.write(bad === 0 ? 'all is well\n' : `${bad} of ${results.length} checks are bad\n`);
  process.exitCode = bad === 0 ? 0 : 1;
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

function has(program) {
  try {
    execFileSync('/bin/sh', ['-c', `command -v ${program}`], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}

function skip(why) {
  process.stdout.write(`package:test skipped: ${why}\n`);
  process.exit(0);
}

// The folder that dpkg-deb packs: every file of the package at its place, with its rights and its time.
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  chmodSync,
  copyFileSync,
  cpSync,
  lstatSync,
  lutimesSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { gzipSync } from 'node:zlib';
import { fetchPackage } from './fetch.mjs';
import { listModules, stageModules } from './modules.mjs';
import { NODE_VERSION, TARGETS } from './targets.mjs';
import { changelog, control, copyright, LINTIAN_OVERRIDES, manPage, sbom, thirdParty } from './texts.mjs';

const LIB = 'usr/lib/slothd';
const DOC = 'usr/share/doc/slothd';

/** Fills the empty path `tree`. Nothing in it depends on this machine, its time or its user. */
export async function stageTree({ root, tree, modules, arch, version, epoch, cache }) {
  const target = TARGETS[arch];
  const at = (path) => join(tree, path);
  const put = (path, content) => {
    mkdirSync(dirname(at(path)), { recursive: true });
    writeFileSync(at(path), content);
  };
  const copy = (from, path) => {
    mkdirSync(dirname(at(path)), { recursive: true });
    cpSync(join(root, from), at(path), { recursive: true });
  };

  const lock = JSON.parse(readFileSync(join(root, 'package-lock.json'), 'utf8'));
  const node = fetchPackage(target.nodePackage, NODE_VERSION, target.nodeIntegrity, cache);

  copy('dist', `${LIB}/dist`);
  dropUnused(at(`${LIB}/dist`));
  copy('models', `${LIB}/models`);
  copy('package.json', `${LIB}/package.json`);
  copy('config', `${LIB}/config`);
  // The dashboard is not compiled, and links to two pages of the docs, which /usr/share/doc may lack.
  for (const path of ['src/watch/dashboard/page', 'docs/dashboards.md', 'docs/latency.md'])
    copy(path, `${LIB}/${path}`);
  stageModules(modules, at(`${LIB}/node_modules`), target, lock, cache);
  mkdirSync(at(`${LIB}/runtime`), { recursive: true });
  copyFileSync(join(node, 'bin/node'), at(`${LIB}/runtime/node`));
  copy('systemd/package/slothd.sh', `${LIB}/bin/slothd`);
  mkdirSync(at('usr/bin'), { recursive: true });
  symlinkSync('../lib/slothd/bin/slothd', at('usr/bin/slothd'));

  copy('systemd/slothd.service', 'usr/lib/systemd/system/slothd.service');
  copy('systemd/60-slothd.rules', 'usr/lib/udev/rules.d/60-slothd.rules');
  copy('systemd/99-slothd-brltty.rules', 'usr/lib/udev/rules.d/99-slothd-brltty.rules');
  copy('systemd/sysusers.conf', 'usr/lib/sysusers.d/slothd.conf');
  copy('systemd/tmpfiles.conf', 'usr/lib/tmpfiles.d/slothd.conf');

  const packages = listModules(at(`${LIB}/node_modules`));
  packages.push({
    name: 'node',
    version: NODE_VERSION,
    licence: 'MIT',
    repository: 'https://github.com/nodejs/node',
    text: readFileSync(join(node, 'LICENSE'), 'utf8').trim(),
  });
  copy('README.md', `${DOC}/README.md`);
  copy('docs', `${DOC}/docs`);
  copy('config/slothd.example.yaml', `${DOC}/examples/slothd.yaml`);
  put(`${DOC}/copyright`, copyright());
  put(`${DOC}/changelog.gz`, gzipSync(changelog(version, epoch), { level: 9 }));
  put(`${DOC}/third-party-licences.txt`, thirdParty(packages));
  put(`${DOC}/sbom.cdx.json`, sbom(packages, version, arch, epoch));
  put('usr/share/man/man1/slothd.1.gz', gzipSync(manPage(verbs(root), version, epoch), { level: 9 }));
  put('usr/share/lintian/overrides/slothd', LINTIAN_OVERRIDES);

  fixRights(tree, new Set([`${LIB}/runtime/node`, `${LIB}/bin/slothd`]));
  const installedBytes = walk(tree).reduce((sum, path) => sum + sizeOf(path), 0);
  put('DEBIAN/control', control({ arch, version, installedKiB: Math.ceil(installedBytes / 1024) }));
  for (const script of ['postinst', 'prerm', 'postrm']) copy(`systemd/package/${script}`, `DEBIAN/${script}`);
  put('DEBIAN/md5sums', md5sums(tree));
  fixRights(at('DEBIAN'), new Set(['postinst', 'prerm', 'postrm']));
  for (const path of [...walk(tree), tree]) lutimesSync(path, epoch, epoch);
}

/** The verbs and what they do, as the command line itself says. */
function verbs(root) {
  const help = execFileSync(process.execPath, [join(root, 'dist/main.js'), '--help'], {
    encoding: 'utf8',
    // A terminal's width must not decide where a line of the manual breaks.
    env: { ...process.env, COLUMNS: '200' },
  });
  const list = help.slice(help.indexOf('Commands:')).split('\n').slice(1);
  return list
    .map((line) => /^ {2}(\w+)(?: \[.*?\])?(?: <.*?>)* {2,}(.+)$/.exec(line))
    .filter((match) => match && match[1] !== 'help')
    .map(([, name, does]) => ({ name, does }));
}

/** Types and source maps of our own code are for developers, who have the sources. */
function dropUnused(folder) {
  for (const path of walk(folder)) if (/\.(d\.ts|map)$/.test(path)) rmSync(path);
}

/** Every path below `folder`, folders before their content, by name. */
function walk(folder) {
  return readdirSync(folder)
    .sort()
    .flatMap((name) => {
      const path = join(folder, name);
      return lstatSync(path).isDirectory() ? [path, ...walk(path)] : [path];
    });
}

function fixRights(folder, executable) {
  for (const path of walk(folder)) {
    const stat = lstatSync(path);
    if (stat.isSymbolicLink()) continue;
    chmodSync(path, stat.isDirectory() || executable.has(relative(folder, path)) ? 0o755 : 0o644);
  }
  chmodSync(folder, 0o755);
}

/** As du counts in the archive's index: whole KiB per file, one per folder. */
function sizeOf(path) {
  const stat = lstatSync(path);
  return stat.isFile() ? Math.ceil(stat.size / 1024) * 1024 : 1024;
}

function md5sums(tree) {
  return walk(tree)
    .filter((path) => lstatSync(path).isFile() && !relative(tree, path).startsWith('DEBIAN/'))
    .map((path) => `${createHash('md5').update(readFileSync(path)).digest('hex')}  ${relative(tree, path)}\n`)
    .join('');
}

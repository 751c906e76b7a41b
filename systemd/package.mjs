// Makes slothd_<version>_<arch>.deb for amd64 and arm64 on any Linux machine with dpkg-deb and npm; nothing is compiled.
// Usage: npm run package -- [--arch amd64,arm64] [--out .cache/package] [--fast]
//        node systemd/package.mjs --arch arm64 --payload FOLDER
// The same input gives the same sha256: times are SOURCE_DATE_EPOCH (else the newest commit's), order and owners fixed.
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { TARGETS } from './package/targets.mjs';
import { stageTree } from './package/tree.mjs';

const root = fileURLToPath(new URL('../', import.meta.url));
const { values: options } = parseArgs({
  options: {
    arch: { type: 'string', default: Object.keys(TARGETS).join(',') },
    out: { type: 'string', default: join(root, '.cache/package') },
    // Packed in seconds instead of minutes and a third larger: to test a package, not to give it away.
    fast: { type: 'boolean', default: false },
    // No package: its files, laid out below this new folder, as a container image wants them.
    payload: { type: 'string' },
  },
});
const archs = options.arch.split(',');
for (const arch of archs) {
  if (!TARGETS[arch]) {
    process.stderr.write(`unknown architecture '${arch}'; there are: ${Object.keys(TARGETS).join(', ')}\n`);
    process.exit(1);
  }
}
if (options.payload !== undefined && archs.length > 1) {
  process.stderr.write('--payload wants one architecture: --arch amd64 or --arch arm64\n');
  process.exit(1);
}
const epoch = Number(process.env.SOURCE_DATE_EPOCH ?? newestCommit());
const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
const out = resolve(options.out);
if (options.payload === undefined) mkdirSync(out, { recursive: true });
const work = mkdtempSync(join(tmpdir(), 'slothd-package-'));
try {
  const modules = productionModules();
  for (const arch of archs) {
    const tree = options.payload === undefined ? join(work, arch) : resolve(options.payload);
    await stageTree({ root, tree, modules, arch, version, epoch, cache: join(root, '.cache/node') });
    if (options.payload !== undefined) {
      rmSync(join(tree, 'DEBIAN'), { recursive: true });
      process.stdout.write(`${tree}: the files of ${arch}\n`);
      break;
    }
    const file = join(out, `slothd_${version}_${arch}.deb`);
    execFileSync(
      'dpkg-deb',
      ['--root-owner-group', ...(options.fast ? ['-Zgzip', '-z1'] : ['-Zxz', '-z9']), '--build', tree, file],
      {
        stdio: ['ignore', 'ignore', 'inherit'],
        // One thread: xz cuts its blocks by the number of threads, and that must not be the machine's.
        env: { ...process.env, SOURCE_DATE_EPOCH: String(epoch), DPKG_DEB_THREADS_MAX: '1' },
      },
    );
    const bytes = statSync(file).size;
    const sha256 = createHash('sha256').update(readFileSync(file)).digest('hex');
    process.stdout.write(`${(bytes / 1e6).toFixed(1).padStart(6)} MB  sha256 ${sha256}  ${file}\n`);
    rmSync(tree, { recursive: true });
  }
} finally {
  rmSync(work, { recursive: true, force: true });
}

/** Production dependencies as the lock file has them, without install scripts and without the lab's optional ones. */
function productionModules() {
  const folder = join(work, 'production');
  mkdirSync(folder);
  for (const name of ['package.json', 'package-lock.json', '.npmrc']) cpSync(join(root, name), join(folder, name));
  execFileSync(
    'npm',
    ['ci', '--omit=dev', '--omit=optional', '--ignore-scripts', '--no-bin-links', '--prefer-offline'],
    {
      cwd: folder,
      stdio: ['ignore', 'ignore', 'inherit'],
    },
  );
  return join(folder, 'node_modules');
}

/** Sources that came as an archive have no git; then the time of their package.json. */
function newestCommit() {
  try {
    const stdio = ['ignore', 'pipe', 'ignore'];
    return execFileSync('git', ['log', '-1', '--format=%ct'], { cwd: root, encoding: 'utf8', stdio }).trim();
  } catch {
    return Math.floor(statSync(join(root, 'package.json')).mtimeMs / 1000);
  }
}

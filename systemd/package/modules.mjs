// node_modules as a device needs them: one architecture's binaries, no sources, no types.
import { cpSync, existsSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { basename, join } from 'node:path';
import { fetchPackage } from './fetch.mjs';

const NODE_PTY = '@lydell/node-pty-linux-';

/** Whole packages that are only ever needed to install or to download, never at run time. */
const NOT_AT_RUN_TIME = [
  'node-gyp-build-optional',
  'node-addon-api',
  // Of onnxruntime-web's builds only the one for Node is kept, and it needs none of these.
  ...['protobufjs', '@protobufjs', 'flatbuffers', 'guid-typescript', 'platform', 'long'],
];

/** What Node loads of onnxruntime-web: the other builds are for browsers and GPUs. */
const WASM_FILES = ['ort.node.min.mjs', 'ort-wasm-simd-threaded.mjs', 'ort-wasm-simd-threaded.wasm'];

/** Files that no program reads: types, maps, sources of native modules, tests, docs. Licences always stay. */
const DROPPED_FOLDERS = new Set([
  'test',
  'tests',
  'examples',
  'example',
  'benchmark',
  'benchmarks',
  'deps',
  '.github',
  '__tests__',
]);
const DROPPED_FILES =
  /\.(d\.[cm]?ts|[cm]?ts|map|md|markdown|html|cc|cpp|h|hpp|gyp|gypi|yml|yaml|tsbuildinfo|flow)$|^(\.\w+|Makefile|binding\.gyp)$/i;
export const LICENCE = /^(licen[cs]e|copying|notice)/i;

/** Copies `from` (production dependencies of every platform) to `to`, cut to one target. */
export function stageModules(from, to, { cpu }, lock, cache) {
  cpSync(from, to, { recursive: true });
  for (const name of NOT_AT_RUN_TIME) rmSync(join(to, name), { recursive: true, force: true });
  rmSync(join(to, '.package-lock.json'), { force: true });
  keepOnly(join(to, 'onnxruntime-node/bin/napi-v6'), ['linux']);
  keepOnly(join(to, 'onnxruntime-node/bin/napi-v6/linux'), [cpu]);
  keepOnly(join(to, 'onnxruntime-web/dist'), WASM_FILES);
  for (const folder of ['lib', 'docs', 'node_modules'])
    rmSync(join(to, 'onnxruntime-web', folder), { recursive: true, force: true });
  for (const name of ['@serialport/bindings-cpp', 'classic-level']) {
    keepOnly(join(to, name, 'prebuilds'), [`linux-${cpu}`]);
    // Debian has glibc; the binaries for musl would never be loaded.
    const folder = join(to, name, 'prebuilds', `linux-${cpu}`);
    for (const file of readdirSync(folder)) if (file.includes('musl')) rmSync(join(folder, file));
  }
  for (const name of readdirSync(join(to, '@lydell'))) {
    if (name !== 'node-pty') rmSync(join(to, '@lydell', name), { recursive: true });
  }
  const pty = lock.packages[`node_modules/${NODE_PTY}${cpu}`];
  cpSync(fetchPackage(NODE_PTY + cpu, pty.version, pty.integrity, cache), join(to, NODE_PTY + cpu), {
    recursive: true,
  });
  trim(to);
}

function keepOnly(folder, names) {
  const found = readdirSync(folder);
  for (const name of names) {
    // A package that moved its binaries must stop the build, not yield a package without them.
    if (!found.includes(name)) throw new Error(`${folder} has no ${name}; it has: ${found.join(', ')}`);
  }
  for (const name of found) if (!names.includes(name)) rmSync(join(folder, name), { recursive: true });
}

function trim(folder) {
  for (const name of readdirSync(folder)) {
    const path = join(folder, name);
    if (statSync(path).isDirectory()) {
      if (DROPPED_FOLDERS.has(name) && !existsSync(join(path, 'package.json'))) rmSync(path, { recursive: true });
      else {
        trim(path);
        if (readdirSync(path).length === 0) rmSync(path, { recursive: true });
      }
    } else if (DROPPED_FILES.test(name) && !LICENCE.test(name)) rmSync(path);
  }
}

/** Name, version, licence and licence text of every staged package, sorted by name. */
export function listModules(folder, prefix = '') {
  const list = [];
  for (const name of readdirSync(folder).sort()) {
    const path = join(folder, name);
    if (name.startsWith('@')) list.push(...listModules(path, `${name}/`));
    else if (existsSync(join(path, 'package.json'))) {
      const { version, license, licenses, repository } = JSON.parse(readFileSync(join(path, 'package.json'), 'utf8'));
      const text = readdirSync(path)
        .filter((file) => LICENCE.test(file))
        .sort()
        .map((file) => readFileSync(join(path, basename(file)), 'utf8').trim())
        .join('\n\n');
      list.push({
        name: prefix + name,
        version,
        licence: (typeof license === 'object' ? license?.type : license) ?? licenses?.[0]?.type ?? 'unknown',
        repository: (typeof repository === 'object' ? repository?.url : repository) ?? '',
        text,
      });
      if (existsSync(join(path, 'node_modules'))) list.push(...listModules(join(path, 'node_modules')));
    }
  }
  return list;
}

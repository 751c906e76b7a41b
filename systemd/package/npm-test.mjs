// Tests what `npm pack` makes as somebody who installs it would: npm run package:npm-test
// Into an empty folder, without install scripts, production dependencies only; then the commands a newcomer types first.
import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { ASSET_PATHS } from '../../dist/watch/dashboard/assets.js';
import { Verdicts } from './verdicts.mjs';

const top = fileURLToPath(new URL('../../', import.meta.url));
/** Long enough for the first alert of the demo's heart at this speed. */
const DEMO = ['--for', '60', '--speed', '8', '--broker-port', '0'];
const CONFIG = `sensors:
  - { name: chest, format: ad8232, link: { type: serial, path: /dev/ttyUSB0 } }
mqtt: { enabled: false }
`;

const work = mkdtempSync(join(tmpdir(), 'slothd-npm-'));
const app = join(work, 'app');
mkdirSync(app);
// Not this checkout's .npmrc: a user's machine has none, so what we ask for is said on the command line.
writeFileSync(join(app, 'package.json'), '{ "private": true }\n');
writeFileSync(join(app, 'slothd.yaml'), CONFIG);
const run = (program, args) =>
  execFileSync(program, args, { cwd: app, encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'], timeout: 300_000 });
const slothd = (...args) => run('npx', ['--no-install', 'slothd', ...args]);
const install = (...what) =>
  run('npm', [
    'install',
    '--ignore-scripts',
    '--omit=dev',
    '--omit=optional',
    '--prefer-offline',
    '--no-audit',
    '--no-fund',
    ...what,
  ]);

const verdicts = new Verdicts();
try {
  const [pack] = JSON.parse(
    execFileSync('npm', ['pack', '--json', '--ignore-scripts', '--pack-destination', work], {
      cwd: top,
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'ignore'],
    }),
  );
  await verdicts.check('content', () => content(pack));
  await verdicts.check('install', () => void install(join(work, pack.filename)));
  await verdicts.check('slothd --version', () => slothd('--version').trim());
  await verdicts.check('slothd check', () => slothd('check', '--config', 'slothd.yaml').trim());
  await verdicts.check(
    'slothd model verify',
    () => `${count(slothd('model', 'verify'), /good \(native\)/)} variants good`,
  );
  await verdicts.check('slothd model verify on WASM', () => {
    return `${count(slothd('model', 'verify', 'rhythm-rr', '--runtime', 'wasm'), /good \(wasm\)/)} variants good`;
  });
  await verdicts.check("import 'slothd'", () => {
    const program = "console.log(Object.keys(await import('slothd')).length)";
    const said = run(process.execPath, ['--input-type=module', '-e', program]);
    if (!(Number(said) > 0)) throw new Error(`it exports nothing: ${said}`);
    return `${said.trim()} names`;
  });
  await verdicts.check('slothd lab, without TensorFlow.js: says how to get it', () => {
    for (const args of [['train'], ['convert', 'slothd.yaml']]) {
      const { status, stderr } = spawnSync('npx', ['--no-install', 'slothd', 'lab', ...args], {
        cwd: app,
        encoding: 'utf8',
      });
      if (status !== 1 || !/^slothd: the lab needs TensorFlow\.js: .*npm install/.test(stderr))
        throw new Error(`lab ${args.join(' ')}: exit ${status}: ${stderr}`);
    }
  });
  await verdicts.check('slothd demo, without optional packages: over TCP', () => demo(/heart on tcp 127\.0\.0\.1/));
  const { version } = JSON.parse(readFileSync(join(top, 'package-lock.json'), 'utf8')).packages[
    `node_modules/@lydell/node-pty-linux-${process.arch}`
  ];
  await verdicts.check('slothd demo, on a virtual serial port', () => {
    install(`@lydell/node-pty-linux-${process.arch}@${version}`);
    return demo(/heart on \/dev\/pts\//);
  });
} finally {
  rmSync(work, { recursive: true, force: true });
}
verdicts.end();

/** What must be in it, and what must not. */
function content({ files, size }) {
  const paths = new Set(files.map(({ path }) => path));
  const { bin, exports } = JSON.parse(readFileSync(join(top, 'package.json'), 'utf8'));
  const wanted = [
    ...Object.values(bin),
    ...Object.values(exports).map((path) => path.replace(/^\.\//, '')),
    'dist/inference/host/main.js',
    'config/slothd.example.yaml',
    ...['README.md', 'LICENSE', 'SECURITY.md'],
    ...['beat-ecg', 'rhythm-rr', 'shockable-ecg'].map((name) => `models/${name}/manifest.json`),
  ];
  const missing = wanted.filter((path) => !paths.has(path));
  if (missing.length > 0) throw new Error(`it lacks ${missing.join(', ')}`);
  const stale = [...paths].filter(
    (path) =>
      /^dist\/.*\.js$/.test(path) && !existsSync(join(top, path.replace(/^dist/, 'src').replace(/\.js$/, '.ts'))),
  );
  if (stale.length > 0) throw new Error(`compiled from sources that are gone (rm -r dist): ${stale.join(', ')}`);
  const surplus = [...paths].filter((path) => /^(test|bench)\/|\.map$|(?<!\.d)\.ts$|\.tgz$/.test(path));
  if (surplus.length > 0) throw new Error(`it need not have ${surplus.slice(0, 5).join(', ')}`);
  return `${files.length} files, ${(size / 1e6).toFixed(1)} MB`;
}

/** A demo whose first line fits `place`, whose dashboard is whole and whose alert comes. */
async function demo(place) {
  const child = spawn('npx', ['--no-install', 'slothd', 'demo', ...DEMO], {
    cwd: app,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let said = '';
  let url = null;
  let assets = null;
  for (const stream of [child.stdout, child.stderr])
    stream.on('data', (chunk) => {
      said += chunk;
      url ??= /dashboard\s+(http:\/\/\S+)/.exec(said)?.[1] ?? null;
      if (url)
        assets ??= Promise.allSettled(
          ASSET_PATHS.map(async (path) => [path, (await fetch(new URL(path, url))).status]),
        );
    });
  const code = await new Promise((resolve) => child.on('exit', resolve));
  if (code !== 0 || !place.test(said) || !assets) throw new Error(`exit ${code}: ${said}`);
  const bad = (await assets)
    .map(({ value, reason }) => value ?? [String(reason), 0])
    .filter(([, status]) => status !== 200);
  if (bad.length > 0) throw new Error(`the dashboard lacks ${bad.join(', ')}`);
  return `${count(said, /ALERT/)} alerts, the dashboard's ${ASSET_PATHS.length} files`;
}

function count(text, pattern) {
  const found = text.match(new RegExp(pattern, 'g'))?.length ?? 0;
  if (found === 0) throw new Error(`no ${pattern} in: ${text}`);
  return found;
}

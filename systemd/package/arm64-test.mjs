// Runs the arm64 package's payload, its own arm64 Node included, under qemu-user on an amd64 machine:
// npm run package:arm64-test [-- --deb FILE] [--demo-seconds 60] [--skip-demo] [--only PATTERN]
// Needs qemu-aarch64-static (qemu-user-static), dpkg-deb and a Debian mirror for arm64 libraries; without them it says so and
// ends with 0. Result in bench/results/arm64.json. Emulation says whether it works and computes the same, never how fast.
import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { has, Verdicts } from './verdicts.mjs';

const top = fileURLToPath(new URL('../../', import.meta.url));
const { values: options } = parseArgs({
  options: {
    deb: { type: 'string' },
    record: { type: 'string', default: join(top, 'test/fixtures/wfdb/100') },
    'demo-seconds': { type: 'string', default: '60' },
    'skip-demo': { type: 'boolean', default: false },
    // Only checks whose name fits this pattern, for example 'replay.*native'.
    only: { type: 'string', default: '' },
  },
});
const QEMU = 'qemu-aarch64-static';
/** Debian's cross packages: glibc and libstdc++ of arm64, installable on amd64. */
const LIBRARIES = ['libc6-arm64-cross', 'libstdc++6-arm64-cross', 'libgcc-s1-arm64-cross'];
/** Emulation is 10 to 50 times slower: no deadline of real life holds. */
const PATIENCE = {
  SLOTHD_CONFIG_INFERENCE__DEADLINEMS: '60000',
  SLOTHD_CONFIG_INFERENCE__STARTTIMEOUTMS: '600000',
  SLOTHD_CONFIG_INFERENCE__VARIANT: 'default',
  // The emulator's own memory counts as the host's.
  SLOTHD_CONFIG_INFERENCE__HOSTMEMORYMIB: '4096',
};
const MOST_MS = 900_000;

if (!has(QEMU)) skip('it needs qemu-user-static');
const deb = resolve(options.deb ?? newestDeb());
const work = mkdtempSync(join(tmpdir(), 'slothd-arm64-'));
const verdicts = new Verdicts();
try {
  execFileSync('dpkg-deb', ['--extract', deb, join(work, 'payload')]);
  const node = emulatedNode();
  const main = join(work, 'payload/usr/lib/slothd/dist/main.js');
  const arm = (args, env = {}) => {
    try {
      return run(node, [main, ...args], env);
    } catch (error) {
      // qemu-user now and then fails to start a child with an error that means nothing; a second time it does not.
      if (!/spawn EISDIR/.test(error.message)) throw error;
      return run(node, [main, ...args], env);
    }
  };

  await check('its own Node', () => {
    const said = run(node, ['--print', 'process.arch + " " + process.version']).trim();
    if (!said.startsWith('arm64 ')) throw new Error(said);
    return said;
  });
  const models = readdirSync(join(work, 'payload/usr/lib/slothd/models'));
  for (const runtime of ['native', 'wasm']) {
    for (const model of models)
      await check(`model verify ${model}, ${runtime}`, () => {
        const said = arm(['model', 'verify', model, '--runtime', runtime]);
        const good = said.split('\n').filter((line) => line.includes(`good (${runtime})`));
        if (good.length === 0) throw new Error(said);
        return `${good.length} variants good`;
      });
  }
  let reference = null;
  const here = () => {
    reference ??= replay(process.execPath, join(top, 'dist/main.js'), 'native');
    return reference;
  };
  for (const runtime of ['native', 'wasm'])
    await check(`replay of ${options.record.split('/').at(-1)} as on x64, ${runtime}`, () =>
      compare(here(), replay(node, main, runtime)),
    );
  if (!options['skip-demo'])
    for (const runtime of ['native', 'wasm'])
      await check(`demo, ${options['demo-seconds']} s, ${runtime}`, () => {
        const said = arm(['demo', '--for', options['demo-seconds'], '--broker-port', '0'], {
          ...PATIENCE,
          SLOTHD_CONFIG_INFERENCE__RUNTIME: runtime,
        });
        if (!/ALERT/.test(said)) throw new Error(said.slice(-1500));
        return `${said.match(/ALERT/g).length} alerts`;
      });
} finally {
  rmSync(work, { recursive: true, force: true });
}
report();

/**
 * A program that is the payload's Node. What it starts itself is `process.execPath`, which must be this program again: the
 * kernel of this machine cannot run arm64 code.
 */
function emulatedNode() {
  const libraries = join(work, 'libraries');
  const cache = join(top, '.cache/arm64-libraries');
  mkdirSync(cache, { recursive: true });
  for (const name of LIBRARIES) {
    const there = () => readdirSync(cache).find((file) => file.startsWith(`${name}_`));
    if (!there()) execFileSync('apt-get', ['download', name], { cwd: cache, stdio: 'ignore' });
    execFileSync('dpkg-deb', ['--extract', join(cache, there()), libraries]);
  }
  const program = join(work, 'node');
  writeFileSync(join(work, 'itself.cjs'), `process.execPath = ${JSON.stringify(program)};\n`);
  writeFileSync(
    program,
    `#!/bin/sh\nexec ${QEMU} -L ${libraries}/usr/aarch64-linux-gnu ${work}/payload/usr/lib/slothd/runtime/node --require ${work}/itself.cjs "$@"\n`,
    { mode: 0o755 },
  );
  return program;
}

function run(program, args, env = {}) {
  const done = spawnSync(program, args, {
    encoding: 'utf8',
    timeout: MOST_MS,
    maxBuffer: 256e6,
    env: { ...process.env, ...env },
  });
  if (done.status !== 0)
    throw new Error(
      `${args.slice(1, 4).join(' ')}: exit ${done.status ?? done.signal}\n${done.stdout?.slice(-800)}${done.stderr?.slice(-800)}`,
    );
  return done.stdout;
}

/** Beats of the record with their scores. */
function replay(node, main, runtime) {
  const config = join(work, `replay-${runtime}.yaml`);
  const inference = { runtime, variant: 'default', deadlineMs: 60_000, startTimeoutMs: 600_000, hostMemoryMiB: 4096 };
  const sensors = [{ name: 'unused', format: 'ad8232', link: { type: 'serial', path: '/dev/null' } }];
  writeFileSync(config, JSON.stringify({ sensors, inference }));
  return run(node, [main, 'replay', options.record, '--config', config])
    .split('\n')
    .filter((line) => line.startsWith('{"type":"beat"'))
    .map((line) => JSON.parse(line));
}

function compare(here, there) {
  if (here.length === 0) throw new Error('no beats');
  const samples = (beats) => beats.map(({ sample, class: of }) => `${sample} ${of}`).join();
  if (samples(here) !== samples(there)) {
    const at = here.findIndex((beat, index) => samples([beat]) !== samples([there[index] ?? {}]));
    const differ = JSON.stringify([here[at], there[at]]);
    throw new Error(
      `${here.length} beats here, ${there.length} there; the first that differs is number ${at}: ${differ}`,
    );
  }
  let worst = 0;
  for (const [at, beat] of here.entries())
    for (const [label, score] of Object.entries(beat.scores ?? {}))
      worst = Math.max(worst, Math.abs(score - (there[at].scores?.[label] ?? Number.NaN)));
  if (!(worst <= 0.01)) throw new Error(`scores differ by ${worst}`);
  return `${here.length} beats identical, scores differ by at most ${worst}`;
}

async function check(name, work) {
  if (new RegExp(options.only).test(name)) await verdicts.check(name, work);
}

function report() {
  const emulator = execFileSync(QEMU, ['--version'], { encoding: 'utf8' }).split('\n')[0];
  const result = {
    what: 'the arm64 package under qemu-user on x64: what works and what it computes',
    notMeasured: 'speed, memory, serial hardware, systemd on arm64; nothing ran on a Raspberry Pi',
    emulator,
    at: new Date().toISOString(),
    checks: verdicts.list,
  };
  writeFileSync(join(top, 'bench/results/arm64.json'), `${JSON.stringify(result, null, 2)}\n`);
  verdicts.end();
}

function newestDeb() {
  const folder = join(top, '.cache/package');
  const found = existsSync(folder) ? readdirSync(folder).filter((name) => name.endsWith('_arm64.deb')) : [];
  if (found.length === 0) {
    process.stderr.write('there is no package yet: npm run package\n');
    process.exit(1);
  }
  return join(folder, found.sort().at(-1));
}

function skip(why) {
  process.stdout.write(`package:arm64-test skipped: ${why}\n`);
  process.exit(0);
}

import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { Command, Option } from 'commander';
import { loadConfig, SYSTEM_CONFIG } from '../config/load.js';
import { namedBundle, SHIPPED_MODELS } from '../daemon/bundle-choice.js';
import { loadBundle } from '../inference/bundle/load.js';
import { BundleError } from '../inference/bundle/manifest.js';
import { RUNTIMES, type Runtime } from '../inference/host/messages.js';
import { InferenceRunner } from '../inference/runner.js';
import { positive } from './arguments.js';
import { type BenchRow, benchHeader, benchLine, benchModel } from './model/bench.js';
import { addInstallCommands, installedLines } from './model/install.js';
import { UsageError } from './usage-error.js';

/** Nobody's beats wait here: a slow machine, or an emulated one, may take its time. */
const VERIFY_MS = 300_000;

const BUNDLES =
  'folders, or names of models (what is active of it; NAME@ID another one, NAME@shipped what came with slothd); all shipped ones where left out';
const WHERE_INSTALLED = 'the config file, which says where installed ones are';

export function modelCommand(): Command {
  const command = new Command('model').description(
    'Model bundles: list, inspect, verify, bench, install, activate, rollback.',
  );
  command
    .command('list')
    .description('List the bundles that came with slothd and those installed, or the bundles of a folder.')
    .argument('[folder]', 'folder of bundles')
    .option('-c, --config <file>', WHERE_INSTALLED, SYSTEM_CONFIG)
    .action(list);
  command
    .command('inspect')
    .description('Show what a bundle is: inputs, labels, variants with sizes and figures.')
    .argument('<bundle>', 'folder, or name of a model, as for verify')
    .option('--json', 'the manifest as it is, golden vectors left out')
    .option('-c, --config <file>', WHERE_INSTALLED, SYSTEM_CONFIG)
    .action(inspect);
  command
    .command('verify')
    .description('Check every hash, then load each variant in the model host and compare it with its golden vectors.')
    .argument('[bundle...]', BUNDLES)
    .addOption(runtimeOption())
    .option('-c, --config <file>', WHERE_INSTALLED, SYSTEM_CONFIG)
    .action(verify);
  command
    .command('bench')
    .description('Time every variant on every runtime on this machine, in a model host as the daemon starts it.')
    .argument('[bundle...]', BUNDLES)
    .addOption(runtimeOption())
    .option('-c, --config <file>', WHERE_INSTALLED, SYSTEM_CONFIG)
    .option('--ms <n>', 'how long each variant is asked, ms', positive, 1000)
    .option('--json', 'as JSON')
    .action(bench);
  addInstallCommands(command);
  return command;
}

async function list(wanted: string | undefined, { config }: { config: string }): Promise<void> {
  const folder = wanted ?? SHIPPED_MODELS;
  const names = await readdir(folder).catch(() => {
    throw new UsageError(`cannot read the folder ${folder}`);
  });
  for (const name of names.sort()) {
    const bundle = await loadBundle(`${folder}/${name}`).catch((error: Error) => error);
    if (bundle instanceof Error) process.stdout.write(`${name.padEnd(20)} refused: ${bundle.message}\n`);
    else {
      const { manifest } = bundle;
      const variants = manifest.variants.map((v) => `${v.id} ${kB(v.bytes)}`).join(', ');
      process.stdout.write(
        `${name.padEnd(20)} ${manifest.task.padEnd(12)} default ${manifest.defaultVariant}: ${variants}\n`,
      );
    }
  }
  if (wanted !== undefined) return;
  const stateDir = await stateDirOf(config);
  if (stateDir !== undefined) for (const line of await installedLines(stateDir)) process.stdout.write(`${line}\n`);
}

/**
 * Where installed models are; undefined where the system's config cannot be read: shipped ones need none.
 * @throws ConfigError for any other config
 */
async function stateDirOf(config: string): Promise<string | undefined> {
  try {
    return (await loadConfig(config)).stateDir;
  } catch (error) {
    if (config !== SYSTEM_CONFIG) throw error;
    // Who has no config yet has installed nothing.
    if (!/there is no such file/.test((error as Error).message))
      process.stderr.write(`slothd: installed models are left out: ${(error as Error).message}\n`);
    return undefined;
  }
}

async function inspect(name: string, options: { json?: boolean; config: string }): Promise<void> {
  const { manifest, dir } = await loadBundle(await namedBundle(name, await stateDirOf(options.config)));
  if (options.json) {
    const { golden: _golden, ...rest } = manifest;
    process.stdout.write(`${JSON.stringify(rest, null, 2)}\n`);
    return;
  }
  const lines = [
    `${manifest.name} ${manifest.version} (${manifest.task}) in ${dir}`,
    `inputs   ${manifest.inputs.map((input) => `${input.name} ${input.shape.join('x')}`).join(', ')}`,
    `output   ${manifest.output.name}: ${manifest.output.labels.join(' ')}`,
    `opset    ${manifest.opset}`,
    '',
    row('variant', 'bytes', 'gzip', 'sparsity', 'parameters', 'MACs', 'sha256'),
    ...manifest.variants.map((v) =>
      row(
        v.id === manifest.defaultVariant ? `${v.id} *` : v.id,
        String(v.bytes),
        String(v.gzipBytes),
        `${Math.round(v.sparsity * 100)} %`,
        String(v.parameters),
        String(v.macs),
        v.sha256.slice(0, 12),
      ),
    ),
  ];
  process.stdout.write(`${lines.join('\n')}\n`);
}

/** All of them where none is named: what runs on one runtime must run on the other too. */
function runtimeOption(): Option {
  return new Option('--runtime <runtime>', 'only on this runtime').choices(['native', 'wasm']);
}

async function verify(
  names: readonly string[],
  { runtime, config }: { runtime?: Runtime; config: string },
): Promise<void> {
  const stateDir = await stateDirOf(config);
  const bundles = await bundlesOf(names, stateDir);
  const several = bundles.length > 1;
  const bad: string[] = [];
  for (const { name, dir } of bundles) {
    if (several) process.stdout.write(`${name}\n`);
    try {
      const { failed, of } = await verifyBundle(dir, runtime, several ? '  ' : '');
      if (failed > 0) bad.push(`${failed} of ${of} variants of ${dir} must not be used here`);
    } catch (error) {
      // One that is damaged must not hide what the others are.
      if (!several || !(error instanceof BundleError)) throw error;
      process.stdout.write(`  refused: ${error.message}\n`);
      bad.push(error.message);
    }
  }
  if (bad.length > 0) throw new UsageError(bad.join('; '));
}

/** Loads every variant in a model host of its own and prints the verdict. */
async function verifyBundle(dir: string, runtime: Runtime | undefined, indent: string) {
  const { manifest } = await loadBundle(dir);
  let failed = 0;
  for (const { id } of manifest.variants) {
    const runner = new InferenceRunner({
      models: { model: dir },
      variant: id,
      timingMs: 0,
      startTimeoutMs: VERIFY_MS,
      hostMemoryMiB: 4096,
      runtimes: RUNTIMES[runtime ?? 'auto'],
    });
    runner.start();
    const state = await runner.settled();
    const { reason, note } = runner;
    const used = runner.info('model')?.runtime;
    await runner.stop();
    if (state !== 'ready') failed++;
    const verdict = state === 'ready' ? `good (${used})${note ? `: ${note}` : ''}` : `refused: ${reason}`;
    process.stdout.write(`${indent}${id.padEnd(14)} ${verdict}\n`);
  }
  return { failed, of: manifest.variants.length };
}

/** What is named, or all that came with slothd. */
async function bundlesOf(names: readonly string[], stateDir: string | undefined) {
  if (names.length === 0)
    return (await readdir(SHIPPED_MODELS)).sort().map((name) => ({ name, dir: join(SHIPPED_MODELS, name) }));
  return Promise.all(names.map(async (name) => ({ name, dir: await namedBundle(name, stateDir) })));
}

async function bench(
  names: readonly string[],
  { runtime, ms, json, config }: { runtime?: Runtime; ms: number; json?: boolean; config: string },
): Promise<void> {
  const bundles = await bundlesOf(names, await stateDirOf(config));
  const options = { runtimes: runtime ? [runtime] : (['native', 'wasm'] as const), timeMs: ms };
  const rows: BenchRow[] = [];
  if (!json) process.stdout.write(`${benchHeader()}\n`);
  for (const { dir } of bundles)
    rows.push(
      ...(await benchModel(dir, options, (row) => {
        if (!json) process.stdout.write(`${benchLine(row)}\n`);
      })),
    );
  if (json) process.stdout.write(`${JSON.stringify(rows, null, 2)}\n`);
}

function row(...cells: string[]): string {
  return cells.map((cell, index) => (index === 0 ? cell.padEnd(14) : cell.padStart(12))).join('');
}

function kB(bytes: number): string {
  return `${(bytes / 1000).toFixed(0)} kB`;
}

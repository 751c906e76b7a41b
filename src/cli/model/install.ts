import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import type { Command } from 'commander';
import { loadConfig, SYSTEM_CONFIG } from '../../config/load.js';
import type { Config } from '../../config/schema.js';
import { bundleFolder, shortName } from '../../daemon/bundle-choice.js';
import { InstalledModels, SHIPPED } from '../../inference/bundle/installed.js';
import { loadBundle } from '../../inference/bundle/load.js';
import { BundleError } from '../../inference/bundle/manifest.js';
import { SIGNATURE_FILE, signManifest } from '../../inference/bundle/signature.js';
import { InferenceRunner } from '../../inference/runner.js';
import { type Ask, daemonOf } from '../alerts.js';
import { thisMachine } from '../doctor/system.js';
import { daemons, hangUp } from '../reload.js';
import { UsageError } from '../usage-error.js';

interface Flags {
  readonly config: string;
}

/** How long a daemon may take to have the other model running. */
const TAKE_MS = 30_000;
const LOOK_MS = 200;
/** After this the daemon has looked, and says the same as before. */
const STALE_MS = 5000;

/** Adds install, activate, rollback and sign to `slothd model`. */
export function addInstallCommands(command: Command): void {
  const verb = (name: string, does: string) =>
    command.command(name).description(does).option('-c, --config <file>', 'the config file', SYSTEM_CONFIG);
  verb('install', 'Check a bundle (hashes, signature, golden vectors) and keep it; it runs once it is activated.')
    .argument('<bundle>', 'folder, .tar.gz or .zip')
    .option('--activate', 'and let it run at once')
    .action(async (source: string, flags: Flags & { activate?: boolean }) => {
      const config = await loadConfig(flags.config);
      const { name, id, folder } = await refusable(() => install(source, config));
      process.stdout.write(`installed ${name}@${id} in ${folder}\n`);
      if (flags.activate) await activate(`${name}@${id}`, flags.config, config);
      else process.stdout.write(`let it run: slothd model activate ${name}@${id}\n`);
    });
  verb('activate', 'Let an installed bundle run: the daemon swaps it in without a pause, or keeps the former one.')
    .argument('<model>', `name, or name@id (name@${SHIPPED}: the one that came with slothd)`)
    .action(async (model: string, flags: Flags) => activate(model, flags.config, await loadConfig(flags.config)));
  verb('rollback', 'Let the bundle run that was active before.')
    .argument('<model>', 'name')
    .action(async (name: string, flags: Flags) => {
      const config = await loadConfig(flags.config);
      const id = await refusable(() => new InstalledModels(config.stateDir).rollback(name));
      process.stdout.write(`${name}: back to ${id}\n`);
      await tell(name, flags.config, config);
    });
  command
    .command('sign')
    .description(`Sign a bundle's manifest with an Ed25519 key (openssl genpkey -algorithm ed25519 -out key.pem).`)
    .argument('<bundle>', 'folder')
    .requiredOption('--key <file>', 'private key, PEM')
    .action(async (folder: string, { key }: { key: string }) => {
      const { signature, publicKey } = await refusable(async () => {
        await loadBundle(folder);
        return signManifest(await readFile(join(folder, 'manifest.json')), await readFile(key, 'utf8'));
      });
      await writeFile(join(folder, SIGNATURE_FILE), signature);
      process.stdout.write(`wrote ${join(folder, SIGNATURE_FILE)}\n`);
      process.stdout.write(`devices that trust it: inference: { trustedKeys: [${JSON.stringify(publicKey)}] }\n`);
    });
}

/** Installed and checked: every variant computes its golden vectors on this machine. */
export async function install(source: string, config: Config) {
  await mkdir(config.stateDir, { recursive: true });
  return new InstalledModels(config.stateDir).install(resolve(source), config.inference.trustedKeys, verifyVariants);
}

/** @throws BundleError where a variant does not compute here what it should */
async function verifyVariants(folder: string): Promise<void> {
  const { manifest } = await loadBundle(folder);
  for (const { id } of manifest.variants) {
    const runner = new InferenceRunner({ models: { model: folder }, variant: id, timingMs: 0 });
    runner.start();
    const state = await runner.settled();
    const { reason } = runner;
    await runner.stop();
    if (state !== 'ready') throw new BundleError(reason);
  }
}

async function activate(model: string, configFile: string, config: Config): Promise<void> {
  const [name = '', id] = model.split('@');
  const models = new InstalledModels(config.stateDir);
  const before = await models.choice(name);
  const taken = await refusable(() => models.activate(name, id));
  process.stdout.write(`${name}: ${taken} is active\n`);
  try {
    await tell(name, configFile, config);
  } catch (error) {
    // The daemon kept the former one; so must its next start, and a rollback must not lead to what was refused.
    await models.restore(name, before);
    await letLookAgain(configFile);
    throw error;
  }
}

/** So that it no longer says that a bundle is refused which nobody wants any more. */
async function letLookAgain(configFile: string): Promise<void> {
  for (const pid of await daemons(resolve(configFile), thisMachine)) {
    try {
      hangUp(pid);
    } catch {
      // Another user's: that was the reason, and is told.
    }
  }
}

/** Lets a running daemon look at its models, and waits until it says what became of it. */
async function tell(name: string, configFile: string, config: Config): Promise<void> {
  const pids = await daemons(resolve(configFile), thisMachine);
  if (pids.length === 0) {
    process.stdout.write('no slothd runs with this config: it counts from the next start\n');
    return;
  }
  const folder = await bundleFolder(name, config.stateDir);
  const askable = config.http.enabled && config.http.port !== 0;
  const ask = askable ? (await daemonOf(configFile)).ask : null;
  const former = ask ? await noteOf(ask) : '';
  for (const pid of pids) hangUp(pid);
  if (!ask) {
    process.stdout.write(
      `told process ${pids.join(', ')}; what became of it is in its log: journalctl -u slothd -n 5\n`,
    );
    return;
  }
  const state = await taken(ask, shortName(folder), former);
  process.stdout.write(`${shortName(folder)} (${state}) runs in the daemon\n`);
}

interface AboutView {
  readonly models: readonly { readonly bundle?: string; readonly sha256: string; readonly precision: string }[];
  readonly inference?: { readonly note?: string };
}

async function noteOf(ask: Ask): Promise<string> {
  const about = await (ask('about') as Promise<AboutView>).catch(() => null);
  return about?.inference?.note ?? '';
}

/** @param former what the daemon said of its models before it was asked to look: an older refusal is not this one's */
async function taken(ask: Ask, bundle: string, former: string): Promise<string> {
  const start = performance.now();
  const end = performance.now() + TAKE_MS;
  for (;;) {
    // A daemon that is built anew does not answer for a moment.
    const about = await (ask('about') as Promise<AboutView>).catch((error: Error) => error);
    if (!(about instanceof Error)) {
      const running = about.models.find((model) => model.bundle === bundle);
      if (running) return `${running.precision} ${running.sha256.slice(0, 12)}`;
      const note = about.inference?.note ?? '';
      const isNews = note !== former || performance.now() - start > STALE_MS;
      if (/refused/.test(note) && isNews) throw new UsageError(`the daemon keeps the former model: ${note}`);
    } else if (performance.now() > end) throw about;
    if (performance.now() > end)
      throw new UsageError(`the daemon does not run ${bundle} after ${TAKE_MS / 1000} s: see its log`);
    await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
  }
}

/** A refused bundle is the user's to mend, not a fault of ours. */
async function refusable<T>(run: () => Promise<T>): Promise<T> {
  try {
    return await run();
  } catch (error) {
    if (error instanceof BundleError) throw new UsageError(error.message);
    const { code, path } = error as NodeJS.ErrnoException;
    if (code === 'EACCES' || code === 'EPERM')
      throw new UsageError(`${path} may not be written: use sudo, or another --config`);
    throw error;
  }
}

/** For `model list`: what is installed. */
export async function installedLines(stateDir: string): Promise<string[]> {
  const models = new InstalledModels(stateDir);
  const lines = (await models.list()).map(
    ({ name, id, active }) => `${active ? '*' : ' '} ${`${name}@${id}`.padEnd(40)} ${join(models.folder, name, id)}`,
  );
  return lines.length > 0 ? ['', `installed in ${models.folder} (* is active):`, ...lines] : [];
}

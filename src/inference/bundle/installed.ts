import { createHash, randomBytes } from 'node:crypto';
import { chmod, lstat, mkdir, open, readdir, readFile, rename, rm, stat } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { z } from 'zod';
import { readArchive } from './archive.js';
import { loadBundle } from './load.js';
import { BundleError, parseManifest } from './manifest.js';
import { checkSignature, SIGNATURE_FILE } from './signature.js';

/** The bundle that came with slothd, as a choice beside installed ones. */
export const SHIPPED = 'shipped';

/** Newest bundles kept of each model, and as many former choices; what may be rolled back to is never tidied away. */
const KEPT = 4;
const MAX_FILES = 64;
const MAX_FILE_BYTES = 64 * 1024 * 1024;
const INCOMING = '.incoming-';
const ABANDONED_MS = 3_600_000;
/** Read by the service's user, though root installs. */
const FILE_MODE = 0o644;
const FOLDER_MODE = 0o755;

const choiceSchema = z.object({
  active: z.string(),
  /** What was active before, newest first. */
  former: z.array(z.string()),
});
const stateSchema = z.object({ schema: z.literal(1), models: z.record(z.string(), choiceSchema) });
type Choice = z.infer<typeof choiceSchema>;

export interface InstalledBundle {
  readonly name: string;
  /** Version and the first digits of the manifest's sha256: two builds of one version are two bundles. */
  readonly id: string;
  readonly folder: string;
  readonly active: boolean;
}

/**
 * Bundles installed below the state folder: `models/<name>/<id>/`, and `models/active.json` that says which one runs.
 * Every change is one rename, so that a power cut leaves the former state or the new one.
 */
export class InstalledModels {
  readonly folder: string;

  constructor(stateDir: string) {
    this.folder = join(stateDir, 'models');
  }

  /**
   * Takes a bundle in, after `verify` has looked at it where it lies.
   * @param source a folder, or an archive
   * @param trusted keys one of which must have signed it; none: no signature is asked for
   * @throws BundleError with the reason where it is refused; nothing changes then
   */
  async install(
    source: string,
    trusted: readonly string[],
    verify: (folder: string) => Promise<void>,
  ): Promise<InstalledBundle> {
    const files = await readSource(source);
    const manifestBytes = files.get('manifest.json');
    if (!manifestBytes) throw new BundleError(`${source}: there is no manifest.json`);
    const signature = files.get(SIGNATURE_FILE)?.toString('utf8') ?? null;
    about(source, () => checkSignature(manifestBytes, signature, trusted));
    const manifest = parseManifest(parseJson(manifestBytes));
    await makeFolder(this.folder);
    await this.#sweep();
    const incoming = join(this.folder, `${INCOMING}${randomBytes(6).toString('hex')}`);
    try {
      await makeFolder(incoming);
      const wanted = ['manifest.json', SIGNATURE_FILE, 'CARD.md', ...manifest.variants.map(({ file }) => file)];
      for (const name of new Set(wanted)) {
        const content = files.get(name);
        if (content) await writeDurably(join(incoming, name), content);
      }
      await loadBundle(incoming);
      await verify(incoming);
      const id = `${manifest.version.replace(/[^A-Za-z0-9._-]/g, '_')}-${sha256(manifestBytes).slice(0, 8)}`;
      const folder = join(this.folder, manifest.name, id);
      await makeFolder(join(this.folder, manifest.name));
      // The same bundle again: its folder is swapped whole, so that what runs is there at every moment but one.
      const old = `${incoming}-old`;
      await rename(folder, old).catch(ignoreMissing);
      await rename(incoming, folder);
      await rm(old, { recursive: true, force: true });
      await this.#tidy(manifest.name, id);
      return { name: manifest.name, id, folder, active: (await this.choice(manifest.name))?.active === id };
    } finally {
      await rm(incoming, { recursive: true, force: true });
    }
  }

  /** What was chosen for a model; null where nothing ever was. */
  async choice(name: string): Promise<Choice | null> {
    const { models } = await this.#state();
    return Object.hasOwn(models, name) ? (models[name] ?? null) : null;
  }

  /** Folders to try for a model, the active one first, then the former ones; `SHIPPED` stands for itself. */
  async candidates(name: string): Promise<string[]> {
    const choice = await this.choice(name);
    if (!choice) return [SHIPPED];
    const ids = [choice.active, ...choice.former].map((id) => (id === SHIPPED ? id : join(this.folder, name, id)));
    return [...new Set([...ids, SHIPPED])];
  }

  /**
   * Makes an installed bundle, or the shipped one, the one that runs.
   * @param id left out: the one installed last
   * @throws BundleError where there is none of this id
   */
  async activate(name: string, id?: string): Promise<string> {
    const there = await this.#ids(name);
    const wanted = id ?? there[0];
    if (wanted === undefined) throw new BundleError(`no bundle of ${name} is installed: slothd model install`);
    if (wanted !== SHIPPED && !there.includes(wanted))
      throw new BundleError(`${name}@${wanted} is not installed; there are: ${[...there, SHIPPED].join(', ')}`);
    const before = (await this.choice(name)) ?? { active: SHIPPED, former: [] };
    if (before.active === wanted) return wanted;
    const former = [before.active, ...before.former.filter((other) => other !== wanted)].slice(0, KEPT);
    await this.#write(name, { active: wanted, former });
    return wanted;
  }

  /** The choice as it was: for an activation that the daemon refused. */
  async restore(name: string, choice: Choice | null): Promise<void> {
    await this.#write(name, choice ?? { active: SHIPPED, former: [] });
  }

  /** Back to what was active before. @throws BundleError where there was nothing */
  async rollback(name: string): Promise<string> {
    const choice = await this.choice(name);
    const [back, ...rest] = choice?.former ?? [];
    if (back === undefined) throw new BundleError(`nothing was active before for ${name}`);
    await this.#write(name, { active: back, former: rest });
    return back;
  }

  /** Every installed bundle, by name. */
  async list(): Promise<InstalledBundle[]> {
    const names = await readdir(this.folder).catch(() => []);
    const found: InstalledBundle[] = [];
    for (const name of names.filter((one) => !one.startsWith('.') && one !== 'active.json').sort()) {
      const active = (await this.choice(name))?.active;
      for (const id of await this.#ids(name))
        found.push({ name, id, folder: join(this.folder, name, id), active: id === active });
    }
    return found;
  }

  /** Installed ids of a model, the newest first. */
  async #ids(name: string): Promise<string[]> {
    if (!/^[a-z0-9][a-z0-9._-]*$/.test(name)) return [];
    const ids = await readdir(join(this.folder, name)).catch(() => []);
    const found: { id: string; at: number }[] = [];
    for (const id of ids) {
      const what = await stat(join(this.folder, name, id)).catch(() => null);
      if (what?.isDirectory()) found.push({ id, at: what.mtimeMs });
    }
    return found.sort((a, b) => b.at - a.at).map(({ id }) => id);
  }

  /** What an install that was killed left behind. A younger one may be under way in another process. */
  async #sweep(): Promise<void> {
    for (const name of await readdir(this.folder)) {
      if (!name.startsWith(INCOMING)) continue;
      const { mtimeMs } = await stat(join(this.folder, name)).catch(() => ({ mtimeMs: Date.now() }));
      if (Date.now() - mtimeMs > ABANDONED_MS) await rm(join(this.folder, name), { recursive: true, force: true });
    }
  }

  async #tidy(name: string, newest: string): Promise<void> {
    const choice = await this.choice(name);
    const ids = await this.#ids(name);
    const keep = new Set([newest, ...ids.slice(0, KEPT), choice?.active, ...(choice?.former ?? [])]);
    for (const id of ids) if (!keep.has(id)) await rm(join(this.folder, name, id), { recursive: true, force: true });
  }

  async #state(): Promise<z.infer<typeof stateSchema>> {
    const text = await readFile(join(this.folder, 'active.json'), 'utf8').catch(() => null);
    try {
      return stateSchema.parse(JSON.parse(text ?? ''));
    } catch {
      // Missing or damaged: the shipped models, never a daemon without one.
      return { schema: 1, models: {} };
    }
  }

  async #write(name: string, choice: Choice): Promise<void> {
    const state = await this.#state();
    state.models[name] = choice;
    await makeFolder(this.folder);
    const file = join(this.folder, 'active.json');
    await writeDurably(`${file}.new`, Buffer.from(`${JSON.stringify(state, null, 2)}\n`));
    await rename(`${file}.new`, file);
  }
}

/** The files of a bundle, by name, in memory: what was looked at is what is written. */
async function readSource(source: string): Promise<Map<string, Buffer>> {
  // The source itself may be a link, such as `latest`: the person has named it. Links inside are nobody's word.
  const what = await stat(source).catch((error) => {
    throw unreadable(source, error);
  });
  if (!what.isDirectory()) {
    // A pipe or a device has no end that could be known.
    if (!what.isFile()) throw new BundleError(`${source}: is neither a file nor a folder`);
    if (what.size > MAX_FILE_BYTES) throw new BundleError(`${source}: ${what.size} bytes are too many for a bundle`);
    const bytes = await readWhole(source);
    return about(source, () => readArchive(bytes));
  }
  const files = new Map<string, Buffer>();
  const take = async (name: string) => {
    const entry = await lstat(join(source, name)).catch(() => null);
    if (entry?.isFile() && entry.size <= MAX_FILE_BYTES) files.set(name, await readWhole(join(source, name)));
  };
  await take('manifest.json');
  // Only what the manifest names: the folder may be somebody's downloads.
  for (const name of [SIGNATURE_FILE, 'CARD.md', ...filesNamedIn(files.get('manifest.json'))]) await take(name);
  return files;
}

/** Says in a refusal which source it is about. */
function about<T>(source: string, run: () => T): T {
  try {
    return run();
  } catch (error) {
    throw error instanceof BundleError ? new BundleError(`${source}: ${error.message}`) : error;
  }
}

/** Names of the variants' files, of a manifest that nobody has checked yet: plain names alone. */
function filesNamedIn(manifest: Buffer | undefined): string[] {
  if (!manifest) return [];
  const { variants } = (parseJson(manifest) ?? {}) as { variants?: unknown };
  if (!Array.isArray(variants)) return [];
  const names = variants.map((variant) => (variant as { file?: unknown } | null)?.file);
  return names.filter((name) => typeof name === 'string' && basename(name) === name).slice(0, MAX_FILES) as string[];
}

async function readWhole(path: string): Promise<Buffer> {
  return readFile(path).catch((error) => {
    throw unreadable(path, error);
  });
}

function unreadable(path: string, { code, message }: NodeJS.ErrnoException): BundleError {
  const words: Readonly<Record<string, string>> = {
    ENOENT: 'there is no such file or folder',
    ENOTDIR: 'there is no such file or folder',
    EACCES: 'it may not be read',
  };
  return new BundleError(`${path}: ${words[code ?? ''] ?? message}`);
}

/** Whatever the umask: root installs, the service's user looks in. */
async function makeFolder(path: string): Promise<void> {
  if ((await mkdir(path, { recursive: true, mode: FOLDER_MODE })) !== undefined) await chmod(path, FOLDER_MODE);
}

function ignoreMissing(error: NodeJS.ErrnoException): void {
  if (error.code !== 'ENOENT') throw error;
}

async function writeDurably(path: string, content: Buffer): Promise<void> {
  const file = await open(path, 'w', FILE_MODE);
  try {
    await file.writeFile(content);
    await file.sync();
  } finally {
    await file.close();
  }
  // Whatever the umask: root installs, the service's user reads.
  await chmod(path, FILE_MODE);
}

function parseJson(bytes: Buffer): unknown {
  try {
    return JSON.parse(bytes.toString('utf8'));
  } catch (error) {
    throw new BundleError(`manifest.json: is not JSON (${(error as Error).message})`);
  }
}

function sha256(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}

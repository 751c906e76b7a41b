import { createHash, randomBytes } from 'node:crypto';
import { chmod, lstat, mkdir, open, readdir, readFile, rename, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { readArchive } from './archive.js';
import { loadBundle } from './load.js';
import { BundleError, parseManifest } from './manifest.js';
import { checkSignature, SIGNATURE_FILE } from './signature.js';

/** The bundle that came with slothd, as a choice beside installed ones. */
export const SHIPPED = 'shipped';

/** Newest bundles kept of each model, and as many former choices; what may be rolled back to is never tidied away. */
const KEPT = 4;
const MAX_FILE_BYTES = 64 * 1024 * 1024;
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
    checkSignature(manifestBytes, files.get(SIGNATURE_FILE)?.toString('utf8') ?? null, trusted);
    const manifest = parseManifest(parseJson(manifestBytes));
    await mkdir(this.folder, { recursive: true, mode: FOLDER_MODE });
    const incoming = join(this.folder, `.incoming-${randomBytes(6).toString('hex')}`);
    try {
      await mkdir(incoming, { mode: FOLDER_MODE });
      const wanted = ['manifest.json', SIGNATURE_FILE, 'CARD.md', ...manifest.variants.map(({ file }) => file)];
      for (const name of new Set(wanted)) {
        const content = files.get(name);
        if (content) await writeDurably(join(incoming, name), content);
      }
      await loadBundle(incoming);
      await verify(incoming);
      const id = `${manifest.version.replace(/[^A-Za-z0-9._-]/g, '_')}-${sha256(manifestBytes).slice(0, 8)}`;
      const folder = join(this.folder, manifest.name, id);
      await mkdir(join(this.folder, manifest.name), { recursive: true, mode: FOLDER_MODE });
      await rm(folder, { recursive: true, force: true });
      await rename(incoming, folder);
      await this.#tidy(manifest.name, id);
      return { name: manifest.name, id, folder, active: (await this.choice(manifest.name))?.active === id };
    } finally {
      await rm(incoming, { recursive: true, force: true });
    }
  }

  /** What was chosen for a model; null where nothing ever was. */
  async choice(name: string): Promise<Choice | null> {
    return (await this.#state()).models[name] ?? null;
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
    const times = await Promise.all(ids.map(async (id) => (await stat(join(this.folder, name, id))).mtimeMs));
    return ids
      .map((id, at) => ({ id, at: times[at] ?? 0 }))
      .sort((a, b) => b.at - a.at)
      .map(({ id }) => id);
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
    await mkdir(this.folder, { recursive: true, mode: FOLDER_MODE });
    const file = join(this.folder, 'active.json');
    await writeDurably(`${file}.new`, Buffer.from(`${JSON.stringify(state, null, 2)}\n`));
    await rename(`${file}.new`, file);
  }
}

/** The files of a bundle, by name, in memory: what was looked at is what is written. */
async function readSource(source: string): Promise<Map<string, Buffer>> {
  const what = await lstat(source).catch(() => null);
  if (!what) throw new BundleError(`${source}: there is no such file or folder`);
  if (!what.isDirectory()) {
    if (what.size > MAX_FILE_BYTES) throw new BundleError(`${source}: ${what.size} bytes are too many for a bundle`);
    return readArchive(await readFile(source));
  }
  const files = new Map<string, Buffer>();
  for (const name of await readdir(source)) {
    const entry = await lstat(join(source, name));
    if (entry.isFile() && entry.size <= MAX_FILE_BYTES) files.set(name, await readFile(join(source, name)));
  }
  return files;
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

import { access, readFile } from 'node:fs/promises';
import { basename, isAbsolute, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { InstalledModels, SHIPPED } from '../inference/bundle/installed.js';
import { loadBundle } from '../inference/bundle/load.js';
import type { Manifest } from '../inference/bundle/manifest.js';
import { checkSignature, SIGNATURE_FILE } from '../inference/bundle/signature.js';

/** Bundles that come with slothd: models/ of the package, two folders above src/daemon and dist/daemon alike. */
export const SHIPPED_MODELS = fileURLToPath(new URL('../../models/', import.meta.url));

/**
 * A configured bundle's folder: a path, or the name of an installed or shipped one.
 * @param stateDir where installed bundles are; left out: shipped ones alone
 */
export async function bundleFolder(name: string, stateDir?: string): Promise<string> {
  return (await bundleFolders(name, stateDir))[0] as string;
}

/** The folders that may serve a configured name, best first: what is active, what was before it, what came with slothd. */
export async function bundleFolders(name: string, stateDir?: string): Promise<string[]> {
  const asPath = resolve(name);
  if (isAbsolute(name) || name.includes('/') || (await exists(asPath))) return [asPath];
  const shipped = resolve(SHIPPED_MODELS, name);
  if (stateDir === undefined) return [shipped];
  const candidates = await new InstalledModels(stateDir).candidates(name);
  return candidates.map((folder) => (folder === SHIPPED ? shipped : folder));
}

/**
 * As `bundleFolder`, for what a person names: `name@id` is one installed bundle, `name@shipped` the one that came with slothd.
 */
export async function namedBundle(name: string, stateDir?: string): Promise<string> {
  const [, model, id] = /^([a-z0-9][a-z0-9._-]*)@([^/]+)$/.exec(name) ?? [];
  if (model === undefined || id === undefined) return bundleFolder(name, stateDir);
  if (id === SHIPPED || stateDir === undefined) return resolve(SHIPPED_MODELS, model);
  return join(new InstalledModels(stateDir).folder, model, id);
}

/** Whether a folder is that of an installed bundle. */
export function isInstalled(folder: string, stateDir: string | undefined): boolean {
  return stateDir !== undefined && resolve(folder).startsWith(`${resolve(new InstalledModels(stateDir).folder)}/`);
}

/** A bundle that may serve. */
export interface ChosenBundle {
  readonly folder: string;
  readonly manifest: Manifest;
}

/**
 * The first of these folders that can be used as far as its files tell.
 * @param check throws where a manifest does not fit this program
 * @param trusted keys one of which must have signed a bundle that did not come with slothd
 * @returns the bundle, null where none is fit; and why each one before it is not
 */
export async function chooseBundle(
  folders: readonly string[],
  trusted: readonly string[],
  check: (manifest: Manifest) => void,
): Promise<{ chosen: ChosenBundle | null; refusals: string[] }> {
  const refusals: string[] = [];
  for (const folder of folders) {
    try {
      const { manifest } = await loadBundle(folder);
      if (!folder.startsWith(SHIPPED_MODELS)) await checkSigned(folder, trusted);
      check(manifest);
      return { chosen: { folder, manifest }, refusals };
    } catch (error) {
      const { message } = error as Error;
      refusals.push(message.includes(folder) ? message : `${folder}: ${message}`);
    }
  }
  return { chosen: null, refusals };
}

/** How a bundle's folder is called in reports: an installed one by model and id, any other by its last part. */
export function shortName(folder: string): string {
  return /\/models\/([^/]+\/[^/]+)$/.exec(folder)?.[1]?.replace('/', '@') ?? basename(folder);
}

async function checkSigned(folder: string, trusted: readonly string[]): Promise<void> {
  if (trusted.length === 0) return;
  const signature = await readFile(join(folder, SIGNATURE_FILE), 'utf8').catch(() => null);
  checkSignature(await readFile(join(folder, 'manifest.json')), signature, trusted);
}

function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}

import { createHash } from 'node:crypto';
import { readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { BundleError, type Manifest, type ManifestVariant, parseManifest } from './manifest.js';

/** A manifest holds golden vectors as text; anything larger than this is not a manifest. */
const MAX_MANIFEST_BYTES = 32 * 1024 * 1024;

/** A bundle whose every file is what its manifest says. The bytes are the very ones that were hashed. */
export interface Bundle {
  readonly dir: string;
  readonly manifest: Manifest;
  /** Variant id -> content of its model file. */
  readonly files: ReadonlyMap<string, Uint8Array>;
}

/**
 * Reads a bundle folder: `manifest.json`, then every variant's file, each checked for size and sha256.
 * That the models also compute what they should is checked where they run (`checkGolden`).
 * @throws BundleError that says which file or field is wrong, and how.
 */
export async function loadBundle(dir: string): Promise<Bundle> {
  const manifest = parseManifest(await readManifestJson(dir));
  const files = new Map<string, Uint8Array>();
  for (const variant of manifest.variants) files.set(variant.id, await readVariant(dir, variant));
  return { dir, manifest, files };
}

/**
 * The variant of that id, or the manifest's default one.
 * @throws BundleError when the bundle has no such variant.
 */
export function pickVariant(manifest: Manifest, id: string = manifest.defaultVariant): ManifestVariant {
  const variant = manifest.variants.find((candidate) => candidate.id === id);
  if (variant) return variant;
  const ids = manifest.variants.map((candidate) => candidate.id).join(', ');
  throw new BundleError(`${manifest.name}: there is no variant "${id}"; the bundle has: ${ids}`);
}

async function readManifestJson(dir: string): Promise<unknown> {
  const path = join(dir, 'manifest.json');
  let text: string;
  try {
    const { size } = await stat(path);
    if (size > MAX_MANIFEST_BYTES) throw new BundleError(`${path}: ${size} bytes is too large for a manifest`);
    text = await readFile(path, 'utf8');
  } catch (error) {
    if (error instanceof BundleError) throw error;
    throw new BundleError(`${path}: cannot be read (${codeOf(error)})`);
  }
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new BundleError(`${path}: is not JSON (${(error as Error).message})`);
  }
}

async function readVariant(dir: string, variant: ManifestVariant): Promise<Uint8Array> {
  const path = join(dir, variant.file);
  let bytes: Uint8Array;
  try {
    // The size first: a file swapped for a huge one must not be read into memory only to be refused.
    const { size } = await stat(path);
    if (size !== variant.bytes)
      throw new BundleError(`${path}: holds ${size} bytes, the manifest says ${variant.bytes}`);
    bytes = await readFile(path);
  } catch (error) {
    if (error instanceof BundleError) throw error;
    throw new BundleError(`${path}: cannot be read (${codeOf(error)})`);
  }
  const found = createHash('sha256').update(bytes).digest('hex');
  if (found !== variant.sha256)
    throw new BundleError(`${path}: its sha256 is ${found}, the manifest says ${variant.sha256}`);
  return bytes;
}

function codeOf(error: unknown): string {
  return (error as NodeJS.ErrnoException).code ?? String(error);
}

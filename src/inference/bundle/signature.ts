import { createPrivateKey, createPublicKey, type KeyObject, sign, verify } from 'node:crypto';
import { BundleError } from './manifest.js';

/** Beside `manifest.json`: the Ed25519 signature (RFC 8032) of its bytes, base64. The manifest holds all other hashes. */
export const SIGNATURE_FILE = 'manifest.sig';

/** SubjectPublicKeyInfo of an Ed25519 key up to the 32 bytes themselves (RFC 8410). */
const SPKI_PREFIX = Buffer.from('302a300506032b6570032100', 'hex');

/** @param key 32 bytes, base64 @throws BundleError where it is none */
export function publicKeyOf(key: string): KeyObject {
  const raw = Buffer.from(key, 'base64');
  if (raw.length !== 32) throw new BundleError(`${key}: is no Ed25519 key (32 bytes in base64)`);
  return createPublicKey({ key: Buffer.concat([SPKI_PREFIX, raw]), format: 'der', type: 'spki' });
}

/**
 * Checks who made a bundle.
 * @param trusted keys of the config; none: anybody may have
 * @param signature content of `manifest.sig`; null where there is none
 * @throws BundleError where keys are pinned and none of them made the signature
 */
export function checkSignature(manifest: Uint8Array, signature: string | null, trusted: readonly string[]): void {
  if (trusted.length === 0) return;
  if (signature === null)
    throw new BundleError(`is not signed (${SIGNATURE_FILE} is missing), inference.trustedKeys asks for it`);
  const bytes = Buffer.from(signature.trim(), 'base64');
  if (!trusted.some((key) => verify(null, manifest, publicKeyOf(key), bytes)))
    throw new BundleError('is signed by none of inference.trustedKeys');
}

/**
 * Signs a manifest.
 * @param pem private key as `openssl genpkey -algorithm ed25519` writes it
 * @returns the signature for `manifest.sig`, and the public key for `inference.trustedKeys`
 */
export function signManifest(manifest: Uint8Array, pem: string): { signature: string; publicKey: string } {
  let key: KeyObject;
  try {
    key = createPrivateKey(pem);
  } catch (error) {
    throw new BundleError(`the key cannot be read: ${(error as Error).message}`);
  }
  if (key.asymmetricKeyType !== 'ed25519')
    throw new BundleError(`the key is ${key.asymmetricKeyType}, Ed25519 is needed`);
  const spki = createPublicKey(key).export({ format: 'der', type: 'spki' });
  return {
    signature: `${sign(null, manifest, key).toString('base64')}\n`,
    publicKey: spki.subarray(SPKI_PREFIX.length).toString('base64'),
  };
}

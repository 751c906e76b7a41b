import { readFileSync } from 'node:fs';
import { readFile, stat } from 'node:fs/promises';
import { createSecureContext } from 'node:tls';
import type { MqttSettings } from '../config/mqtt.js';

/** `$CREDENTIALS_DIRECTORY/NAME` names a file that systemd's LoadCredential= puts there (systemd.exec(5)). */
const CREDENTIALS = /^\$(?:CREDENTIALS_DIRECTORY|\{CREDENTIALS_DIRECTORY\})\//;

/**
 * Reads a file that a setting names.
 * @throws Error naming the setting and the file, where it cannot be read
 */
export async function readNamed(setting: string, file: string | undefined): Promise<Buffer | undefined> {
  if (file === undefined) return undefined;
  try {
    return await readFile(resolveFile(file));
  } catch (error) {
    throw unreadable(setting, file, error);
  }
}

/** As `readNamed`, at once. */
export function readNamedSync(setting: string, file: string): Buffer {
  try {
    return readFileSync(resolveFile(file));
  } catch (error) {
    throw unreadable(setting, file, error);
  }
}

function unreadable(setting: string, file: string, error: unknown): Error {
  const { code, message } = error as NodeJS.ErrnoException;
  const words: Readonly<Record<string, string>> = {
    ENOENT: 'there is no such file',
    EACCES: 'it may not be read',
    EISDIR: 'it is a folder',
  };
  return new Error(`${setting}: ${file}: ${words[code ?? ''] ?? message}`);
}

function resolveFile(file: string): string {
  if (!CREDENTIALS.test(file)) return file;
  const { CREDENTIALS_DIRECTORY: folder } = process.env;
  if (!folder) throw new Error('systemd has handed over no credentials; see LoadCredential= in the unit');
  return file.replace(CREDENTIALS, `${folder}/`);
}

/** CA, client certificate and its key, as far as they are configured. */
export async function readTlsFiles({ tls }: MqttSettings) {
  const [ca, cert, key] = await Promise.all([
    readNamed('mqtt.tls.caFile', tls.caFile),
    readNamed('mqtt.tls.certFile', tls.certFile),
    readNamed('mqtt.tls.keyFile', tls.keyFile),
  ]);
  return { ca, cert, key };
}

/** When each TLS file was last written, as one text; null where none is configured or one is missing. */
export async function tlsFileTimes({ tls }: MqttSettings): Promise<string | null> {
  const files = [tls.caFile, tls.certFile, tls.keyFile].filter((file) => file !== undefined);
  if (files.length === 0) return null;
  try {
    const times = await Promise.all(files.map(async (file) => (await stat(resolveFile(file))).mtimeMs));
    return times.join(' ');
  } catch {
    return null;
  }
}

/**
 * Whether the files as they are now can be used together (a renewal may be half written).
 * @throws Error saying what does not fit
 */
export async function checkTlsFiles(settings: MqttSettings): Promise<void> {
  createSecureContext(await readTlsFiles(settings));
}

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
    const { code, message } = error as NodeJS.ErrnoException;
    const why = code === 'ENOENT' ? 'there is no such file' : code === 'EACCES' ? 'it may not be read' : message;
    throw new Error(`${setting}: ${file}: ${why}`);
  }
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

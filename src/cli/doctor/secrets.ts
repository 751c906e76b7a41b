import { basename } from 'node:path';
import type { Config } from '../../config/schema.js';
import { bad, type Finding, note, quoted } from './finding.js';
import { type Account, mayRead, SERVICE_USER } from './service.js';
import type { System } from './system.js';

/** What systemd hands over to the service while it runs, and to nobody else. */
export function isCredential(file: string): boolean {
  return file.startsWith('$') || file.startsWith('/run/credentials/');
}

export const CREDENTIAL_FIX =
  'sudo systemctl restart slothd   # then ask again; if it stays so: LoadCredential= in sudo systemctl edit slothd';

/**
 * A secret of our own making that cannot be used, by the words of `readNamed`.
 * @param more said behind the command that makes a new one
 */
export function unusableSecret(check: string, message: string, file: string, more = ''): Finding {
  if (isCredential(file)) return note(check, message, CREDENTIAL_FIX);
  // One that is there must not be overwritten because we may not read it.
  if (/it may not be read/.test(message)) return bad(check, message, `ls -l ${quoted(file)}`);
  return bad(check, message, `head -c 24 /dev/urandom | base64 | sudo tee ${quoted(file)}${more}`);
}

/**
 * Files with secrets that the config names: whether the service may read them and nobody else. What is not there at all is
 * said where it is used.
 * @param service the service's user, where root asks for it
 */
export async function checkSecrets(config: Config, system: System, service: Account | null): Promise<Finding[]> {
  const { mqtt, http, webhook } = config;
  const named = {
    'mqtt.passwordFile': mqtt.passwordFile,
    'mqtt.tls.keyFile': mqtt.tls.keyFile,
    'http.tokenFile': http.tokenFile,
    'webhook.secretFile': webhook.secretFile,
  };
  const findings: Finding[] = [];
  for (const [setting, file] of Object.entries(named)) {
    if (file === undefined || isCredential(file)) continue;
    const owner = await system.owner(file);
    if (!owner) continue;
    if (service && !(await mayRead(file, service, system)))
      findings.push(
        bad(
          'secrets',
          `${setting}: ${file} may not be read by the service's user ${SERVICE_USER}`,
          `sudo systemctl edit slothd   # [Service] LoadCredential=${basename(file)}:${file}; then ${setting}: /run/credentials/slothd.service/${basename(file)}`,
        ),
      );
    else if (owner.mode & 0o004)
      findings.push(
        note('secrets', `${setting}: ${file} may be read by everybody here`, `sudo chmod o= ${quoted(file)}`),
      );
  }
  return findings;
}

import type { Config } from '../../config/schema.js';
import { readNamed } from '../../delivery/tls-files.js';
import { daemons } from '../reload.js';
import { bad, type Finding, good, note } from './finding.js';
import { unusableSecret } from './secrets.js';
import type { System } from './system.js';

const TIMEOUT_MS = 2000;

/**
 * The daemon's own web server: where its port is another program's, or its token cannot be read, slothd does not start.
 * @param configFile absolute path; a daemon that runs with it has the port already
 */
export async function checkWeb({ http }: Pick<Config, 'http'>, configFile: string, system: System): Promise<Finding[]> {
  if (!http.enabled) return [note('http', 'off in the config: no dashboard, no metrics, no `slothd alerts`')];
  const { host, port, tokenFile } = http;
  try {
    const token = await readNamed('http.tokenFile', tokenFile);
    if (token && !token.toString('utf8').trim()) throw new Error(`http.tokenFile: ${tokenFile}: it is empty`);
  } catch (error) {
    return [unusableSecret('http', (error as Error).message, tokenFile ?? '')];
  }
  if (port === 0 || (await daemons(configFile, system)).length > 0)
    return [good('http', 'the dashboard can be served')];
  const local = host === '0.0.0.0' ? '127.0.0.1' : host.includes(':') ? `[${host === '::' ? '::1' : host}]` : host;
  const there = await whoAnswers(`http://${local}:${port}/livez`);
  if (there === null) return [good('http', `port ${port} is free for the dashboard`)];
  // Other people's processes cannot be told apart without root; one that answers like us is most likely the one asked for.
  if (there === 'slothd' && !system.isRoot) return [good('http', `a slothd answers at port ${port}`)];
  return [
    bad(
      'http',
      `port ${port} is taken by ${there === 'slothd' ? 'another slothd' : 'another program'}: slothd would not start`,
      `sudo ss -ltnp 'sport = :${port}'   # names it; or set http.port to a free one`,
    ),
  ];
}

/** Who answers there; null where nobody listens. */
async function whoAnswers(url: string): Promise<'slothd' | 'other' | null> {
  try {
    const { headers } = await fetch(url, { redirect: 'manual', signal: AbortSignal.timeout(TIMEOUT_MS) });
    const ours =
      headers.get('www-authenticate')?.includes('slothd') || headers.get('referrer-policy') === 'no-referrer';
    return ours ? 'slothd' : 'other';
  } catch (error) {
    const { code } = ((error as Error).cause ?? error) as NodeJS.ErrnoException;
    return code === 'ECONNREFUSED' || code === 'EADDRNOTAVAIL' || code === 'ENOTFOUND' ? null : 'other';
  }
}

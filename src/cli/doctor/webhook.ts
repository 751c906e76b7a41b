import type { Config } from '../../config/schema.js';
import { readNamed } from '../../delivery/tls-files.js';
import { describeHttpFailure } from '../../delivery/webhook.js';
import { bad, type Finding, good, note } from './finding.js';
import { unusableSecret } from './secrets.js';

const TIMEOUT_MS = 6000;

/**
 * The webhook of the config: its secret can be read, its host answers, over TLS where the URL says so, and knows the path. No
 * alert is posted: a receiver would take it for one. Empty where none is configured.
 */
export async function checkWebhook({ webhook }: Pick<Config, 'webhook'>): Promise<Finding[]> {
  const { url, secretFile } = webhook;
  if (url === undefined) return [];
  const findings: Finding[] = [];
  try {
    const secret = await readNamed('webhook.secretFile', secretFile);
    if (!secret?.toString('utf8').trim()) throw new Error(`webhook.secretFile: ${secretFile} is empty`);
  } catch (error) {
    const { message } = error as Error;
    findings.push(unusableSecret('webhook', message, secretFile ?? '', '   # the receiver needs the same'));
  }
  findings.push(await ask(url));
  return findings;
}

async function ask(url: string): Promise<Finding> {
  const fix = `curl -i -I ${url}   # by hand; then look at webhook in the config`;
  try {
    const { status } = await fetch(url, {
      method: 'HEAD',
      redirect: 'manual',
      signal: AbortSignal.timeout(TIMEOUT_MS),
    });
    // Nothing is said of 401, 403, 405 and the like: a HEAD without a signature deserves them.
    if (status === 404 || status === 410) return bad('webhook', `${url}: there is no such webhook (${status})`, fix);
    if (status >= 300 && status < 400)
      return bad(
        'webhook',
        `${url} has moved (${status}): slothd does not follow`,
        'set webhook.url to where it is now',
      );
    if (status >= 500) return bad('webhook', `${url} answers with ${status}: alerts would wait`, fix);
    if (new URL(url).protocol === 'http:' && !isLoopback(new URL(url).hostname))
      return note('webhook', `${url} answers; alerts travel in the clear`, 'use https');
    return good('webhook', `${url} answers; for a whole alert: slothd alerts test`);
  } catch (error) {
    return bad('webhook', `${url}: ${describeHttpFailure(error, TIMEOUT_MS)}`, fix);
  }
}

const isLoopback = (host: string) => host === 'localhost' || host === '[::1]' || /^127\./.test(host);

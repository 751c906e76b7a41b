import { createHmac } from 'node:crypto';

/** Prefix of a secret in the form of Standard Webhooks: the rest is base64. */
const PREFIX = 'whsec_';

/** The key a secret file means: base64 behind `whsec_`, else the text itself. @throws Error where it is empty */
export function signingKey(text: string): Buffer {
  const secret = text.trim();
  const key = secret.startsWith(PREFIX) ? Buffer.from(secret.slice(PREFIX.length), 'base64') : Buffer.from(secret);
  if (key.length === 0) throw new Error('webhook.secretFile holds no secret');
  return key;
}

/**
 * The headers that say who sent a message, as Standard Webhooks has them (github.com/standard-webhooks): HMAC-SHA256 over
 * `id.timestamp.body`, in base64.
 * @param id the same at each attempt, so that a receiver can drop what it has seen
 * @param atMs wall clock, ms since the epoch
 */
export function signedHeaders(key: Buffer, id: string, atMs: number, body: string): Record<string, string> {
  const timestamp = String(Math.floor(atMs / 1000));
  const signature = createHmac('sha256', key).update(`${id}.${timestamp}.${body}`).digest('base64');
  return { 'webhook-id': id, 'webhook-timestamp': timestamp, 'webhook-signature': `v1,${signature}` };
}

import { z } from 'zod';

/** A second way out for alerts, for people without a broker. */
export const webhookSchema = z
  .strictObject({
    url: z
      .url({ protocol: /^https?$/, error: 'give a URL such as https://example.org/hooks/slothd' })
      .refine((url) => !/^[a-z]+:\/\/[^/]*@/.test(url), 'no user or password in the URL; the signature says who we are')
      .optional()
      .describe('Where alert events are posted to. Left out: nowhere.'),
    secretFile: z
      .string()
      .min(1)
      .optional()
      .describe(
        'File with the secret that signs each message (HMAC-SHA256, as standardwebhooks.com has it); `whsec_` and base64, or any text. $CREDENTIALS_DIRECTORY/NAME is a systemd credential.',
      ),
    minPriority: z
      .enum(['high', 'medium', 'low'])
      .default('low')
      .describe('Alerts below this priority are not posted.'),
    timeoutMs: z.number().int().min(500).max(120_000).default(10_000).describe('Longest wait for an answer.'),
    retryMinMs: z.number().int().min(100).default(1_000).describe('Wait before the first new attempt.'),
    retryMaxMs: z.number().int().min(1_000).default(300_000).describe('Longest wait between attempts.'),
  })
  .refine(({ url, secretFile }) => url === undefined || secretFile !== undefined, {
    path: ['secretFile'],
    message: 'a webhook needs a secret to sign with: head -c 24 /dev/urandom | base64 > FILE',
  })
  .refine(({ retryMinMs, retryMaxMs }) => retryMinMs <= retryMaxMs, {
    path: ['retryMinMs'],
    message: 'must not be above retryMaxMs',
  });
export type WebhookSettings = z.infer<typeof webhookSchema>;

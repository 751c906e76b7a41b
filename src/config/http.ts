import { z } from 'zod';

const LOOPBACK = /^(localhost|::1|127\..*)$/;

/** The daemon's own web server: health, metrics, events, dashboard. */
export const httpSchema = z
  .strictObject({
    enabled: z.boolean().default(true).describe('Serve /livez, /readyz, /metrics, /events and the dashboard.'),
    host: z
      .string()
      .default('127.0.0.1')
      .describe('Address to listen on. Anything but loopback needs a token: slothd refuses to start without one.'),
    port: z.number().int().min(0).max(65535).default(9464).describe('TCP port; 0 takes any free one.'),
    tokenFile: z.string().optional().describe('File that holds the bearer token asked of every request.'),
  })
  .refine(({ enabled, host, tokenFile }) => !enabled || tokenFile !== undefined || LOOPBACK.test(host), {
    path: ['host'],
    message: 'is open to the network: set http.tokenFile, or listen on 127.0.0.1',
  });
export type HttpSettings = z.infer<typeof httpSchema>;

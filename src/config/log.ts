import { z } from 'zod';

export const logSchema = z.strictObject({
  level: z
    .enum(['trace', 'debug', 'info', 'warn', 'error', 'silent'])
    .default('info')
    .describe('Least severity written.'),
});
export type LogSettings = z.infer<typeof logSchema>;

import { z } from 'zod';

/** The section `alertHistory`: what the device itself remembers of its alerts. */
export const alertHistorySchema = z.strictObject({
  maxAlerts: z
    .number()
    .int()
    .min(10)
    .max(100_000)
    .default(1000)
    .describe('Alerts remembered, each with its evidence; the oldest that have ended go first.'),
  maxMb: z.number().min(1).max(1000).default(16).describe('Most room for them in the store, MB.'),
});

import { z } from 'zod';
import { HEALTH_KINDS, TECHNICAL_KINDS } from '../domain/alert.js';

const kindSchema = z.enum([...HEALTH_KINDS, ...TECHNICAL_KINDS]);
const wallMs = z.number();

/** An open alert as it is kept across a restart. Times are wall clock ms: stream time does not outlive the process. */
export const openAlertSchema = z.object({
  id: z.string().min(1),
  kind: kindSchema,
  priority: z.enum(['high', 'medium', 'low']),
  sequence: z.number().int().min(1),
  onsetAtMs: wallMs,
  raisedAtMs: wallMs,
  values: z.record(z.string(), z.union([z.number(), z.string(), z.boolean()])),
  rrMs: z.array(z.number()),
  model: z
    .object({ name: z.string(), sha256: z.string(), precision: z.string(), score: z.number().optional() })
    .nullable(),
  acknowledgedUntilMs: wallMs.nullable(),
  updateIntervalMs: z.number().min(0),
  // Not in what earlier versions stored.
  remindIntervalMs: z.number().min(0).default(0),
  reminders: z.number().int().min(0).default(0),
});
export type OpenAlertSnapshot = z.infer<typeof openAlertSchema>;

export const snoozeSchema = z.object({ kind: kindSchema, untilMs: wallMs });
export type SnoozeSnapshot = z.infer<typeof snoozeSchema>;

/** What of one sensor's alarms survives a restart: plain JSON. */
export interface AlarmSnapshot {
  readonly alerts: readonly OpenAlertSnapshot[];
  readonly snoozes: readonly SnoozeSnapshot[];
}

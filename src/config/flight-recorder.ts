import { z } from 'zod';

/** The section `flightRecorder`: what is kept so that an alert can be decided again. */
export const flightRecorderSchema = z.strictObject({
  enabled: z
    .boolean()
    .default(true)
    .describe('Keep the last minutes of raw bytes in memory; each alert freezes its stretch to <stateDir>/flight.'),
  minutes: z
    .number()
    .min(1)
    .max(60)
    .default(5)
    .describe('How far back a stretch reaches before its alert, minutes; up to one minute more is kept.'),
  afterSeconds: z
    .number()
    .min(0)
    .max(600)
    .default(30)
    .describe('How long after the alert the stretch goes on, seconds. It is on the disk at once, and again then.'),
  memoryMb: z
    .number()
    .min(1)
    .max(1000)
    .default(8)
    .describe('Most memory for one sensor, MB; a fast sensor is then kept for less than `minutes`.'),
  diskMb: z
    .number()
    .min(1)
    .max(100_000)
    .default(64)
    .describe('Most disk for the frozen stretches of all alerts, MB; the oldest go first.'),
});
export type FlightRecorderSettings = z.infer<typeof flightRecorderSchema>;

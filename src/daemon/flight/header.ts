import { z } from 'zod';
import { alarmSettingsSchema } from '../../config/alarms.js';

const flightModel = z.object({
  /** Its place in the host, as `models` of the config names it. */
  name: z.string(),
  info: z.looseObject({ name: z.string(), sha256: z.string(), precision: z.string(), runtime: z.string() }).nullable(),
  /** What its windows and scores are made by, so that the model itself need not be there to decide again. */
  preprocessing: z.record(z.string(), z.unknown()),
  logitOffsets: z.array(z.number()),
});
export type FlightModel = z.infer<typeof flightModel>;

/** What the header of a frozen stretch says beside format and options: all that the pipeline was built from. */
export const flightHeaderSchema = z.object({
  version: z.literal(1),
  sensor: z.string(),
  /** The alert it was frozen for. */
  alert: z.object({ id: z.string(), kind: z.string(), raisedMs: z.number() }),
  /** Nominal samples per second the pipeline was built with; 1 without a waveform. */
  rateHz: z.number(),
  /** Monotonic time at which the stretch begins, and what to add to a monotonic time for wall-clock ms. */
  startMs: z.number(),
  wallOffsetMs: z.number(),
  /** Alarm settings of this sensor, defaults filled in, and their sha256. */
  alarms: alarmSettingsSchema,
  alarmsSha256: z.string(),
  hasPeers: z.boolean(),
  /** By slot: `beat`, `rhythm` ...; those that ran. */
  models: z.record(z.string(), flightModel),
  /** Number of the first question to a model in the stretch. */
  nextQuestion: z.number(),
});
export type FlightHeader = z.infer<typeof flightHeaderSchema>;

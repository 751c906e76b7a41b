import { z } from 'zod';
import { type AlertChange, type Announcement, HEALTH_KINDS, TECHNICAL_KINDS, TEST_KIND } from '../domain/alert.js';
import type { StreamMs } from '../domain/clock.js';
import type { QualityState } from '../domain/quality.js';
import type { RhythmLabel } from '../domain/rhythm.js';

/**
 * The JSON of the contract. Every schema is open (`looseObject`): fields may be added, none is ever changed or dropped,
 * so a consumer must ignore what it does not know.
 */

const isoTime = z.iso.datetime({ precision: 3 });

const evidenceSchema = z
  .looseObject({
    rrMs: z.array(z.number()).optional().describe('RR intervals before the decision, oldest first, ms.'),
    signal: z
      .looseObject({
        startAt: isoTime.describe('Time of the first sample.'),
        rateHz: z.number().positive(),
        unit: z.string(),
        samples: z.array(z.number().nullable()).describe('null where the device had no value.'),
      })
      .optional()
      .describe('A few seconds of the waveform around the event.'),
    sensors: z
      .array(
        z.looseObject({
          sensor: z.string(),
          source: z.enum(['ecg', 'ppg', 'rr']),
          rateBpm: z.number().nullable(),
        }),
      )
      .optional()
      .describe('What each sensor on the same person showed, its own first; only where there are several.'),
    omitted: z
      .literal(true)
      .optional()
      .describe('The broker did not take the message with its evidence; the alert was sent without.'),
  })
  .describe('What led to the alert.');

const modelSchema = z.looseObject({
  name: z.string(),
  sha256: z.string(),
  precision: z.string(),
  score: z.number().optional(),
});

/** Fields of an alert that are fixed when it is raised. */
const alertBody = {
  schema: z.literal('slothd.alert.v1'),
  id: z.string().min(1).describe('The same for new, update and end of one alert, and for the same event sent twice.'),
  event: z.enum(['new', 'update', 'end']),
  sequence: z
    .number()
    .int()
    .min(1)
    .describe("Counts this alert's events from 1. Drop what you have seen: (id, sequence)."),
  kind: z
    .enum([...HEALTH_KINDS, ...TECHNICAL_KINDS, TEST_KIND])
    .describe('`test` is raised and ended at once by the command `test`, to see that alerts arrive.'),
  priority: z.enum(['high', 'medium', 'low']).describe('Words of IEC 60601-1-8.'),
  category: z.enum(['health', 'technical']),
  node: z.string(),
  sensor: z.string(),
  onsetAt: isoTime.describe('When the condition began in the body, not when it was noticed.'),
  raisedAt: isoTime,
  endedAt: isoTime.nullable(),
  clockSynced: z.boolean().describe("Whether the device's clock was known to be set; if not, the times may be wrong."),
  values: z.record(z.string(), z.union([z.number(), z.string(), z.boolean(), z.null()])),
  evidence: evidenceSchema,
  model: modelSchema.nullable().describe('The model that said so; null for a rule without one.'),
};

export const alertSchema = z
  .looseObject({
    ...alertBody,
    latencyMs: z
      .number()
      .nullable()
      .describe(
        'From the arrival of the bytes that caused it to the hand-over to the socket, waiting included. null where no bytes did, or when it comes from an earlier run.',
      ),
    replayed: z.boolean().describe('True when it waited in the outbox or is sent again.'),
  })
  .describe('One event in the life of one alert. Topic <root>/<sensor>/alert, QoS 1, not retained.');
export type AlertPayload = z.infer<typeof alertSchema>;

export const activeAlertSchema = z
  .looseObject({
    schema: z.literal('slothd.active-alert.v1'),
    id: alertBody.id,
    sequence: z.number().int().min(1).optional().describe('Of its last event.'),
    kind: alertBody.kind,
    priority: alertBody.priority,
    category: alertBody.category,
    onsetAt: isoTime,
    raisedAt: isoTime,
    values: alertBody.values,
    acknowledged: z.boolean().optional(),
    snoozedUntil: isoTime.nullable().optional(),
  })
  .describe('An alert that is active now.');
export type ActiveAlertPayload = z.infer<typeof activeAlertSchema>;

export const alarmsSchema = z
  .array(activeAlertSchema)
  .describe('The active alerts of a sensor, empty when all is well. Topic <root>/<sensor>/alarms, QoS 1, retained.');

export const vitalsSchema = z
  .looseObject({
    schema: z.literal('slothd.vitals.v1'),
    at: isoTime,
    clockSynced: z.boolean(),
    hrBpm: z.number().nullable().describe('Heart rate; null where there is none to tell.'),
    rrMs: z.array(z.number()).describe('RR intervals of the beats since the last message, oldest first.'),
    rhythm: z.enum(['regular', 'afib', 'unknown']),
    quality: z.enum(['good', 'poor', 'contact-off', 'none']),
    contact: z.boolean().nullable().describe('Whether the sensor touches the body; null where it cannot tell.'),
    spo2Percent: z.number().nullable().optional(),
    batteryPercent: z.number().nullable().optional(),
    person: z
      .looseObject({
        name: z.string(),
        hrBpm: z.number().nullable(),
        from: z.string().nullable().describe('The sensor with the best signal of those worn; null while none is good.'),
      })
      .optional()
      .describe('Who wears the sensor and their heart rate; only where somebody wears several sensors.'),
  })
  .describe('What a sensor shows now. Topic <root>/<sensor>/vitals, QoS 0, not retained, once a second.');
export type VitalsPayload = z.infer<typeof vitalsSchema>;

const percentilesSchema = z.looseObject({
  count: z.number(),
  p50Ms: z.number().nullable(),
  p99Ms: z.number().nullable(),
});

export const healthSchema = z
  .looseObject({
    schema: z.literal('slothd.health.v1'),
    at: isoTime,
    ready: z.boolean(),
    reasons: z.array(z.string()).describe('Why it is not ready; empty when it is.'),
    latency: z.record(z.string(), percentilesSchema).describe('Per stage.'),
    queue: z.looseObject({
      entries: z.number(),
      bytes: z.number(),
      shedAlerts: z.number(),
    }),
    memory: z.looseObject({ rssBytes: z.number() }),
    cpu: z.looseObject({ share: z.number().nullable().describe('1 is one core fully used.') }),
    temperatureC: z.number().nullable(),
    throttled: z.boolean().nullable().describe('Whether the board slows down for heat or power; null where unknown.'),
    clock: z.looseObject({ synced: z.boolean() }),
  })
  .describe('How the daemon is. Topic <root>/health, QoS 1, retained, every 30 s and on change.');
export type HealthPayload = z.infer<typeof healthSchema>;

export const aboutSchema = z
  .looseObject({
    schema: z.literal('slothd.about.v1'),
    node: z.string(),
    version: z.string(),
    models: z.array(
      z.looseObject({ name: z.string(), sha256: z.string(), precision: z.string(), runtime: z.string().optional() }),
    ),
    limits: z
      .record(z.string(), z.union([z.number(), z.string(), z.boolean(), z.null()]))
      .describe('Published limits, such as alarm thresholds and delays.'),
  })
  .describe('What runs here. Topic <root>/about, QoS 1, retained.');
export type AboutPayload = z.infer<typeof aboutSchema>;

export const availabilitySchema = z
  .enum(['online', 'offline'])
  .describe('Plain text, not JSON. Topics <root>/availability (also the last will) and <root>/<sensor>/availability.');

export const commandAnswerSchema = z
  .looseObject({
    schema: z.literal('slothd.answer.v1'),
    verb: z.string(),
    ok: z.boolean(),
    result: z.unknown().optional().describe('Where ok.'),
    error: z.string().optional().describe('Where not ok.'),
    requestId: z
      .union([z.string(), z.number()])
      .optional()
      .describe('As the command had it, for MQTT 3.1.1, which has no correlation data.'),
  })
  .describe(
    'Answer to a command: on the MQTT 5 response topic of the request, with its correlation data; without one on <root>/response/<verb>.',
  );
export type CommandAnswer = z.infer<typeof commandAnswerSchema>;

/** What the daemon tells of a sensor once a second. Rates in beats per minute, intervals in ms. */
export interface Vitals {
  readonly hrBpm: number | null;
  /** RR intervals of the beats since the last call, oldest first. */
  readonly rrMs: readonly number[];
  readonly rhythm: RhythmLabel;
  readonly quality: QualityState;
  readonly contact: boolean | null;
  readonly spo2Percent?: number | null;
  readonly batteryPercent?: number | null;
  /** Who wears it, where they wear several sensors, and the rate of the best of them. */
  readonly person?: { readonly name: string; readonly hrBpm: number | null; readonly from: string | null };
}

/** What the daemon tells of itself; the queue and the clock are filled in here. More fields may be added. */
export interface Health {
  readonly ready: boolean;
  readonly reasons: readonly string[];
  readonly latency: Readonly<Record<string, { count: number; p50Ms: number | null; p99Ms: number | null }>>;
  readonly memory: { readonly rssBytes: number; readonly [more: string]: unknown };
  /** Share of one core, 1 is one core fully used. */
  readonly cpu: { readonly share: number | null; readonly [more: string]: unknown };
  readonly temperatureC: number | null;
  readonly throttled: boolean | null;
  readonly [more: string]: unknown;
}

export interface About {
  readonly version: string;
  readonly models: readonly { name: string; sha256: string; precision: string; runtime?: string }[];
  readonly limits: Readonly<Record<string, number | string | boolean | null>>;
  readonly [more: string]: unknown;
}

/** An alert that is open now; any `AlertChange` that is not an end will do. */
export type ActiveAlert = Pick<
  AlertChange,
  'id' | 'sequence' | 'kind' | 'priority' | 'category' | 'onsetMs' | 'raisedMs' | 'values'
> & {
  readonly acknowledged?: boolean;
  readonly snoozedUntilMs?: StreamMs | null;
};

/** What the caller knows of a moment: stream time to wall clock, and whether the wall clock can be trusted. */
export interface WallTime {
  readonly toWallMs: (tMs: StreamMs) => number;
  readonly clockSynced: boolean;
}

/** ISO 8601 with milliseconds, UTC. A time no calendar has (a broken clock) becomes the epoch rather than a throw. */
export function isoFromWallMs(wallMs: number): string {
  return new Date(Number.isFinite(wallMs) && Math.abs(wallMs) <= 8.64e15 ? wallMs : 0).toISOString();
}

/** An alert event as JSON text, less `latencyMs` and `replayed`, which are known only when it is sent. */
export function alertBodyJson(change: Announcement, node: string, wall: WallTime): string {
  const at = (tMs: StreamMs) => isoFromWallMs(wall.toWallMs(tMs));
  const { rrMs, signal, sensors } = change.evidence;
  return JSON.stringify({
    schema: 'slothd.alert.v1',
    id: change.id,
    event: change.event,
    sequence: change.sequence,
    kind: change.kind,
    priority: change.priority,
    category: change.category,
    node,
    sensor: change.sensor,
    onsetAt: at(change.onsetMs),
    raisedAt: at(change.raisedMs),
    endedAt: change.endedMs === null ? null : at(change.endedMs),
    clockSynced: wall.clockSynced,
    values: change.values,
    evidence: {
      ...(rrMs ? { rrMs } : {}),
      ...(signal
        ? {
            signal: {
              startAt: at(signal.startAtMs),
              rateHz: signal.rateHz,
              unit: signal.unit,
              samples: signal.samples,
            },
          }
        : {}),
      ...(sensors ? { sensors } : {}),
    },
    model: change.model,
  });
}

/** The list of a sensor's active alerts as JSON text. */
export function alarmsJson(list: readonly ActiveAlert[], toWallMs: (tMs: StreamMs) => number): string {
  const at = (tMs: StreamMs) => isoFromWallMs(toWallMs(tMs));
  return JSON.stringify(
    list.map((alert) => ({
      schema: 'slothd.active-alert.v1',
      id: alert.id,
      sequence: alert.sequence,
      kind: alert.kind,
      priority: alert.priority,
      category: alert.category,
      onsetAt: at(alert.onsetMs),
      raisedAt: at(alert.raisedMs),
      values: alert.values,
      ...(alert.acknowledged === undefined ? {} : { acknowledged: alert.acknowledged }),
      ...(alert.snoozedUntilMs == null ? {} : { snoozedUntil: at(alert.snoozedUntilMs) }),
    })),
  );
}

/** Completes a body with what is known only at the hand-over to the socket. */
export function finishAlertJson(body: string, latencyMs: number | null, replayed: boolean): string {
  const latency = latencyMs === null ? 'null' : String(Math.round(latencyMs * 100) / 100);
  return `${body.slice(0, -1)},"latencyMs":${latency},"replayed":${replayed}}`;
}

/** The same alert without its evidence, for a broker that does not take the whole: an alert must arrive. */
export function withoutEvidence(body: string): string {
  const alert = JSON.parse(body) as Record<string, unknown>;
  return JSON.stringify({ ...alert, evidence: { omitted: true } });
}

/** The published JSON Schemas, by file name under config/. */
export function payloadJsonSchemas(): Readonly<Record<string, unknown>> {
  const schemas = {
    'alert.schema.json': alertSchema,
    'alarms.schema.json': alarmsSchema,
    'vitals.schema.json': vitalsSchema,
    'health.schema.json': healthSchema,
    'about.schema.json': aboutSchema,
    'availability.schema.json': availabilitySchema,
    'answer.schema.json': commandAnswerSchema,
  };
  return Object.fromEntries(Object.entries(schemas).map(([file, schema]) => [file, z.toJSONSchema(schema)]));
}

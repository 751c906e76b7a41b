import { hostname } from 'node:os';
import { z } from 'zod';
import { type AlarmSettings, alarmSettingsSchema } from './alarms.js';
import { alertHistorySchema } from './alert-history.js';
import { flightRecorderSchema } from './flight-recorder.js';
import { homeAssistantSchema } from './home-assistant.js';
import { httpSchema } from './http.js';
import { inferenceSchema } from './inference.js';
import { logSchema } from './log.js';
import { mqttSchema } from './mqtt.js';
import { nameSchema, type SensorSettings, sensorSchema } from './sensors.js';
import { webhookSchema } from './webhook.js';

/** The host's name, cut to what may stand in a topic. */
function defaultNode(): string {
  const name =
    hostname()
      .split('.')[0]
      ?.replace(/[^A-Za-z0-9_-]/g, '-') ?? '';
  return /^[A-Za-z0-9]/.test(name) ? name.slice(0, 63) : 'slothd';
}

/** The whole config: types, defaults, JSON Schema (`slothd schema`) and docs all come from here. */
export const configSchema = z.strictObject({
  $schema: z.string().optional().describe('For editors; slothd does not read it.'),
  version: z.literal(1).default(1).describe('Version of this file format.'),
  node: nameSchema.default(defaultNode).describe("This device's name in topics; the host's name where left out."),
  stateDir: z
    .string()
    .min(1)
    .default('.slothd')
    .describe(
      'Folder for what must survive a restart: unsent alerts, open alarms, installed models. With /etc/slothd/slothd.yaml it is /var/lib/slothd unless named here.',
    ),
  sensors: z
    .array(sensorSchema)
    .min(1, 'name at least one sensor')
    .superRefine((sensors, context) => {
      const seen = new Map<string, number>();
      for (const [index, sensor] of sensors.entries()) {
        if (seen.has(sensor.name)) {
          context.addIssue({
            code: 'custom',
            path: [index, 'name'],
            message: `there is already a sensor '${sensor.name}'`,
          });
        }
        seen.set(sensor.name, index);
      }
    })
    .describe('The sensors, one entry each.'),
  persons: z
    .record(
      nameSchema,
      z.strictObject({
        alarms: z
          .record(z.string(), z.unknown())
          .default({})
          .describe('Settings of `alarms` that differ for this person: the same keys as the section `alarms`.'),
      }),
    )
    .default({})
    .describe('What differs for the people who wear the sensors, by the name a sensor gives as `person`.'),
  alarms: alarmSettingsSchema.prefault({}).describe('Thresholds and times of every alarm kind.'),
  alertHistory: alertHistorySchema.prefault({}).describe('What the device remembers of its own alerts.'),
  flightRecorder: flightRecorderSchema
    .prefault({})
    .describe(
      'What is kept so that an alert can be decided again: `slothd alerts show ID --save FILE`, `slothd replay FILE`.',
    ),
  inference: inferenceSchema.prefault({}).describe('Models and the process they run in.'),
  mqtt: mqttSchema.prefault({}).describe('The broker alerts go to.'),
  webhook: webhookSchema.prefault({}).describe('A second way out for alerts: signed HTTP posts.'),
  homeAssistant: homeAssistantSchema.prefault({}).describe('Home Assistant device discovery.'),
  http: httpSchema.prefault({}).describe('Health, metrics and dashboard.'),
  log: logSchema.prefault({}).describe('Logging.'),
});

export type Config = z.infer<typeof configSchema>;

/** The section `alarms` with some keys laid over it. */
export function mergeAlarms(base: AlarmSettings, own: Record<string, unknown> | undefined) {
  return alarmSettingsSchema.safeParse(own ? merge(base, own) : base);
}

/** The alarm settings of one sensor: the section `alarms`, over it the person's, over that the sensor's own. */
export function alarmsOf(config: Pick<Config, 'alarms' | 'persons'>, sensor: SensorSettings): AlarmSettings {
  const person = sensor.person === undefined ? undefined : config.persons[sensor.person]?.alarms;
  const worn = mergeAlarms(config.alarms, person);
  const merged = mergeAlarms(worn.success ? worn.data : config.alarms, sensor.alarms);
  // `load` refuses what does not fit.
  return merged.success ? merged.data : config.alarms;
}

function merge(base: unknown, over: unknown): unknown {
  if (!isPlain(base) || !isPlain(over)) return over;
  const out: Record<string, unknown> = { ...base };
  for (const [key, value] of Object.entries(over)) out[key] = key in base ? merge(base[key], value) : value;
  return out;
}

function isPlain(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

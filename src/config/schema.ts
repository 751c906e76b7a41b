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
import { nameSchema, sensorSchema } from './sensors.js';
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

/** The alarm settings of one sensor: the section `alarms` with the sensor's own keys laid over it. */
export function mergeSensorAlarms(base: AlarmSettings, own: Record<string, unknown> | undefined) {
  return alarmSettingsSchema.safeParse(own ? merge(base, own) : base);
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

import { z } from 'zod';
import {
  aboutSchema,
  alarmsSchema,
  alertSchema,
  availabilitySchema,
  commandAnswerSchema,
  healthSchema,
  vitalsSchema,
} from './payloads.js';

/** Version of the contract: raised in the middle when something is added, in front when something ever were to break. */
const CONTRACT_VERSION = '1.2.0';
/** Binding versions of AsyncAPI's MQTT and HTTP bindings. */
const MQTT = '0.2.0';
const HTTP = '0.3.0';

const node = { description: "The device's name: `node` in its config, the host's name where left out." };
const sensor = { description: 'The sensor: its `name` in the config.' };
const verb = { description: 'What to do.', enum: ['ack', 'snooze', 'test', 'ping'] };

const ackSchema = z
  .looseObject({
    sensor: z.string().optional().describe('Which sensor; `ack` and `snooze` cannot do without.'),
    kind: z.string().optional().describe('A kind of alert; left out: every one that is open.'),
    minutes: z.number().positive().max(1440).default(30).describe('For how long; what is granted has a limit.'),
    requestId: z.union([z.string(), z.number()]).optional().describe('Comes back in the answer.'),
  })
  .describe('Arguments of `ack` and `snooze`; `test` takes `sensor` alone, `ping` takes none.');

/** Draft 7, which is what AsyncAPI tools read; the files in config/ are draft 2020-12. */
const payload = (schema: z.ZodType) => ({
  schemaFormat: 'application/schema+json;version=draft-07',
  schema: z.toJSONSchema(schema, { target: 'draft-7', io: 'input' }),
});

interface Said {
  readonly address: string;
  readonly parameters: Record<string, object>;
  readonly title: string;
  readonly schema: z.ZodType;
  readonly qos: 0 | 1;
  readonly retain: boolean;
  readonly contentType?: string;
}

/** Everything slothd says over MQTT, by name of channel. */
const SAID: Readonly<Record<string, Said>> = {
  availability: {
    address: 'slothd/{node}/availability',
    parameters: { node },
    title: 'Whether the daemon is there; also its last will',
    schema: availabilitySchema,
    qos: 1,
    retain: true,
    contentType: 'text/plain',
  },
  about: {
    address: 'slothd/{node}/about',
    parameters: { node },
    title: 'What runs there: version, models, limits',
    schema: aboutSchema,
    qos: 1,
    retain: true,
  },
  health: {
    address: 'slothd/{node}/health',
    parameters: { node },
    title: 'How the daemon is, every 30 s and on change',
    schema: healthSchema,
    qos: 1,
    retain: true,
  },
  sensorAvailability: {
    address: 'slothd/{node}/{sensor}/availability',
    parameters: { node, sensor },
    title: 'Whether a sensor is there',
    schema: availabilitySchema,
    qos: 1,
    retain: true,
    contentType: 'text/plain',
  },
  vitals: {
    address: 'slothd/{node}/{sensor}/vitals',
    parameters: { node, sensor },
    title: 'What a sensor shows now, once a second',
    schema: vitalsSchema,
    qos: 0,
    retain: false,
  },
  alert: {
    address: 'slothd/{node}/{sensor}/alert',
    parameters: { node, sensor },
    title: 'One event of one alert; drop what you have seen by (id, sequence)',
    schema: alertSchema,
    qos: 1,
    retain: false,
  },
  alarms: {
    address: 'slothd/{node}/{sensor}/alarms',
    parameters: { node, sensor },
    title: 'The alerts that are open now',
    schema: alarmsSchema,
    qos: 1,
    retain: true,
  },
};

/** The contract as an AsyncAPI 3.0 document, made of the same schemas that check what is sent. */
export function asyncApiDocument(): object {
  const ref = (path: string) => ({ $ref: `#/${path}` });
  const mqttOnly = [ref('servers/broker')];
  const channels: Record<string, object> = {};
  const operations: Record<string, object> = {};
  const messages: Record<string, object> = {};
  for (const [name, { address, parameters, title, schema, qos, retain, contentType }] of Object.entries(SAID)) {
    channels[name] = {
      address,
      title,
      servers: mqttOnly,
      parameters,
      messages: { [name]: ref(`components/messages/${name}`) },
    };
    operations[`say${name.charAt(0).toUpperCase()}${name.slice(1)}`] = {
      action: 'send',
      channel: ref(`channels/${name}`),
      messages: [ref(`channels/${name}/messages/${name}`)],
      bindings: { mqtt: { qos, retain, bindingVersion: MQTT } },
    };
    messages[name] = { name, title, contentType: contentType ?? 'application/json', payload: payload(schema) };
  }

  channels.command = {
    address: 'slothd/{node}/cmd/{verb}',
    title: 'Commands: at most ten a second, 16 KiB, never retained',
    servers: mqttOnly,
    parameters: { node, verb },
    messages: { command: ref('components/messages/command') },
  };
  channels.response = {
    address: 'slothd/{node}/response/{verb}',
    title: 'Answers to commands that named no response topic (MQTT 3.1.1 has none)',
    servers: mqttOnly,
    parameters: { node, verb },
    messages: { answer: ref('components/messages/answer') },
  };
  channels.webhook = {
    address: '/',
    title: 'Each alert event as a signed POST, where a webhook is configured',
    servers: [ref('servers/webhook')],
    messages: { post: ref('components/messages/post') },
  };
  messages.command = {
    name: 'command',
    title: 'A command',
    contentType: 'application/json',
    payload: payload(ackSchema),
    bindings: { mqtt: { responseTopic: 'your/own/topic', bindingVersion: MQTT } },
  };
  messages.answer = {
    name: 'answer',
    title: 'What became of a command',
    contentType: 'application/json',
    payload: payload(commandAnswerSchema),
  };
  messages.post = {
    name: 'post',
    title: 'One event of one alert',
    contentType: 'application/json',
    headers: {
      type: 'object',
      required: ['webhook-id', 'webhook-timestamp', 'webhook-signature'],
      properties: {
        'webhook-id': { type: 'string', description: 'Alert id and sequence: the same at each attempt.' },
        'webhook-timestamp': { type: 'string', description: "Seconds since the epoch by the device's clock." },
        'webhook-signature': {
          type: 'string',
          pattern: '^v1,',
          description: 'v1, and the base64 of HMAC-SHA256 over id.timestamp.body (Standard Webhooks).',
        },
      },
    },
    payload: payload(alertSchema),
  };
  operations.takeCommand = {
    action: 'receive',
    channel: ref('channels/command'),
    messages: [ref('channels/command/messages/command')],
    bindings: { mqtt: { qos: 1, retain: false, bindingVersion: MQTT } },
    reply: { channel: ref('channels/response'), messages: [ref('channels/response/messages/answer')] },
  };
  operations.postAlert = {
    action: 'send',
    channel: ref('channels/webhook'),
    messages: [ref('channels/webhook/messages/post')],
    bindings: { http: { method: 'POST', bindingVersion: HTTP } },
  };

  return {
    asyncapi: '3.0.0',
    info: {
      title: 'slothd',
      version: CONTRACT_VERSION,
      description:
        'Heart alerts from serial sensors. Fields may be added, none is ever changed or dropped: ignore what you do not know. `slothd` at the front of each topic is `mqtt.baseTopic`. Made by `npm run schemas`.',
      license: { name: 'Apache-2.0' },
    },
    defaultContentType: 'application/json',
    servers: {
      broker: {
        host: 'localhost:1883',
        protocol: 'mqtt',
        protocolVersion: '5',
        description: 'Any broker that speaks MQTT 5 or 3.1.1; also mqtts, ws and wss.',
        bindings: {
          mqtt: {
            clientId: 'slothd-{node}',
            cleanSession: true,
            keepAlive: 15,
            lastWill: { topic: 'slothd/{node}/availability', qos: 1, message: 'offline', retain: true },
            bindingVersion: MQTT,
          },
        },
      },
      webhook: { host: 'example.org', protocol: 'https', description: 'The receiver of `webhook.url`.' },
    },
    channels,
    operations,
    components: { messages },
  };
}

import { z } from 'zod';

/**
 * TLS of the broker connection. Files are read at each connection and looked at each minute; when they were renewed the
 * connection is made anew with them, so a renewed certificate needs no restart.
 */
const tlsSchema = z.strictObject({
  caFile: z.string().min(1).optional().describe("PEM file of the authority that signed the broker's certificate."),
  certFile: z.string().min(1).optional().describe('PEM file of the client certificate.'),
  keyFile: z.string().min(1).optional().describe("PEM file of the client certificate's private key."),
  serverName: z.string().min(1).optional().describe('Name to expect in the certificate, where it is not the host.'),
  alpn: z.array(z.string().min(1)).optional().describe('ALPN protocol names, for brokers that share a port.'),
  verify: z
    .boolean()
    .default(true)
    .describe("Check the broker's certificate. false accepts anyone who answers: for tests only."),
});

const outboxSchema = z.strictObject({
  maxBytes: z
    .number()
    .int()
    .min(64 * 1024)
    .max(1024 * 1024 * 1024)
    .default(16 * 1024 * 1024)
    .describe('Most bytes of unsent messages kept, in memory and on disk. Beyond it the oldest alerts are given up.'),
  maxAgeMs: z
    .number()
    .int()
    .min(60_000)
    .default(7 * 24 * 3_600_000)
    .describe('Longest time a message waits, counted while slothd runs (not by the wall clock, which may step).'),
  replayPerSecond: z
    .number()
    .min(0.1)
    .max(10_000)
    .default(50)
    .describe('Messages per second sent again after an outage; fresh alerts do not wait for them.'),
  inFlight: z
    .number()
    .int()
    .min(1)
    .max(1000)
    .default(32)
    .describe('Most messages sent and not yet acknowledged; a broker that allows fewer is obeyed.'),
  keepVitals: z
    .boolean()
    .default(false)
    .describe('Keep vitals in memory while the broker is away and send them afterwards, behind all alerts.'),
});

const brokerUrl = z
  .string()
  .regex(
    /^(mqtts?|wss?):\/\/[^/?#\s]+/,
    'give a URL such as mqtt://localhost:1883 or mqtts://host:8883 (also ws:, wss:)',
  )
  .refine((url) => !/^[a-z]+:\/\/[^/]*@/.test(url), 'put user and password into username and passwordFile');

/** Bounds of what waits, whatever the way out. */
export type OutboxSettingsOf = z.infer<typeof outboxSchema>;

/** The broker alerts go to. */
export const mqttSchema = z
  .strictObject({
    enabled: z.boolean().default(true).describe('Publish over MQTT.'),
    url: brokerUrl.default('mqtt://localhost:1883').describe('The broker: mqtt://, mqtts://, ws:// or wss://.'),
    backups: z
      .array(brokerUrl)
      .max(8)
      .default([])
      .describe(
        'Further brokers, tried in this order while `url` cannot be reached. Same user, password and TLS files.',
      ),
    failBackMs: z
      .number()
      .int()
      .min(0)
      .default(300_000)
      .describe(
        'On a backup: how often the broker at `url` is looked for, to return to it. 0: stay, for equal nodes of a cluster.',
      ),
    baseTopic: z
      .string()
      .regex(/^[^+#/\s\0$][^+#\s\0]*[^+#/\s\0]$|^[^+#/\s\0$]$/, 'a topic without + # or blanks, no / at its ends')
      .default('slothd')
      .describe('What all topics start with; the node name follows.'),
    clientId: z
      .string()
      .min(1)
      .max(128)
      .optional()
      .describe(
        'MQTT client id; slothd-<node> where left out. Must be the same at each start and used by nobody else.',
      ),
    username: z.string().min(1).optional().describe('User name at the broker.'),
    passwordFile: z
      .string()
      .min(1)
      .optional()
      .describe(
        'File that holds the password (or token), alone on its line; read at each connection. $CREDENTIALS_DIRECTORY/NAME is a credential systemd hands over.',
      ),
    protocol: z
      .enum(['auto', '5', '3.1.1'])
      .default('auto')
      .describe('MQTT version; auto tries 5 and falls back to 3.1.1 where the broker refuses it.'),
    tls: tlsSchema.prefault({}).describe('For mqtts:// and wss://.'),
    keepaliveS: z
      .number()
      .int()
      .min(5)
      .max(3600)
      .default(15)
      .describe('MQTT keep-alive in seconds. The broker declares slothd offline after 1.5 times this.'),
    sessionExpiryS: z
      .number()
      .int()
      .min(0)
      .max(0xffffffff)
      .default(0)
      .describe(
        'How long the broker keeps commands for slothd while it is away. 0: not at all, so that an old `snooze` is never carried out late.',
      ),
    vitalsExpiryS: z
      .number()
      .int()
      .min(0)
      .max(86_400)
      .default(60)
      .describe(
        'MQTT 5: the broker throws vitals away that it could not deliver for so long. 0: never. Alerts never expire.',
      ),
    connectTimeoutMs: z.number().int().min(500).default(10_000).describe('Longest wait for the broker to accept.'),
    ackTimeoutMs: z
      .number()
      .int()
      .min(500)
      .default(15_000)
      .describe('Longest wait for an acknowledgement; then the connection is taken for dead and made anew.'),
    reconnectMinMs: z.number().int().min(10).default(500).describe('Wait before the first new attempt to connect.'),
    reconnectMaxMs: z.number().int().min(10).default(30_000).describe('Longest wait between attempts.'),
    outbox: outboxSchema.prefault({}).describe('Alerts that wait for the broker.'),
  })
  .refine((mqtt) => mqtt.passwordFile === undefined || mqtt.username !== undefined, {
    path: ['passwordFile'],
    message: 'a password needs a username',
  })
  .refine((mqtt) => (mqtt.tls.certFile === undefined) === (mqtt.tls.keyFile === undefined), {
    path: ['tls'],
    message: 'certFile and keyFile come together',
  })
  .refine((mqtt) => mqtt.reconnectMinMs <= mqtt.reconnectMaxMs, {
    path: ['reconnectMinMs'],
    message: 'must not be above reconnectMaxMs',
  });
export type MqttSettings = z.infer<typeof mqttSchema>;

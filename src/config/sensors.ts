import { z } from 'zod';

/** Names appear in MQTT topics and metric labels, so they keep to letters that are safe in both. */
export const nameSchema = z
  .string()
  .regex(/^[A-Za-z0-9][A-Za-z0-9_-]{0,62}$/, 'use letters, digits, - and _ (1 to 63), starting with a letter or digit');

const serialLink = z.strictObject({
  type: z.literal('serial'),
  path: z
    .string()
    .min(1)
    .describe(
      'Port, best by its stable name: /dev/serial/by-id/usb-... (see `slothd ports`); a bound /dev/rfcomm0 is one too. Resolved anew at each try.',
    ),
  baudRate: z
    .number()
    .int()
    .min(300)
    .max(4_000_000)
    .refine((baud) => baud !== 1200, '1200 baud puts several boards into their bootloader; it is never used')
    .optional()
    .describe("Bits per second; the format's own rate where left out."),
  parity: z.enum(['none', 'odd', 'even']).optional().describe("The format's own parity where left out."),
  dtr: z.boolean().optional().describe('Set DTR after opening. Left alone by default: it resets many Arduino boards.'),
  rts: z.boolean().optional().describe('Set RTS after opening. Left alone by default.'),
});

const tcpLink = z.strictObject({
  type: z.literal('tcp'),
  host: z.string().min(1).describe('Host of a ser2net-style raw TCP port.'),
  port: z.number().int().min(1).max(65535),
});

const recordingLink = z.strictObject({
  type: z.literal('recording'),
  file: z.string().min(1).describe('A file of raw bytes as they came from the sensor, played in a loop.'),
  bytesPerSecond: z.number().positive().default(1000).describe('How fast the bytes are played.'),
});

const processLink = z.strictObject({
  type: z.literal('process'),
  command: z
    .array(z.string())
    .min(1)
    .refine((words) => words[0] !== '', 'name a command')
    .describe(
      'Command whose standard output is the bytes of the sensor, one array item per word. No shell sees it. Started again whenever it ends.',
    ),
});

export const linkSchema = z.discriminatedUnion('type', [serialLink, tcpLink, recordingLink, processLink]);
export type LinkSettings = z.infer<typeof linkSchema>;

export const sensorSchema = z.strictObject({
  name: nameSchema.describe('What this sensor is called in topics, metrics and on the dashboard.'),
  person: nameSchema.optional().describe('Who wears it; sensors of one person belong together.'),
  format: z.string().min(1).describe('Wire format, by the name `slothd formats` lists.'),
  link: linkSchema.describe('Where the bytes come from.'),
  rateHz: z
    .number()
    .min(20)
    .max(1000)
    .optional()
    .describe(
      'Waveform samples per second, where the format has no fixed rate or the board was changed. Measured where neither says.',
    ),
  silenceMs: z
    .number()
    .int()
    .min(500)
    .max(600_000)
    .optional()
    .describe(
      "No valid frame for this long: the link is closed and opened again. The format's own time where left out.",
    ),
  options: z
    .record(z.string(), z.union([z.string(), z.number(), z.boolean()]))
    .default({})
    .describe("The format's own options, such as `board`."),
  alarms: z
    .record(z.string(), z.unknown())
    .optional()
    .describe('Settings of `alarms` that differ for this sensor: the same keys as the section `alarms`.'),
});
export type SensorSettings = z.infer<typeof sensorSchema>;

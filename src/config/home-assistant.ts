import { z } from 'zod';

/** Home Assistant device discovery. */
export const homeAssistantSchema = z.strictObject({
  enabled: z.boolean().default(true).describe('Publish discovery messages, so that each sensor appears by itself.'),
  discoveryPrefix: z
    .string()
    .regex(/^[^+#/\s\0$][^+#/\s\0]*$/, 'one topic level without + # / or blanks')
    .default('homeassistant')
    .describe("Home Assistant's discovery prefix; its birth message is read from <prefix>/status."),
});
export type HomeAssistantSettings = z.infer<typeof homeAssistantSchema>;

import type { IClientOptions } from 'mqtt';
import type { ConnectMqtt } from './mqtt-link.js';

/** CONNACK codes by which a broker says that it cannot serve now: MQTT 3.1.1 (3.2.2.3) and 5 (3.2.2.2). */
const NOT_NOW = new Set([3, 136, 137, 139]);

/**
 * Whether a broker answers at all, without disturbing anybody there. A refusal counts as an answer: it may be meant for
 * the name we ask under.
 */
export async function answers(connect: ConnectMqtt, url: string, options: IClientOptions): Promise<boolean> {
  const client = connect(url, { ...options, clean: true, properties: undefined });
  const alive = await new Promise<boolean>((resolve) => {
    client.once('connect', () => resolve(true));
    client.on('error', (error) => {
      const { code } = error as { code?: unknown };
      resolve(typeof code === 'number' && !NOT_NOW.has(code));
    });
    client.once('close', () => resolve(false));
  });
  client.end(true);
  return alive;
}

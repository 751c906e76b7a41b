import type { MqttClient } from 'mqtt';
import type { Timers } from '../domain/clock.js';
import type { Outgoing } from './mqtt-link.js';

/**
 * Says the last messages, waits for their acknowledgement, and disconnects, so that the will is not sent. Each of the two
 * waits ends after `timeoutMs` at the latest.
 */
export async function sayGoodbye(
  client: MqttClient,
  messages: readonly Outgoing[],
  timers: Timers,
  timeoutMs: number,
): Promise<void> {
  await new Promise<void>((resolve) => {
    if (messages.length === 0) {
      resolve();
      return;
    }
    const cancel = timers.after(timeoutMs, resolve);
    let open = messages.length;
    for (const { topic, payload, qos, retain } of messages) {
      client.publish(topic, payload, { qos, retain }, () => {
        open--;
        if (open > 0) return;
        cancel();
        resolve();
      });
    }
  });
  await new Promise<void>((resolve) => {
    const cancel = timers.after(timeoutMs, () => {
      client.end(true);
      resolve();
    });
    client.end(false, () => {
      cancel();
      resolve();
    });
  });
}

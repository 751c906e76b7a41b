import { createMemoryStore } from '../../../src/daemon/memory-store.js';
import { Delivery, type DeliveryOptions } from '../../../src/delivery/publisher.js';
import { collectLog, realClock, realTimers, settingsFor } from './world.js';

/**
 * The delivery of a device with one sensor, on the machine's own clock and a store in memory unless told; with the log it
 * writes. Whoever makes it stops it.
 */
export function deliveryTo(url: string, mqtt: Record<string, unknown> = {}, over: Partial<DeliveryOptions> = {}) {
  const { log, lines } = collectLog();
  const delivery = new Delivery({
    settings: settingsFor(url, mqtt),
    node: 'pi',
    version: '1.0.0',
    sensors: ['chest'],
    clock: realClock,
    timers: realTimers,
    store: createMemoryStore(),
    log,
    ...over,
  });
  return { delivery, lines };
}

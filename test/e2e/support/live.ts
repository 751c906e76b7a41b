import { join } from 'node:path';
import { pino } from 'pino';
import { type Config, configSchema } from '../../../src/config/schema.js';
import { Daemon } from '../../../src/daemon/daemon.js';
import type { Models } from '../../../src/daemon/models.js';
import { systemOutside } from '../../../src/daemon/outside.js';
import { findFormat } from '../../../src/sensor/formats/registry.js';
import type { Link, LinkHandlers } from '../../../src/sensor/links/link.js';
import type { Scenario } from '../../../src/simulator/scenario.js';
import { SimulatedSensor } from '../../../src/simulator/sensor.js';
import { BEAT_ECG } from './lockstep.js';
import { afterwards, temporaryFolder, until } from './world.js';

const DIST = new URL('../../../dist/', import.meta.url);

export interface LiveSensor {
  readonly name: string;
  readonly scenario: Scenario;
  readonly seed?: number;
}

/** The daemon in real time, its sensors hearts in this process, its model host a real one. No broker. */
export async function startLive(sensors: readonly LiveSensor[], more: Record<string, unknown> = {}) {
  const format = findFormat('ad8232');
  const options = { rateHz: 250 };
  const config: Config = configSchema.parse({
    node: 'ward-3',
    stateDir: join(temporaryFolder(), 'state'),
    sensors: sensors.map(({ name }) => ({
      name,
      format: format.id,
      options,
      link: { type: 'tcp', host: 'in-process', port: 1 },
    })),
    // Two busy cores must not look like a hang.
    inference: { models: { beat: BEAT_ECG }, deadlineMs: 1500, timingMs: 20 },
    mqtt: { enabled: false },
    http: { port: 0 },
    ...more,
  });
  const wires = new Map<string, LinkHandlers>();
  let models: Models | null = null;
  const daemon = new Daemon(config, {
    ...systemOutside(config, pino({ level: 'silent' }), '0.0.0-test'),
    openLink: (settings): Link => ({
      name: `wire:${settings.name}`,
      async open(handlers) {
        wires.set(settings.name, handlers);
        return { write: () => undefined, close: async () => void wires.delete(settings.name) };
      },
    }),
    createModels: async (wanted, stages, onState) => {
      const { createModels } = (await import(
        new URL('daemon/models.js', DIST).href
      )) as typeof import('../../../src/daemon/models.js');
      models = await createModels(wanted.inference, stages, onState, pino({ level: 'silent' }));
      return models;
    },
  });
  await daemon.start();
  afterwards(() => daemon.stop());
  await until('the wires', () => wires.size === sensors.length);
  await until(
    () => `the model: ${daemon.ready().reasons}`,
    () => daemon.ready().ready,
    30_000,
  );
  const hearts = sensors.map(({ name, scenario, seed }) => {
    const heart = new SimulatedSensor({
      scenario,
      format,
      options,
      seed: seed ?? 1,
      write: (bytes) => wires.get(name)?.onBytes(bytes),
    });
    heart.start();
    afterwards(() => heart.stop());
    return heart;
  });
  return {
    daemon,
    hearts,
    url: daemon.dashboardUrl!,
    hostPid: () => models?.stats().hostPid ?? null,
    stats: () => models!.stats(),
  };
}

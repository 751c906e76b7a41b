import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { stringify } from 'yaml';
import type { FormatOptions } from '../../../src/domain/reading.js';
import { findFormat } from '../../../src/sensor/formats/registry.js';
import { makeScenario, type ScenarioInput } from '../../../src/simulator/scenario.js';
import { SimulatedSensor } from '../../../src/simulator/sensor.js';
import { VirtualPort } from '../../../src/simulator/virtual-port.js';
import { startSlothd, untilSays } from './cli.js';
import { afterwards, temporaryFolder } from './world.js';

const OPTIONS: FormatOptions = { rateHz: 200 };

/** A simulated sensor on a virtual port, at the speed of life. */
export async function liveSensor(episodes: ScenarioInput['episodes']) {
  const format = findFormat('ad8232');
  const port = await VirtualPort.open({ link: join(temporaryFolder(), 'sensor') });
  afterwards(() => port.close());
  const heart = new SimulatedSensor({
    scenario: makeScenario({ episodes }),
    format,
    options: OPTIONS,
    write: (bytes) => port.write(bytes),
  });
  afterwards(() => heart.stop());
  return {
    port,
    heart,
    format,
    /** The same device, the heart's mind changed. */
    become(other: ScenarioInput['episodes']): void {
      heart.stop();
      const next = new SimulatedSensor({
        scenario: makeScenario({ episodes: other }),
        format,
        options: OPTIONS,
        write: (bytes) => port.write(bytes),
      });
      next.start();
      afterwards(() => next.stop());
    },
  };
}

/** `slothd run` as a process of its own, with a config of its own. */
export function daemonProcess(
  sensor: Awaited<ReturnType<typeof liveSensor>>,
  brokerUrl: string,
  more: Record<string, unknown> = {},
) {
  const folder = temporaryFolder();
  const config = join(folder, 'slothd.yaml');
  writeFileSync(
    config,
    stringify({
      node: 'bench',
      stateDir: join(folder, 'state'),
      sensors: [
        {
          name: 'chest',
          format: sensor.format.id,
          options: OPTIONS,
          link: { type: 'serial', path: sensor.port.path },
        },
      ],
      inference: { models: { beat: null, rhythm: null } },
      mqtt: { url: brokerUrl, reconnectMinMs: 100, reconnectMaxMs: 500 },
      http: { port: 0 },
      ...more,
    }),
  );
  return {
    config,
    stateDir: join(folder, 'state'),
    /** Starts it (again), and waits until it runs. */
    async start() {
      const running = startSlothd(['run', '--config', config]);
      await untilSays(running, '"running"');
      return running;
    },
  };
}

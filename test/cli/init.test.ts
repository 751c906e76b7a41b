import { describe, expect, it } from 'vitest';
import { type InitWorld, planConfig } from '../../src/cli/init.js';
import { parseConfig } from '../../src/config/load.js';
import { checkSensors } from '../../src/daemon/check-sensors.js';

function world(change: Partial<InitWorld> = {}): InitWorld & { readonly said: string[] } {
  const said: string[] = [];
  return {
    ports: async () => [],
    guess: async () => null,
    localBroker: async () => false,
    ask: async (_question, fallback) => fallback,
    say: (line) => said.push(line),
    said,
    ...change,
  };
}

const ports = async () => [
  { stablePath: '/dev/serial/by-id/a', about: 'Arduino' },
  { stablePath: '/dev/ttyUSB1', about: '' },
];

function checked(text: string) {
  const config = parseConfig(text, 'init.yaml');
  checkSensors(config, 'init.yaml');
  return config;
}

describe('init', () => {
  it('writes what check accepts, also with nothing plugged in', async () => {
    expect(checked(await planConfig(world())).sensors).toHaveLength(1);
  });

  it('takes the formats that were heard, and a rate that is not the usual one', async () => {
    const guess = async (port: string) => (port === '/dev/ttyUSB1' ? null : { format: 'ad8232', baudRate: 57600 });
    const config = checked(await planConfig(world({ ports, guess })));
    expect(config.sensors).toMatchObject([
      { name: 'heart', format: 'ad8232', link: { path: '/dev/serial/by-id/a', baudRate: 57600 } },
    ]);
  });

  it('takes answers over guesses', async () => {
    const answers: Record<string, string> = { format: 'ad8232', name: 'chest', MQTT: 'mqtts://home.example:8883' };
    const ask = async (question: string, fallback: string) => answers[question.split(' ')[0]!] ?? fallback;
    const config = checked(await planConfig(world({ ports: async () => (await ports()).slice(0, 1), ask })));
    expect(config.sensors[0]).toMatchObject({ name: 'chest', format: 'ad8232' });
    expect(config.mqtt.url).toBe('mqtts://home.example:8883');
  });

  it('refuses a format that does not exist', async () => {
    const ask = async (question: string, fallback: string) => (question.startsWith('format') ? 'nonsense' : fallback);
    await expect(planConfig(world({ ports, ask }))).rejects.toThrow("there is no format 'nonsense'");
  });
});

import { describe, expect, it } from 'vitest';
import { parseConfig } from '../../src/config/load.js';
import { migrateConfig } from '../../src/config/migrations.js';

const SENSORS = "sensors: [{ name: a, format: ad8232, link: { type: serial, path: '/dev/ttyUSB0' } }]\n";

describe('config versions', () => {
  it('steps run in order up to the present version, in memory', () => {
    const raw: Record<string, unknown> = { version: 1, broker: 'mqtt://a' };
    const steps = {
      1: (config: Record<string, unknown>) => {
        config.mqtt = { url: config.broker };
        delete config.broker;
      },
      2: (config: Record<string, unknown>) => Object.assign(config, { seen: config.mqtt }),
    };
    expect(migrateConfig(raw, 3, steps)).toBeNull();
    expect(raw).toEqual({ version: 3, mqtt: { url: 'mqtt://a' }, seen: { url: 'mqtt://a' } });
  });

  it('one of a newer slothd is refused with its line and what to do', () => {
    expect(() => parseConfig(`${SENSORS}version: 9\n`, 'slothd.yaml')).toThrow(
      /slothd\.yaml:2:1: version: this config is of version 9, this slothd reads up to 1: update slothd/,
    );
  });

  it('without a version, or with none that can be one, nothing is migrated', () => {
    expect(parseConfig(SENSORS, 'slothd.yaml').version).toBe(1);
    expect(() => parseConfig(`${SENSORS}version: one\n`, 'slothd.yaml')).toThrow(/version: /);
  });

  it("the system's config keeps its state where the service may write, from every command", () => {
    expect(parseConfig(SENSORS, '/etc/slothd/slothd.yaml').stateDir).toBe('/var/lib/slothd');
    expect(parseConfig(`${SENSORS}stateDir: /data\n`, '/etc/slothd/slothd.yaml').stateDir).toBe('/data');
    expect(parseConfig(SENSORS, 'slothd.yaml').stateDir).toBe('.slothd');
  });
});

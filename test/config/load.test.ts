import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { serviceEnvironment } from '../../src/config/environment.js';
import { configJsonSchema } from '../../src/config/json-schema.js';
import { ConfigError, loadConfig, parseConfig } from '../../src/config/load.js';
import { alarmsOf } from '../../src/config/schema.js';
import { checkSensors } from '../../src/daemon/check-sensors.js';

const GOOD = `
node: kitchen
sensors:
  - name: chest
    format: ad8232
    rateHz: 250
    link: { type: serial, path: /dev/serial/by-id/usb-x }
`;

function problems(text: string, env: NodeJS.ProcessEnv = {}): string[] {
  try {
    checkSensors(parseConfig(text, 'slothd.yaml', env), 'slothd.yaml');
  } catch (error) {
    if (error instanceof ConfigError) return error.message.split('\n');
    throw error;
  }
  return [];
}

describe('config', () => {
  it('fills in every default', () => {
    const config = parseConfig(GOOD, 'x');
    expect(config.mqtt.url).toBe('mqtt://localhost:1883');
    expect(config.http.host).toBe('127.0.0.1');
    expect(config.alarms.tachycardia.aboveBpm).toBe(150);
    expect(config.alarms.bradycardia.belowBpm).toBe(45);
    expect(config.inference.models.beat).toBe('beat-ecg');
  });

  it('points at the line of an unknown key, at every level', () => {
    expect(problems(`${GOOD}mqt: {}\n`)).toEqual(['slothd.yaml:8:1: mqt: unknown key']);
    const nested = problems(GOOD.replace('rateHz', 'rate'));
    expect(nested).toHaveLength(1);
    expect(nested[0]).toMatch(/^slothd\.yaml:6:5: sensors\.0\.rate: unknown key$/);
  });

  it('says what is allowed', () => {
    const [line] = problems(`${GOOD}log: { level: loud }\n`);
    expect(line).toMatch(/^slothd\.yaml:8:8: log\.level: .*"info"/);
    expect(problems(GOOD.replace('250', '5000'))[0]).toMatch(/slothd\.yaml:6:5: sensors\.0\.rateHz: .*1000/);
  });

  it('tells all mistakes at once', () => {
    const text = `${GOOD}log: { level: loud }\nhttp: { port: 99999 }\nfoo: 1\n`;
    expect(problems(text)).toHaveLength(3);
  });

  it('refuses broken YAML with its line', () => {
    expect(problems('sensors:\n  - name: [a\n')[0]).toMatch(/^slothd\.yaml:\d+:\d+: /);
    expect(problems('a: 1\na: 2\n')[0]).toMatch(/unique/i);
  });

  it('refuses a missing file, an empty file, a list, two sensors of one name, 1200 baud', async () => {
    await expect(loadConfig('/nowhere/slothd.yaml')).rejects.toThrow(/there is no such file/);
    expect(problems('')[0]).toMatch(/sensors/);
    expect(problems('- 1\n')).not.toHaveLength(0);
    const sensor = GOOD.slice(GOOD.indexOf('  - name'));
    expect(problems(GOOD + sensor)[0]).toMatch(/already a sensor 'chest'/);
    expect(problems(GOOD.replace('path:', 'baudRate: 1200, path:'))[0]).toMatch(/bootloader/);
  });

  it('checks what a sensor alone changes about its alarms', () => {
    const own = `${GOOD}    alarms: { tachycardia: { aboveBpm: 170 } }\n`;
    expect(problems(own)).toEqual([]);
    expect(problems(own.replace('aboveBpm', 'above'))[0]).toMatch(
      /sensors\.0\.alarms\.tachycardia\.above: unknown key/,
    );
  });

  it('lays what differs for a person below what differs for a sensor, and checks both', () => {
    const worn = `${GOOD}    person: ada
    alarms: { bradycardia: { belowBpm: 50 } }
persons:
  ada: { alarms: { tachycardia: { aboveBpm: 170 }, bradycardia: { belowBpm: 38 } } }
`;
    const config = parseConfig(worn, 'x', {});
    const alarms = alarmsOf(config, config.sensors[0]!);
    expect(alarms.tachycardia.aboveBpm).toBe(170);
    expect(alarms.bradycardia.belowBpm).toBe(50);
    expect(config.alarms.tachycardia.aboveBpm).toBe(150);
    expect(problems(worn.replace('aboveBpm', 'above'))[0]).toMatch(
      /persons\.ada\.alarms\.tachycardia\.above: unknown key/,
    );
    expect(problems(worn.replace('person: ada', 'person: bob'))[0]).toMatch(/no sensor is worn by 'ada'/);
  });

  it('knows the formats and their options', () => {
    expect(problems(GOOD.replace('ad8232', 'ad8233'))[0]).toMatch(/unknown format 'ad8233'; there are: .*ad8232/);
    expect(problems(`${GOOD}    options: { colour: red }\n`)[0]).toMatch(/no such option/);
  });

  it('takes overrides from the environment, in any case of letters', () => {
    const env = {
      SLOTHD_CONFIG_MQTT__URL: 'mqtt://broker:1884',
      SLOTHD_CONFIG_HTTP__PORT: '8080',
      SLOTHD_CONFIG_STATEDIR: '/tmp/x',
    };
    const config = parseConfig(GOOD, 'x', env);
    expect(config.mqtt.url).toBe('mqtt://broker:1884');
    expect(config.http.port).toBe(8080);
    expect(config.stateDir).toBe('/tmp/x');
    expect(problems(GOOD, { SLOTHD_CONFIG_MQTT__ULR: 'x' })[0]).toMatch(/mqtt\.ulr: unknown key/);
  });

  it('names the variable that is wrong, and takes a number for text where only that fits', () => {
    const wrong = (name: string, value: string) => problems(GOOD, { [`SLOTHD_CONFIG_${name}`]: value });
    expect(wrong('MQTT__URL', 'home')).toEqual([
      expect.stringMatching(/^SLOTHD_CONFIG_MQTT__URL: mqtt\.url: give a URL/),
    ]);
    expect(wrong('SENSORS__0__RATEHZ', '-3')[0]).toMatch(/^SLOTHD_CONFIG_SENSORS__0__RATEHZ: sensors\.0\.rateHz: /);
    expect(wrong('HTTP__PORT', '[1')[0]).toMatch(/^SLOTHD_CONFIG_HTTP__PORT: http\.port: /);
    const config = parseConfig(GOOD, 'x', {
      SLOTHD_CONFIG_MQTT__USERNAME: '0815',
      SLOTHD_CONFIG_MQTT__PROTOCOL: '5',
      SLOTHD_CONFIG_NODE: '1',
    });
    expect(config).toMatchObject({ node: '1', mqtt: { username: '0815', protocol: '5' } });
  });

  it('reads what the service gets from its environment file', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'slothd-env-'));
    const file = join(folder, 'default');
    const lines = [
      '# SLOTHD_CONFIG_NODE=no',
      'SLOTHD_CONFIG_HTTP__PORT=9999',
      'SLOTHD_CONFIG_NODE="ward 3" ',
      'PATH=/x',
      '',
    ];
    writeFileSync(file, lines.join('\n'));
    expect(await serviceEnvironment(file)).toEqual({
      SLOTHD_CONFIG_HTTP__PORT: '9999',
      SLOTHD_CONFIG_NODE: 'ward 3',
    });
    rmSync(folder, { recursive: true });
    expect(await serviceEnvironment(file)).toEqual({});
  });

  it('tells where a format or option stands that is not known', () => {
    expect(problems(GOOD.replace('ad8232', 'ad8233'))[0]).toMatch(/^slothd\.yaml:5:5: sensors\.0\.format: /);
    expect(problems(`${GOOD}    options:\n      colour: red\n`)[0]).toMatch(/^slothd\.yaml:9:7: .*no such option/);
  });

  it('refuses a web server open to the network without a token', () => {
    expect(problems(`${GOOD}http: { host: 0.0.0.0 }\n`)).toEqual([
      'slothd.yaml:8:9: http.host: is open to the network: set http.tokenFile, or listen on 127.0.0.1',
    ]);
    expect(problems(`${GOOD}http: { host: 0.0.0.0, tokenFile: /etc/slothd/http-token }\n`)).toEqual([]);
  });

  it('has the published JSON Schema and a good example', async () => {
    const published = JSON.parse(await readFile('config/slothd.schema.json', 'utf8'));
    expect(published).toEqual(JSON.parse(JSON.stringify(configJsonSchema())));
    const example = await loadConfig('config/slothd.example.yaml', {});
    checkSensors(example, 'config/slothd.example.yaml');
  });
});

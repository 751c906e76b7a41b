import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import { describe, expect, it } from 'vitest';
import { Answers } from '../../src/cli/init/answers.js';
import { type InitWorld, planConfig } from '../../src/cli/init.js';
import { parseConfig } from '../../src/config/load.js';
import { checkSensors } from '../../src/daemon/check-sensors.js';
import { slothd } from '../e2e/support/cli.js';
import { temporaryFolder } from '../e2e/support/world.js';

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

  it('asks again where an answer cannot be used', async () => {
    const given: Record<string, string[]> = {
      format: ['adc', 'ad8232', 'ad8232'],
      name: ['my heart', 'chest', 'chest', 'finger'],
      MQTT: ['ftp://home', 'broker.home:1884'],
    };
    const ask = async (question: string, fallback: string) => given[question.split(' ')[0]!]?.shift() ?? fallback;
    const place = world({ ports, ask });
    const config = checked(await planConfig(place));
    expect(config.sensors.map(({ name }) => name)).toEqual(['chest', 'finger']);
    expect(config.mqtt.url).toBe('mqtt://broker.home:1884');
    expect(place.said.join('\n')).toMatch(/no format 'adc'[\s\S]*use letters[\s\S]*already a sensor[\s\S]*give a URL/);
  });
});

describe('answers', () => {
  it('are taken from a pipe whose lines are all there before the first question, and its end is said', async () => {
    const input = new PassThrough();
    input.end('one\n\nthree');
    const answers = new Answers(input, new PassThrough());
    await new Promise((resolve) => setTimeout(resolve, 20));
    expect([await answers.to('a? '), await answers.to('b? '), await answers.to('c? ')]).toEqual(['one', '', 'three']);
    await expect(answers.to('d? ')).rejects.toThrow(/nobody to answer: --yes/);
    answers.close();
  });

  it('that never come end the question', async () => {
    const input = new PassThrough();
    const answers = new Answers(input, new PassThrough());
    const question = answers.to('a? ');
    input.end();
    await expect(question).rejects.toThrow(/nobody to answer/);
  });
});

describe('slothd init', () => {
  it('says at once that the file is there, is a folder or cannot be, and writes what doctor is told of', async () => {
    const folder = temporaryFolder();
    const file = join(folder, 'new/slothd.yaml');
    expect(await slothd('init', '--config', file)).toMatchObject({ code: 1, err: expect.stringContaining('--yes') });
    const { code, out } = await slothd('init', '--yes', '--config', file);
    expect({ code, out }).toMatchObject({ code: 0, out: expect.stringContaining(`slothd doctor --config ${file}`) });
    const before = readFileSync(file, 'utf8');
    expect((await slothd('init', '--yes', '--config', file)).err).toMatch(/is there already; --force/);
    expect(readFileSync(file, 'utf8')).toBe(before);
    mkdirSync(join(folder, 'folder'));
    expect((await slothd('init', '--yes', '--config', join(folder, 'folder'))).err).toMatch(/is a folder/);
    writeFileSync(join(folder, 'plain'), '');
    const below = await slothd('init', '--yes', '--config', join(folder, 'plain/slothd.yaml'));
    expect(below).toMatchObject({ code: 1, out: '', err: expect.stringContaining('no folder') });
  }, 60_000);
});

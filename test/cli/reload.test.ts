import { describe, expect, it } from 'vitest';
import { daemons } from '../../src/cli/reload.js';
import { changedSettings } from '../../src/cli/run/changes.js';
import { HangUps } from '../../src/cli/run/hang-ups.js';
import { Reloader } from '../../src/cli/run/reloader.js';
import { parseConfig } from '../../src/config/load.js';
import type { Config } from '../../src/config/schema.js';
import { fakeSystem } from './doctor/fake-system.js';

function config(more = '', sensors = ['a']): Config {
  const list = sensors.map((name) => `{ name: ${name}, format: ad8232, link: { type: serial, path: /dev/${name} } }`);
  return parseConfig(`sensors: [${list.join(', ')}]\n${more}`, 'test.yaml');
}

describe('what changed', () => {
  it.each([
    ['nothing', config(), []],
    ['the log level', config('log: { level: debug }'), ['log.level']],
    ['a threshold', config('alarms: { tachycardia: { aboveBpm: 130 } }'), ['alarms']],
    ['a sensor more', config('', ['a', 'b']), ['sensors.b']],
    ['another sensor', config('', ['b']), ['sensors.b', 'sensors.a']],
  ])('%s', (_name, after, expected) => {
    expect(changedSettings(config(), after)).toEqual(expected);
  });
});

it('a hang-up before anybody listens is told once somebody does, and ends nobody', () => {
  let signal = () => {};
  const hangUps = new HangUps((_name, run) => {
    signal = run;
  });
  let told = 0;
  signal();
  signal();
  hangUps.listen(() => told++);
  expect(told).toBe(1);
  signal();
  expect(told).toBe(2);
});

describe('reload', () => {
  function running(reads: (Config | Error)[], broken: readonly Config[] = []) {
    const events: string[] = [];
    const log = {
      level: 'info',
      info: (...said: unknown[]) => events.push(String(said.at(-1))),
      error: (...said: unknown[]) => events.push(String(said.at(-1))),
    };
    const build = (next: Config) => ({
      async start() {
        if (broken.includes(next)) throw new Error('http port 1 is taken');
        events.push(`start ${next.sensors.map(({ name }) => name)}`);
      },
      async stop(how?: { restarting: boolean }) {
        events.push(how?.restarting ? 'stop, more follows' : 'stop');
      },
    });
    const read = async () => {
      const next = reads.shift()!;
      if (next instanceof Error) throw next;
      return next;
    };
    const first = config();
    return { reloader: new Reloader(first, build(first), read, build, log as never), events, log };
  }

  it('what cannot even be built leaves the running one alone', async () => {
    const { reloader, events } = running([config('', ['a', 'b'])]);
    Object.assign(reloader, {
      build: () => {
        throw new Error('http.tokenFile: /x: it is empty');
      },
    });
    await reloader.reload();
    expect(events).toEqual(['reload refused, the former config stays: http.tokenFile: /x: it is empty']);
  });

  it('changes the log level without a break', async () => {
    const { reloader, events, log } = running([config('log: { level: debug }')]);
    await reloader.reload();
    expect(log.level).toBe('debug');
    expect(events).toEqual(['reload: taken']);
  });

  it('builds the daemon anew for a new sensor, and does not tell systemd that the service ends', async () => {
    const { reloader, events } = running([config('', ['a', 'b'])]);
    await reloader.reload();
    expect(events).toEqual(['stop, more follows', 'start a,b', 'reload: taken']);
  });

  it('keeps the former config where the new one has mistakes, or nothing changed', async () => {
    const { reloader, events } = running([new Error('line 3'), config()]);
    await reloader.reload();
    await reloader.reload();
    expect(events).toEqual(['reload refused, the former config stays: line 3', 'reload: nothing changed']);
  });

  it('goes back to the former config where the new one cannot be started', async () => {
    const bad = config('http: { port: 1 }');
    const { reloader, events } = running([bad, config('', ['b'])], [bad]);
    await reloader.reload();
    expect(events.at(-1)).toBe('start a');
    expect(events).toContain('reload failed, back to the former config: http port 1 is taken');
    await reloader.reload();
    expect(events.at(-2)).toBe('start b');
  });

  it('takes two signals one after the other', async () => {
    const { reloader, events } = running([config('', ['b']), config('', ['c'])]);
    await Promise.all([reloader.reload(), reloader.reload()]);
    expect(events.filter((event) => event.startsWith('start'))).toEqual(['start b', 'start c']);
  });
});

describe('finding the daemon', () => {
  it('by its command line, not by anything that only mentions it', async () => {
    const line = (...words: string[]) => `${words.join('\0')}\0`;
    const system = fakeSystem({
      files: {
        '/proc/5/comm': 'node\n',
        '/proc/5/cmdline': line('/usr/lib/slothd/runtime/node', '/usr/lib/slothd/dist/main.js', 'run'),
        '/proc/6/comm': 'vi\n',
        '/proc/6/cmdline': line('vi', '/etc/slothd/slothd.yaml'),
        '/proc/9/comm': 'timeout\n',
        '/proc/9/cmdline': line('timeout', '60', '/usr/bin/slothd', 'run'),
        '/proc/8/comm': 'node\n',
        '/proc/8/cmdline': line('node', 'dist/main.js', 'run', '-c', 'b.yaml'),
        '/proc/7/comm': 'node\n',
        '/proc/7/cmdline': line('node', 'dist/main.js', 'demo'),
      },
      links: { '/proc/8/cwd': '/home/anna' },
    });
    expect(await daemons('/etc/slothd/slothd.yaml', system)).toEqual([5]);
    expect(await daemons('/home/anna/b.yaml', system)).toEqual([8]);
  });
});

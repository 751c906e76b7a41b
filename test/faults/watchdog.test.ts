import { spawn } from 'node:child_process';
import { chmodSync, existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { Heartbeats } from '../../src/daemon/heartbeats.js';
import { measuredStore } from '../../src/daemon/measured-store.js';
import { Watchdog } from '../../src/watch/watchdog.js';
import { afterwards, pause, temporaryFolder, until } from '../e2e/support/world.js';
import { item, until as runnerUntil, startedRunner } from '../inference/helpers.js';
import { ManualTime } from '../sensor/fake-link.js';

const MAIN = fileURLToPath(new URL('../../dist/main.js', import.meta.url));
const BEAT_ECG = fileURLToPath(new URL('../../models/beat-ecg', import.meta.url));
/** Short, so that the test is: systemd's would be half a minute. Pings are due every 1.5 s. */
const WATCHDOG_MS = 3000;

/**
 * The daemon as systemd starts it, with a `systemd-notify` that writes down what it is told. Its sensor is a port that
 * never says a word. SIGUSR2 blocks its event loop for some seconds, SIGUSR1 burns its CPU in short pieces.
 */
async function startUnderSystemd() {
  if (!existsSync(MAIN)) throw new Error(`${MAIN} is missing: run npm run build first`);
  const dir = temporaryFolder();
  const told = join(dir, 'told');
  writeFileSync(told, '');
  writeFileSync(join(dir, 'systemd-notify'), `#!/bin/sh\necho "$(date +%s%3N) $*" >> ${told}\n`);
  chmodSync(join(dir, 'systemd-notify'), 0o755);
  writeFileSync(join(dir, 'silence'), '');
  writeFileSync(
    join(dir, 'slothd.yaml'),
    `stateDir: ${join(dir, 'state')}
sensors:
  - { name: chest, format: ad8232, options: { rateHz: 250 }, link: { type: recording, file: ${join(dir, 'silence')} } }
inference: { models: { beat: ${BEAT_ECG} } }
mqtt: { enabled: false }
http: { port: 0 }
`,
  );
  writeFileSync(
    join(dir, 'stress.mjs'),
    `process.on('SIGUSR2', () => { const end = performance.now() + 5000; while (performance.now() < end); });
process.on('SIGUSR1', () => {
  const end = performance.now() + 10000;
  const burn = () => {
    const until = performance.now() + 200;
    while (performance.now() < until);
    if (performance.now() < end) setImmediate(burn);
  };
  burn();
});
`,
  );
  const child = spawn(
    process.execPath,
    ['--import', join(dir, 'stress.mjs'), MAIN, 'run', '-c', join(dir, 'slothd.yaml')],
    {
      env: {
        ...process.env,
        PATH: `${dir}:${process.env.PATH}`,
        NOTIFY_SOCKET: '/run/none',
        WATCHDOG_USEC: String(WATCHDOG_MS * 1000),
      },
      stdio: ['ignore', 'pipe', 'pipe'],
    },
  );
  let log = '';
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk) => (log += chunk));
  const gone = new Promise<void>((resolve) => child.once('exit', () => resolve()));
  afterwards(async () => {
    child.kill('SIGKILL');
    await gone;
  });
  const lines = () =>
    readFileSync(told, 'utf8')
      .split('\n')
      .filter(Boolean)
      .map((line) => ({ atMs: Number(line.split(' ')[0]), text: line }));
  const pings = () => lines().filter(({ text }) => text.endsWith('WATCHDOG=1'));
  await until(
    () => `the first ping: ${log}`,
    () => pings().length > 0,
    20_000,
  );
  return {
    child,
    lines,
    pings,
    /** The longest time between two pings of that stretch, its ends included. */
    longestGapMs(fromMs: number, toMs: number): number {
      const times = [fromMs, ...pings().map(({ atMs }) => atMs), toMs].filter((at) => at >= fromMs && at <= toMs);
      return Math.max(...times.slice(1).map((at, i) => at - times[i]!));
    },
    alive: () => child.exitCode === null && child.signalCode === null,
  };
}

describe('story 7: the watchdog kills the healthy or spares the dead', () => {
  it('an idle sensor keeps its pings, so does 10 s of CPU stress; a blocked event loop loses them', async () => {
    const daemon = await startUnderSystemd();
    expect(daemon.lines().some(({ text }) => text.endsWith('--ready'))).toBe(true);

    // The sensor has never said a word. For the tolerance: this machine has other things to do, too.
    const idleMs = Date.now();
    await pause(6000);
    expect(daemon.longestGapMs(idleMs, Date.now())).toBeLessThan(WATCHDOG_MS);

    const stressMs = Date.now();
    daemon.child.kill('SIGUSR1');
    await pause(10_500);
    expect(daemon.longestGapMs(stressMs, Date.now())).toBeLessThan(WATCHDOG_MS);

    const blockMs = Date.now();
    daemon.child.kill('SIGUSR2');
    await pause(5000);
    // systemd would have killed it by now.
    expect(daemon.longestGapMs(blockMs, blockMs + 5000)).toBeGreaterThan(WATCHDOG_MS);
    // It was not, so it goes on as if nothing had been.
    const count = daemon.pings().length;
    await until('pings again', () => daemon.pings().length > count, 10_000);
    expect(daemon.alive()).toBe(true);
  }, 60_000);

  it('says in the status what a person asks first', async () => {
    const daemon = await startUnderSystemd();
    await until(
      'a status',
      () => daemon.lines().some(({ text }) => /--status=ready; 0 of 1 sensors online/.test(text)),
      20_000,
    );
    daemon.child.kill('SIGTERM');
    await until('the goodbye', () => daemon.lines().some(({ text }) => text.endsWith('STOPPING=1')));
  }, 60_000);
});

describe('heartbeats', () => {
  const models = (over: object = {}) => {
    const stats = { items: 0, unavailable: 0, lost: 0, dropped: 0, queued: 0, ...over };
    return { stats, models: { beat: {} as never, stats: () => stats as never } };
  };

  /** Rounds and looks as the daemon does them. */
  async function run(time: ManualTime, heartbeats: Heartbeats, ms: number): Promise<void> {
    for (let t = 0; t < ms; t += 500) {
      await time.advance(500);
      heartbeats.round(() => undefined);
      heartbeats.look();
    }
  }

  it('a hung host is no reason to restart the daemon: its beats are answered with nothing', async () => {
    const time = new ManualTime();
    const watchdog = new Watchdog(time);
    const { stats, models: given } = models({ queued: 5 });
    const heartbeats = new Heartbeats(watchdog, time, given, { pendingMs: () => 0 });
    for (let second = 0; second < 120; second++) {
      stats.lost++;
      await run(time, heartbeats, 1000);
      expect(watchdog.verdict().reasons).toEqual([]);
    }
  });

  it('a runner that answers nothing at all is', async () => {
    const time = new ManualTime();
    const watchdog = new Watchdog(time);
    const { stats, models: given } = models({ queued: 5 });
    const heartbeats = new Heartbeats(watchdog, time, given, { pendingMs: () => 0 });
    await run(time, heartbeats, 29_000);
    expect(watchdog.verdict().healthy).toBe(true);
    await run(time, heartbeats, 3000);
    expect(watchdog.verdict().reasons).toEqual([expect.stringMatching(/^inference: beats have waited 3\d s/)]);
    stats.items++;
    await run(time, heartbeats, 500);
    expect(watchdog.verdict().healthy).toBe(true);
  });

  it('a write that never ends is; a disk that refuses is not', async () => {
    const time = new ManualTime();
    const watchdog = new Watchdog(time);
    let finish = () => {};
    let outcome: () => Promise<void> = () => new Promise((resolve) => (finish = resolve));
    const recorded: unknown[] = [];
    const store = measuredStore(
      { batch: () => outcome(), scan: async function* () {}, close: async () => undefined },
      time,
      { record: (stage, ms) => recorded.push([stage, ms]) },
    );
    const heartbeats = new Heartbeats(watchdog, time, models().models, store);
    const writing = store.batch([]);
    await run(time, heartbeats, 59_000);
    expect(watchdog.verdict().healthy).toBe(true);
    await run(time, heartbeats, 3000);
    expect(watchdog.verdict().reasons).toEqual([expect.stringMatching(/^delivery: the disk has not finished a write/)]);
    finish();
    await writing;
    await run(time, heartbeats, 500);
    expect(watchdog.verdict().healthy).toBe(true);
    expect(recorded).toEqual([['outbox_write', 62_000]]);
    outcome = () => Promise.reject(new Error('disk full'));
    await expect(store.batch([])).rejects.toThrow('disk full');
    await run(time, heartbeats, 120_000);
    expect(watchdog.verdict().healthy).toBe(true);
  });

  it('rules whose round does not come to its end are', async () => {
    const time = new ManualTime();
    const watchdog = new Watchdog(time);
    const heartbeats = new Heartbeats(watchdog, time, models().models, { pendingMs: () => 0 });
    for (let t = 0; t < 2500; t += 100) {
      await time.advance(100);
      expect(() =>
        heartbeats.round(() => {
          throw new Error('a rule that is wrong');
        }),
      ).toThrow('a rule that is wrong');
    }
    expect(watchdog.verdict().reasons).toEqual(['alarms: no sign of life for 2500 ms']);
  });
});

describe('story 8: hosts that die again and again', () => {
  it('the other precision is tried, then the other runtime, then it is left alone for a while; each is said', async () => {
    const reasons: string[] = [];
    const runner = await startedRunner({
      variant: 'int8',
      backOff: { firstMs: 1, longestMs: 300 },
      onState: (_, reason) => reasons.push(reason),
    });
    expect(runner.info('beat')?.precision).toBe('int8');
    const killHost = async () => {
      const { hostPid, generation } = runner.stats();
      process.kill(hostPid as number, 'SIGKILL');
      await runnerUntil(
        () => runner.state() === 'ready' && runner.stats().generation > generation,
        `a host after generation ${generation}`,
      );
    };
    await killHost();
    await killHost();
    expect(runner.info('beat')?.precision).toBe('int8');
    await killHost();
    expect(runner.info('beat')?.precision).toBe('fp32');
    expect(runner.note).toBe('beat: fp32 instead of int8, for hosts with it died again and again');
    expect(reasons).toContainEqual(expect.stringMatching(/3 deaths in a row: beat runs fp32 instead of int8$/));
    expect(await runner.infer('beat', item(1))).not.toBeNull();
    for (let i = 0; i < 2; i++) await killHost();
    expect(reasons).toContainEqual(expect.stringMatching(/now the wasm runtime is tried$/));
    expect(runner.info('beat')?.runtime).toMatch(/wasm/);
    expect(await runner.infer('beat', item(1))).not.toBeNull();
    for (let i = 0; i < 8; i++) await killHost();
    expect(reasons).toContainEqual(expect.stringMatching(/8 deaths in a row: rules alone, next try in 0.3 s$/));
    expect(await runner.infer('beat', item(2))).not.toBeNull();
  }, 60_000);
});

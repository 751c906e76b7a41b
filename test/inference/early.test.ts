import { afterEach, expect, it } from 'vitest';
import { type EarlyHost, startEarlyHost } from '../../src/inference/host/early.js';
import { NATIVE_RUNTIME } from '../../src/inference/host/messages.js';
import { type HostChild, spawnHost } from '../../src/inference/host/spawn.js';
import { HOST_ENTRY, makeRunner, until } from './helpers.js';

/** The host that `slothd run` starts before it has read its config. */

const pids: number[] = [];
const preloads: (string | undefined)[] = [];
const start = (preload?: string): HostChild => {
  const child = spawnHost(HOST_ENTRY, preload);
  pids.push(child.pid as number);
  preloads.push(preload);
  return child;
};
let early: EarlyHost | null = null;
afterEach(() => {
  early?.close();
  pids.length = 0;
  preloads.length = 0;
});

const lives = (pid: number) => {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
};

it('is taken by the first runner; hosts after it are ordinary ones', async () => {
  early = startEarlyHost(start);
  expect(preloads).toEqual([NATIVE_RUNTIME.module]);
  const runner = makeRunner({ spawn: early.spawn });
  runner.start();
  expect(await runner.settled()).toBe('ready');
  expect(runner.stats().hostPid).toBe(pids[0]);
  process.kill(pids[0] as number, 'SIGKILL');
  await until(() => runner.state() === 'ready' && runner.stats().generation === 2, 'respawn');
  expect(runner.stats().hostPid).toBe(pids[1]);
  expect(preloads).toEqual([NATIVE_RUNTIME.module, undefined]);
});

it('that died before it was wanted is passed over', async () => {
  early = startEarlyHost(start);
  process.kill(pids[0] as number, 'SIGKILL');
  await until(() => !lives(pids[0] as number), 'its end');
  await new Promise((resolve) => setTimeout(resolve, 50));
  const runner = makeRunner({ spawn: early.spawn });
  runner.start();
  expect(await runner.settled()).toBe('ready');
  expect(runner.stats()).toMatchObject({ hostPid: pids[1], generation: 1, respawns: 0 });
});

it('that nobody took ends when it is closed', async () => {
  early = startEarlyHost(start);
  early.close();
  await until(() => !lives(pids[0] as number), 'its end');
});

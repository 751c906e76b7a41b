import { describe, expect, it } from 'vitest';
import { spawnHost } from '../../src/inference/host/spawn.js';
import { HOST_ENTRY, item, startedRunner, until } from '../inference/helpers.js';

const alive = (pid: number) => {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
};

describe('story 8: the model host is stuck or crashes', () => {
  it('SIGKILL, SIGSEGV and SIGSTOP in turn: always respawned, nothing stuck, every question answered', async () => {
    const rounds = 21;
    const states: string[] = [];
    // Long enough for a healthy host on a busy machine, short enough to wait for eight times.
    const runner = await startedRunner({ deadlineMs: 400, onState: (state) => states.push(state) });
    const pids = new Set<number>();
    let answered = 0;
    for (let round = 0; round < rounds; round++) {
      const pid = runner.stats().hostPid as number;
      pids.add(pid);
      const before = [1, 2, 3].map((seed) => runner.infer('beat', item(seed)));
      process.kill(pid, (['SIGKILL', 'SIGSEGV', 'SIGSTOP'] as const)[round % 3]);
      const after = [4, 5].map((seed) => runner.infer('beat', item(seed)));
      answered += (await Promise.all([...before, ...after])).length;
      await until(() => runner.state() === 'ready' && runner.stats().hostPid !== pid, `respawn ${round}`);
      expect(await runner.infer('beat', item(6)), `round ${round}: ${runner.stats().lastFault}`).not.toBeNull();
    }
    expect(answered).toBe(rounds * 5);
    expect(pids.size).toBe(rounds);
    const stats = runner.stats();
    expect(stats.generation).toBe(stats.respawns + 1);
    expect(stats.respawns).toBeGreaterThanOrEqual(rounds);
    expect(stats.timeouts).toBeGreaterThanOrEqual(rounds / 3);
    expect(stats.queued).toBe(0);
    expect(states.at(-1)).toBe('ready');
    for (const pid of pids) expect(alive(pid)).toBe(false);
  }, 120_000);

  it('a stopped host is answered for at the deadline, with the reason', async () => {
    const reasons: string[] = [];
    const runner = await startedRunner({ deadlineMs: 150, onState: (_, reason) => reasons.push(reason) });
    process.kill(runner.stats().hostPid as number, 'SIGSTOP');
    const from = performance.now();
    expect(await runner.infer('beat', item(1))).toBeNull();
    const tookMs = performance.now() - from;
    expect(tookMs).toBeGreaterThanOrEqual(145);
    expect(tookMs).toBeLessThan(1500);
    await until(() => runner.state() === 'ready' && runner.stats().generation === 2, 'respawn');
    expect(reasons).toContainEqual(expect.stringMatching(/did not answer within 150 ms; it was killed/));
  });

  it('an answer that comes after its deadline is counted and never used', async () => {
    // A kernel that takes its time over the kill: the host wakes up and answers before it goes.
    const runner = await startedRunner({
      deadlineMs: 100,
      spawn: () => {
        const child = spawnHost(HOST_ENTRY);
        return Object.assign(Object.create(child), {
          kill: (signal: NodeJS.Signals) => {
            process.kill(child.pid as number, 'SIGCONT');
            setTimeout(() => child.kill(signal), 200);
          },
        });
      },
    });
    process.kill(runner.stats().hostPid as number, 'SIGSTOP');
    expect(await runner.infer('beat', item(1))).toBeNull();
    await until(() => runner.stats().lateAnswers === 1, 'the late answer');
    await until(() => runner.state() === 'ready' && runner.stats().generation === 2, 'respawn');
    expect(await runner.infer('beat', item(2))).not.toBeNull();
    expect(runner.stats().lateAnswers).toBe(1);
  });

  it('a daemon that was held up itself does not kill a host that had answered', async () => {
    const runner = await startedRunner({ deadlineMs: 100 });
    const answer = runner.infer('beat', item(1));
    const end = performance.now() + 400;
    while (performance.now() < end);
    expect(await answer).not.toBeNull();
    expect(runner.stats()).toMatchObject({ timeouts: 0, respawns: 0 });
  });

  it('a host that never loads is killed and tried again', async () => {
    const runner = await startedRunner({ startTimeoutMs: 10_000 });
    process.kill(runner.stats().hostPid as number, 'SIGKILL');
    await until(() => runner.stats().generation === 2 && runner.stats().hostPid !== null, 'second spawn');
    await until(() => runner.state() === 'ready', 'ready again');

    const stuck = startedRunner({
      startTimeoutMs: 200,
      spawn: () => {
        const child = spawnHost(HOST_ENTRY);
        process.kill(child.pid as number, 'SIGSTOP');
        return child;
      },
    });
    await expect(stuck).rejects.toThrow(/did not load its models within 200 ms; it was killed/);
  });

  it('a program that cannot be started is a reason, not a crash', async () => {
    // Settled, and so told, once every runtime has had its tries.
    const runner = startedRunner({ spawn: () => spawnHost('/nowhere/main.js') });
    await expect(runner).rejects.toThrow(/not built.*npm run build/);
  });

  it('the host ends when the daemon is gone, and not on Ctrl-C', async () => {
    const runner = await startedRunner();
    const pid = runner.stats().hostPid as number;
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.kill(pid, signal);
    expect(await runner.infer('beat', item(1))).not.toBeNull();

    const orphan = spawnHost(HOST_ENTRY);
    const gone = new Promise((resolve) => orphan.onExit((code) => resolve(code)));
    orphan.channel.destroy();
    expect(await gone).toBe(0);
  });
});

describe('story 9: the host grows', () => {
  it('is started anew above its limit, between two batches', async () => {
    let mib = 50;
    const reasons: string[] = [];
    const runner = await startedRunner({
      hostMemoryMiB: 100,
      memoryCheckMs: 20,
      residentMiB: async () => mib,
      onState: (_, reason) => reasons.push(reason),
    });
    const first = runner.stats().hostPid;
    await until(() => runner.stats().hostResidentMiB === 50, 'a look at the memory');
    expect(runner.stats().memoryRestarts).toBe(0);
    mib = 101;
    await until(() => runner.stats().memoryRestarts === 1, 'the guard');
    mib = 50;
    await until(() => runner.state() === 'ready' && runner.stats().hostPid !== first, 'respawn');
    expect(reasons).toContainEqual(expect.stringMatching(/grew to 101 MiB, 100 are allowed/));
    expect(runner.stats().lost).toBe(0);
  });

  it('reads the real memory of a real host', async () => {
    const runner = await startedRunner({ memoryCheckMs: 20 });
    await until(() => runner.stats().hostResidentMiB !== null, 'a look at the memory');
    expect(runner.stats().hostResidentMiB).toBeGreaterThan(20);
    expect(runner.stats().hostResidentMiB).toBeLessThan(300);
  });
});

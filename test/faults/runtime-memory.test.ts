import { expect, it } from 'vitest';
import { residentMiB } from '../../src/inference/resident-memory.js';
import { item, startedRunner } from '../inference/helpers.js';

/** Story 9, short: `npm run soak:runtime` asks a million times and reloads a thousand. */
it('story 9: a host that is asked 40,000 times does not grow', async () => {
  const runner = await startedRunner();
  const pid = runner.stats().hostPid as number;
  const ask = async (times: number) => {
    for (let at = 0; at < times; at += 50)
      await Promise.all(Array.from({ length: 50 }, (_, seed) => runner.infer('beat', item(at + seed))));
  };
  // Allocators and compilers warm up first.
  await ask(15_000);
  const before = (await residentMiB(pid)) as number;
  await ask(25_000);
  const after = (await residentMiB(pid)) as number;
  // A leak of one input (24 bytes) and one output tensor each time would be several MiB; a garbage collector breathes.
  expect(after - before).toBeLessThan(6);
  expect(runner.stats()).toMatchObject({ respawns: 0, faults: 0, items: 40_000 });
});

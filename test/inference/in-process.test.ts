import { expect, it } from 'vitest';
import { inProcessHost } from '../../src/inference/host/in-process.js';
import { item, startedRunner, until } from './helpers.js';

it('a host inside this process answers as one outside does, to the last bit, and ends when told to', async () => {
  const inside = await startedRunner({ spawn: inProcessHost });
  const outside = await startedRunner();
  expect(inside.info('beat')).toEqual(outside.info('beat'));
  for (let seed = 0; seed < 20; seed++) {
    const answer = await inside.infer('beat', item(seed));
    expect(answer).not.toBeNull();
    expect(answer).toEqual(await outside.infer('beat', item(seed)));
  }
  await inside.stop();
  expect(inside.state()).toBe('down');
  expect(await inside.infer('beat', item(1))).toBeNull();
});

it('it is made anew after it was killed, as one outside is', async () => {
  const hosts: ReturnType<typeof inProcessHost>[] = [];
  const runner = await startedRunner({
    spawn: () => {
      const host = inProcessHost();
      hosts.push(host);
      return host;
    },
  });
  hosts[0]!.kill('SIGKILL');
  await until(() => runner.stats().generation === 2 && runner.state() === 'ready', 'the second life');
  expect(await runner.infer('beat', item(3))).not.toBeNull();
  expect(hosts).toHaveLength(2);
});

import { mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { slothd, startSlothd, untilSays } from '../e2e/support/cli.js';
import { freePort } from '../e2e/support/world.js';

/** docs/get-started.md, "Your own config", as a newcomer types it; only names of files and ports are ours. */
const page = readFileSync(new URL('../../docs/get-started.md', import.meta.url), 'utf8');
const section = page.slice(page.indexOf('## 2.'), page.indexOf('## 3.'));

describe('get started', () => {
  it('from a simulated heart that races to its alert in the list', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'slothd-get-started-'));
    const ours = (text: string) =>
      text.replaceAll('/tmp/heart', join(folder, 'heart')).replaceAll('slothd.yaml', join(folder, 'slothd.yaml'));
    const yaml = /```yaml\n([\s\S]*?)```/.exec(section)?.[1];
    const lines = [...section.matchAll(/```sh\n([\s\S]*?)```/g)].flatMap(([, block = '']) => block.trim().split('\n'));
    const commands = lines.map((line) => ours(line.replace(/ *#.*/, '')).trim().split(/\s+/).slice(1));
    expect(commands.map(([verb]) => verb)).toEqual(['simulate', 'check', 'run', 'alerts']);
    const [simulate = [], check = [], run = [], list = []] = commands;
    const port = await freePort();
    writeFileSync(
      join(folder, 'slothd.yaml'),
      `${ours(yaml ?? '')}http: { port: ${port} }\nstateDir: ${join(folder, 'state')}\n`,
    );

    await untilSays(startSlothd(simulate), 'simulated sensor at');
    expect(await slothd(...check)).toMatchObject({ code: 0 });
    const daemon = startSlothd(run);
    await untilSays(daemon, 'alert new: extreme-tachycardia', 60_000);
    expect((await fetch(`http://127.0.0.1:${port}/readyz`)).status).toBe(200);
    const { code, out } = await slothd(...list);
    expect(code).toBe(0);
    expect(out).toMatch(/OPEN\s+high\s+chest\s+extreme-tachycardia/);
    daemon.child.kill('SIGTERM');
    expect(await daemon.ended).toBe(0);
  }, 120_000);
});

import { describe, expect, it } from 'vitest';
import type { Clock } from '../../../src/domain/clock.js';
import { ProcessLink } from '../../../src/sensor/links/process.js';
import { LinkSupervisor } from '../../../src/sensor/supervisor.js';

const node = process.execPath;

async function openScript(script: string, ...args: string[]) {
  const heard: string[] = [];
  const closes: string[] = [];
  const link = new ProcessLink([node, '-e', script, ...args]);
  const open = await link.open({
    onBytes: (bytes) => heard.push(Buffer.from(bytes).toString()),
    onClose: (reason) => closes.push(reason),
  });
  return { open, closes, text: () => heard.join('') };
}

describe('process link', () => {
  it('reads what the command prints, and hands it what is written', async () => {
    const { open, text } = await openScript(
      "process.stdin.on('data', (d) => process.stdout.write('got ' + d)); console.log('S512')",
    );
    open.write(Buffer.from('start'));
    await expect.poll(text).toBe('S512\ngot start');
    await open.close();
  });

  it('gives arguments as they are: no shell looks at them', async () => {
    const { open, text } = await openScript('process.stdout.write(process.argv[1])', '$HOME; echo `id` "x"');
    await expect.poll(text).toBe('$HOME; echo `id` "x"');
    await open.close();
  });

  it('says how it ended, with the last words of its error output', async () => {
    const { closes } = await openScript("process.stderr.write('first\\nno adapter\\n'); process.exitCode = 3");
    await expect.poll(() => closes).toEqual(['ended with exit code 3: no adapter']);
  });

  it('a command that ignores the request to end is killed, and closing tells nothing', async () => {
    const { open, closes, text } = await openScript(
      "process.on('SIGTERM', () => {}); setInterval(() => {}, 1000); console.log('up')",
    );
    await expect.poll(text).toBe('up\n');
    await open.close();
    expect(closes).toEqual([]);
  });

  it('a command that is not there is a link error', async () => {
    const link = new ProcessLink(['/nowhere/bridge']);
    await expect(link.open({ onBytes() {}, onClose() {} })).rejects.toMatchObject({
      name: 'LinkError',
      reason: 'absent',
    });
  });

  it('is started again by the supervisor when it ends', async () => {
    let text = '';
    const clock: Clock = { monotonicMs: () => performance.now(), wallMs: () => Date.now(), synced: () => true };
    const supervisor = new LinkSupervisor({
      link: new ProcessLink([node, '-e', "console.log('x')"]),
      silenceMs: 60_000,
      commands: {},
      clock,
      timers: {
        after(delayMs, run) {
          const timer = setTimeout(run, delayMs / 20);
          return () => clearTimeout(timer);
        },
      },
      random: () => 0.5,
      events: {
        onOpen() {},
        onBytes: (bytes) => {
          text += Buffer.from(bytes).toString();
        },
        onDown() {},
        onSilent() {},
      },
    });
    supervisor.start();
    await expect.poll(() => text, { timeout: 5000 }).toMatch(/^x\nx\nx\n/);
    await supervisor.stop();
    expect(supervisor.reopens.get('closed')).toBeGreaterThanOrEqual(2);
  });
});

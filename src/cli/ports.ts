import { setTimeout as sleep } from 'node:timers/promises';
import { Command } from 'commander';
import { listPorts, type PortListing } from '../sensor/links/list-ports.js';

/** A plug is seen within this. Looked at, not notified of: it works without udev, in containers too. */
const LOOK_EVERY_MS = 500;

export function portsCommand(): Command {
  return new Command('ports')
    .description('List serial ports, each by the name that stays the same when it is plugged in again.')
    .option('--json', 'as JSON; with --watch one line per change')
    .option('--watch', 'go on and tell what is plugged in and out')
    .action(async (options: { json?: boolean; watch?: boolean }) => {
      const say = (line: string) => process.stdout.write(`${line}\n`);
      const ports = await listPorts();
      if (options.watch) {
        const stop = new AbortController();
        for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => stop.abort());
        for (const port of ports) say(options.json ? JSON.stringify({ event: 'present', ...port }) : `  ${row(port)}`);
        await watchPorts(ports, { list: () => listPorts(), stop: stop.signal }, (event, port) =>
          say(options.json ? JSON.stringify({ event, ...port }) : `${event === 'plugged' ? '+' : '-'} ${row(port)}`),
        );
      } else if (options.json) say(JSON.stringify(ports, null, 2));
      else if (ports.length === 0) {
        say('no serial port found: plug the sensor in, and look at `dmesg | tail` if it stays so');
      } else for (const port of ports) say(row(port));
    });
}

export interface PortWatch {
  list(): Promise<PortListing[]>;
  readonly stop: AbortSignal;
  readonly everyMs?: number;
}

/** Tells each change of the ports until stopped. */
export async function watchPorts(
  present: readonly PortListing[],
  watch: PortWatch,
  tell: (event: 'plugged' | 'unplugged', port: PortListing) => void,
): Promise<void> {
  let known = new Map(present.map((port) => [port.path, port]));
  while (!watch.stop.aborted) {
    await sleep(watch.everyMs ?? LOOK_EVERY_MS, undefined, { signal: watch.stop }).catch(() => {});
    if (watch.stop.aborted) return;
    const now = new Map((await watch.list()).map((port) => [port.path, port]));
    for (const [path, port] of known) if (now.get(path)?.stablePath !== port.stablePath) tell('unplugged', port);
    for (const [path, port] of now) if (known.get(path)?.stablePath !== port.stablePath) tell('plugged', port);
    known = now;
  }
}

function row({ stablePath, path, about }: PortListing): string {
  return `${stablePath.padEnd(70)} ${path.padEnd(14)} ${about}`.trimEnd();
}

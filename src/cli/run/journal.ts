import { fstatSync } from 'node:fs';
import { type DestinationStream, destination } from 'pino';

/** pino's levels as syslog's priorities (RFC 5424, 6.2.1): fatal is critical, trace and debug are debug. */
const PRIORITY: readonly [atLeast: number, priority: number][] = [
  [60, 2],
  [50, 3],
  [40, 4],
  [30, 6],
];

/** The priority of a pino level. */
export function priorityOf(level: number): number {
  return PRIORITY.find(([atLeast]) => level >= atLeast)?.[1] ?? 7;
}

/**
 * Whether standard output goes to journald itself: systemd names device and inode of the stream it made (systemd.exec(5),
 * `JOURNAL_STREAM`); a program behind a pipe inherits the variable but not the stream.
 */
export function goesToJournal(env: NodeJS.ProcessEnv, stat: { dev: number; ino: number } = fstatSync(1)): boolean {
  return env.JOURNAL_STREAM === `${stat.dev}:${stat.ino}`;
}

/** The same JSON lines, each with its priority in front as sd-daemon(3) has it: `journalctl -u slothd -p warning` works. */
export function journalStream(out: { write(text: string): unknown } = destination({ sync: true })): DestinationStream {
  const stream = {
    // Makes pino tell the level of the line it is about to write.
    [Symbol.for('pino.metadata')]: true,
    lastLevel: 30,
    write(line: string) {
      out.write(`<${priorityOf(stream.lastLevel)}>${line}`);
    },
  };
  return stream;
}

import { execFile } from 'node:child_process';

/**
 * Tells systemd how we are (sd_notify). Node has no datagram unix sockets, so `systemd-notify`, which is there wherever
 * systemd is, speaks for us; the unit says `NotifyAccess=all`. Without NOTIFY_SOCKET every call does nothing.
 */
export class SystemdNotifier {
  /** How often to ping, half of what systemd allows; null where it does not watch. */
  readonly pingEveryMs: number | null;
  private readonly active: boolean;
  private lastStatus = '';

  constructor(
    env: NodeJS.ProcessEnv,
    private readonly send: (args: string[]) => void = (args) => {
      execFile('systemd-notify', [`--pid=${process.pid}`, ...args], () => {});
    },
  ) {
    this.active = Boolean(env.NOTIFY_SOCKET);
    const watchdogUs = Number(env.WATCHDOG_USEC ?? Number.NaN);
    this.pingEveryMs = this.active && watchdogUs > 0 ? watchdogUs / 2000 : null;
  }

  ready(): void {
    this.notify(['--ready']);
  }

  ping(): void {
    this.notify(['WATCHDOG=1']);
  }

  /** One line for `systemctl status`. Sent only when it changed. */
  status(text: string): void {
    if (text === this.lastStatus) return;
    this.lastStatus = text;
    this.notify([`--status=${text}`]);
  }

  stopping(): void {
    this.notify(['STOPPING=1']);
  }

  private notify(args: string[]): void {
    if (this.active) this.send(args);
  }
}

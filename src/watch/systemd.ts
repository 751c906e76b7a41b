import { execFile } from 'node:child_process';
import type { WatchVerdict } from './watchdog.js';

/** Rounds in one ping interval: after a pause that passed, the ping follows soon, not a whole interval later. */
const ROUNDS_PER_PING = 4;

/**
 * Tells systemd how we are (sd_notify). Node has no datagram unix sockets, and a native module for one line every few
 * seconds is one more that can fail to build; `systemd-notify`, which is there wherever systemd is, speaks for us. The
 * unit says `NotifyAccess=all`, for it is another process. Without NOTIFY_SOCKET every call does nothing.
 */
export class SystemdNotifier {
  /** How often to ping, half of what systemd allows; null where it does not watch. */
  readonly pingEveryMs: number | null;
  /** How often to call `round`; null where systemd does not watch. */
  readonly roundEveryMs: number | null;
  private readonly active: boolean;
  private lastStatus = '';
  private lastPingMs = Number.NEGATIVE_INFINITY;

  constructor(
    env: NodeJS.ProcessEnv,
    private readonly send: (args: string[]) => void = (args) => {
      execFile('systemd-notify', [`--pid=${process.pid}`, ...args], { env }, () => {});
    },
  ) {
    this.active = Boolean(env.NOTIFY_SOCKET);
    const watchdogUs = Number(env.WATCHDOG_USEC ?? Number.NaN);
    this.pingEveryMs = this.active && watchdogUs > 0 ? watchdogUs / 2000 : null;
    this.roundEveryMs = this.pingEveryMs === null ? null : this.pingEveryMs / ROUNDS_PER_PING;
  }

  ready(): void {
    this.notify(['--ready']);
  }

  /** Pings where it is time for it and all is fresh; otherwise says in the status why not. */
  round(verdict: WatchVerdict, nowMs: number): void {
    if (this.pingEveryMs === null) return;
    if (!verdict.healthy) {
      this.status(`watchdog held back: ${verdict.reasons.join('; ')}`);
      return;
    }
    // Half a round early rather than a whole one late.
    if (nowMs - this.lastPingMs < this.pingEveryMs * (1 - 0.5 / ROUNDS_PER_PING)) return;
    this.lastPingMs = nowMs;
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

import type { Clock, StreamMs, Timers } from '../domain/clock.js';
import type { HostCommands } from '../domain/reading.js';
import { type Link, LinkError, type OpenLink } from './links/link.js';

/** First and longest wait before a reopen; doubled each time, with +-20 % jitter so that a hub of sensors spreads out. */
const BACKOFF_FIRST_MS = 500;
const BACKOFF_LONGEST_MS = 30_000;
const BACKOFF_JITTER = 0.2;
/** Silence times without a valid frame after which the sensor counts as gone. */
const MISSES_UNTIL_SILENT = 3;

export type ReopenReason = 'silence' | 'closed' | LinkError['reason'];

export interface SupervisorEvents {
  /** A fresh connection is open: forget half frames. */
  onOpen(): void;
  onBytes(bytes: Uint8Array, arrivedAtMs: StreamMs): void;
  /** The connection is gone or did not open; `message` is for the log. Another try follows by itself. */
  onDown(reason: ReopenReason, message: string): void;
  /** No valid frame for three silence times, or frames again. */
  onSilent(silent: boolean): void;
}

export interface SupervisorOptions {
  readonly link: Link;
  readonly silenceMs: number;
  readonly commands: HostCommands;
  readonly clock: Clock;
  readonly timers: Timers;
  readonly random: () => number;
  readonly events: SupervisorEvents;
}

/**
 * Keeps one link open for ever: reopens after an unplug and after silence, never gives up, and says when there has been
 * no valid frame for so long that the sensor must be called gone. Start commands and keep-alives go out on each opening.
 */
export class LinkSupervisor {
  readonly reopens = new Map<ReopenReason, number>();
  private open: OpenLink | null = null;
  private generation = 0;
  private backoffMs = BACKOFF_FIRST_MS;
  private lastFrameMs: StreamMs;
  private openedAtMs: StreamMs = 0;
  private silent = false;
  private stopped = false;
  private readonly cancels = new Set<() => void>();
  /** Silence check and keep-alive of the connection that is open. */
  private readonly connectionCancels = new Set<() => void>();

  constructor(private readonly options: SupervisorOptions) {
    this.lastFrameMs = options.clock.monotonicMs();
  }

  start(): void {
    this.lastFrameMs = this.options.clock.monotonicMs();
    this.watchSilence();
    void this.connect();
  }

  /** A valid frame was read: the sensor lives. */
  frame(): void {
    this.lastFrameMs = this.options.clock.monotonicMs();
    this.backoffMs = BACKOFF_FIRST_MS;
    if (this.silent) {
      this.silent = false;
      this.options.events.onSilent(false);
    }
  }

  get isOpen(): boolean {
    return this.open !== null;
  }

  async stop(): Promise<void> {
    this.stopped = true;
    this.generation++;
    for (const cancel of [...this.cancels, ...this.connectionCancels]) cancel();
    const link = this.open;
    this.open = null;
    if (link && this.options.commands.stop) link.write(this.options.commands.stop);
    await link?.close();
  }

  private async connect(): Promise<void> {
    const generation = ++this.generation;
    const { link, events, clock, commands } = this.options;
    try {
      const opened = await link.open({
        onBytes: (bytes) => {
          if (generation === this.generation) events.onBytes(bytes, clock.monotonicMs());
        },
        onClose: (reason) => {
          if (generation === this.generation) this.down('closed', `${link.name}: ${reason}`);
        },
      });
      if (generation !== this.generation || this.stopped) {
        await opened.close();
        return;
      }
      this.open = opened;
      events.onOpen();
      if (commands.start) opened.write(commands.start);
      this.keepAlive(generation);
      this.openedAtMs = clock.monotonicMs();
      this.after(this.options.silenceMs, () => this.checkSilence(generation), this.connectionCancels);
    } catch (error) {
      if (generation !== this.generation || this.stopped) return;
      const reason = error instanceof LinkError ? error.reason : 'failed';
      this.down(reason, error instanceof Error ? error.message : String(error));
    }
  }

  /** An open port that brings no valid frame is closed: half-dead USB converters look just like this. */
  private checkSilence(generation: number): void {
    if (generation !== this.generation || !this.open) return;
    const { silenceMs, clock, link } = this.options;
    const quietMs = clock.monotonicMs() - Math.max(this.lastFrameMs, this.openedAtMs);
    if (quietMs >= silenceMs) {
      this.down('silence', `${link.name}: no valid frame for ${Math.round(quietMs / 1000)} s, reopening`);
    } else {
      this.after(silenceMs - quietMs, () => this.checkSilence(generation), this.connectionCancels);
    }
  }

  private down(reason: ReopenReason, message: string): void {
    const link = this.open;
    this.open = null;
    this.generation++;
    for (const cancel of this.connectionCancels) cancel();
    this.connectionCancels.clear();
    this.reopens.set(reason, (this.reopens.get(reason) ?? 0) + 1);
    this.options.events.onDown(reason, message);
    const jitter = 1 + BACKOFF_JITTER * (2 * this.options.random() - 1);
    const waitMs = this.backoffMs * jitter;
    this.backoffMs = Math.min(this.backoffMs * 2, BACKOFF_LONGEST_MS);
    // The old handle is let go before the next try: two of ours on one port would lock each other out.
    void (link?.close() ?? Promise.resolve()).then(() => {
      if (!this.stopped) this.after(waitMs, () => void this.connect());
    });
  }

  /** Runs apart from the connection: a port that never opens is silent too. */
  private watchSilence(): void {
    const limitMs = this.options.silenceMs * MISSES_UNTIL_SILENT;
    const quietMs = this.options.clock.monotonicMs() - this.lastFrameMs;
    if (!this.silent && quietMs >= limitMs) {
      this.silent = true;
      this.options.events.onSilent(true);
    }
    this.after(this.silent ? limitMs : Math.max(limitMs - quietMs, 1), () => this.watchSilence());
  }

  private keepAlive(generation: number): void {
    const keepAlive = this.options.commands.keepAlive;
    if (!keepAlive) return;
    const send = () => {
      if (generation !== this.generation) return;
      this.open?.write(keepAlive.bytes);
      this.keepAlive(generation);
    };
    this.after(keepAlive.everyMs, send, this.connectionCancels);
  }

  /** @param own the timers it ends with: the supervisor's, or those of the open connection */
  private after(delayMs: number, run: () => void, own = this.cancels): void {
    if (this.stopped) return;
    const cancel = this.options.timers.after(delayMs, () => {
      own.delete(cancel);
      run();
    });
    own.add(cancel);
  }
}

import type { Clock, Timers } from '../domain/clock.js';

export interface ThrottleOptions {
  readonly clock: Clock;
  readonly timers: Timers;
  /** Least time between two runs. */
  readonly everyMs: number;
  /** Each run doubles that time, up to this; left out: it stays. */
  readonly longestMs?: number;
  /** The first run waits as well, counted from when it was asked for; left out: it comes at once. */
  readonly late?: boolean;
  readonly run: () => void;
}

/** Something that may be asked for at any rate and is done at most every so often. Who asks in between is served at its end. */
export class Throttle {
  private gapMs: number;
  private ranAtMs = Number.NEGATIVE_INFINITY;
  private cancel: (() => void) | null = null;
  private stopped = false;

  constructor(private readonly options: ThrottleOptions) {
    this.gapMs = options.everyMs;
  }

  /** Wants a run: now where the last one is long enough ago, else as soon as it is. Asked many times it still is one. */
  ask(): void {
    if (this.cancel || this.stopped) return;
    const { clock, timers, late } = this.options;
    const waitMs = late ? this.gapMs : this.ranAtMs + this.gapMs - clock.monotonicMs();
    if (waitMs <= 0) {
      this.run();
      return;
    }
    this.cancel = timers.after(waitMs, () => {
      this.cancel = null;
      this.run();
    });
  }

  /** Things are different now: what was asked for is dropped, and the time between two runs is the first one again. */
  reset(): void {
    this.cancel?.();
    this.cancel = null;
    this.gapMs = this.options.everyMs;
  }

  /** Nothing runs after this. */
  stop(): void {
    this.reset();
    this.stopped = true;
  }

  private run(): void {
    const { clock, longestMs, run } = this.options;
    this.ranAtMs = clock.monotonicMs();
    if (longestMs !== undefined) this.gapMs = Math.min(longestMs, 2 * this.gapMs);
    run();
  }
}

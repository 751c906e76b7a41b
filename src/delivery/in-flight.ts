import type { Clock, Timers } from '../domain/clock.js';

/** How a QoS 1 publish ended. */
export type PublishOutcome = 'acked' | 'lost' | 'refused';

export interface InFlightOptions {
  readonly clock: Clock;
  readonly timers: Timers;
  readonly ackTimeoutMs: number;
  /** A broker that takes messages and never acknowledges them is not delivering. */
  readonly onSilence: () => void;
}

interface Pending {
  readonly sentAtMs: number;
  readonly done: (outcome: PublishOutcome) => void;
}

/** QoS 1 messages that are on their way on one connection: how many may be, and for how long. */
export class InFlight {
  private readonly pending = new Set<Pending>();
  private slots = 0;
  private cancelTimer: (() => void) | null = null;

  constructor(private readonly options: InFlightOptions) {}

  get size(): number {
    return this.pending.size;
  }

  /** A connection begins; the broker takes so many at once. */
  begin(slots: number): void {
    this.slots = slots;
  }

  /** Whether so many more may be sent; fewer where the broker never allows so many. */
  hasRoomFor(messages: number): boolean {
    const free = this.slots - this.pending.size;
    return free > 0 && free >= Math.min(messages, this.slots);
  }

  /**
   * One is sent.
   * @param done called once, when it is acknowledged, refused or lost with its connection
   * @returns to be called with the broker's answer; false: the message had been told as lost
   */
  add(done: (outcome: PublishOutcome) => void): (outcome: 'acked' | 'refused') => boolean {
    const entry: Pending = { sentAtMs: this.options.clock.monotonicMs(), done };
    this.pending.add(entry);
    this.armTimer();
    return (outcome) => {
      if (!this.pending.delete(entry)) return false;
      entry.done(outcome);
      return true;
    };
  }

  /** The connection has ended. @returns tells what was on its way as lost; to be called once all else is in order */
  end(): () => void {
    this.cancelTimer?.();
    this.cancelTimer = null;
    this.slots = 0;
    const lost = [...this.pending];
    this.pending.clear();
    return () => {
      for (const { done } of lost) done('lost');
    };
  }

  private armTimer(): void {
    if (this.cancelTimer) return;
    const { clock, timers, ackTimeoutMs, onSilence } = this.options;
    // Sets keep their order: the first is the oldest.
    const oldest = this.pending.values().next().value;
    if (!oldest) return;
    const waitMs = oldest.sentAtMs + ackTimeoutMs - clock.monotonicMs();
    this.cancelTimer = timers.after(Math.max(1, waitMs), () => {
      this.cancelTimer = null;
      const still = this.pending.values().next().value;
      if (!still) return;
      if (clock.monotonicMs() - still.sentAtMs >= ackTimeoutMs) onSilence();
      else this.armTimer();
    });
  }
}

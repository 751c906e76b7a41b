import type { Clock, Timers } from '../domain/clock.js';
import type { DeliveryLog } from './log.js';
import type { RetainedState } from './retained.js';
import { Throttle } from './throttle.js';

export interface OwnStatesOptions {
  readonly retained: RetainedState;
  readonly clock: Clock;
  readonly timers: Timers;
  readonly log: DeliveryLog;
  /** Something is to be said again. */
  readonly onDue: () => void;
}

/** What is not so is corrected this long after it was said, and then ever more rarely: two daemons on one root must not duel. */
const CORRECT_AFTER_MS = { everyMs: 1_000, longestMs: 60_000, late: true } as const;

/**
 * Listens to what the broker says of our sensors: their lists of open alerts and their availability. Where somebody clears
 * or overwrites one of them, who comes later would miss an alert that is open, so what is so is said again.
 */
export class OwnStates {
  /** By topic: what the broker said last. Our own words come back, too. */
  private readonly heardLast = new Map<string, string>();
  private readonly correction: Throttle;

  constructor(private readonly options: OwnStatesOptions) {
    const { clock, timers } = options;
    this.correction = new Throttle({ clock, timers, ...CORRECT_AFTER_MS, run: () => this.correct() });
  }

  /** Takes a message of a topic that is retained by us. */
  heard(topic: string, payload: Buffer): void {
    const said = this.options.retained.payloadOf(topic);
    if (said === undefined) return;
    const text = payload.toString();
    if (text === said) this.heardLast.delete(topic);
    else {
      this.heardLast.set(topic, text);
      this.correction.ask();
    }
  }

  /** A connection begins: everything is said anew on it. */
  connected(): void {
    this.heardLast.clear();
    this.correction.reset();
  }

  stop(): void {
    this.correction.stop();
  }

  private correct(): void {
    const { retained, log, onDue } = this.options;
    const wrong = [...this.heardLast].filter(([topic, text]) => (retained.payloadOf(topic) ?? text) !== text);
    this.heardLast.clear();
    if (wrong.length === 0) return;
    for (const [topic] of wrong) retained.again(topic);
    log.warn({ topics: wrong.map(([topic]) => topic) }, 'somebody changed what the broker keeps of us; said again');
    onDue();
  }
}

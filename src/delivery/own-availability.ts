import type { Clock, Timers } from '../domain/clock.js';
import type { DeliveryLog } from './log.js';
import { Throttle } from './throttle.js';

export interface OwnAvailabilityOptions {
  readonly clock: Clock;
  readonly timers: Timers;
  readonly log: DeliveryLog;
  /** Whether there is a connection to say it on. */
  readonly isHere: () => boolean;
  /** False where it could not be said now. */
  readonly sayOnline: () => boolean;
}

/** `offline` said of us while we are here is corrected at most this often: two daemons on one root must not duel. */
const CORRECT_EVERY_MS = 1_000;

/**
 * Listens to what the broker says of this daemon. The will of a former connection of ours may come late (no FIN,
 * take-over), or somebody clears the topic: `online` must have the last word.
 */
export class OwnAvailability {
  private said = '';
  private readonly correction: Throttle;

  constructor(private readonly options: OwnAvailabilityOptions) {
    const { clock, timers } = options;
    this.correction = new Throttle({ clock, timers, everyMs: CORRECT_EVERY_MS, run: () => this.correct() });
  }

  heard(payload: string): void {
    if (payload === 'online') return;
    this.said = payload;
    this.correction.ask();
  }

  stop(): void {
    this.correction.stop();
  }

  private correct(): void {
    const { isHere, sayOnline, log } = this.options;
    if (!isHere()) return;
    log.info({ said: this.said.slice(0, 40) }, 'the broker said of us what is not so; saying online again');
    if (!sayOnline()) this.correction.ask();
  }
}

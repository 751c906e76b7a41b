import type { Clock } from '../domain/clock.js';
import type { Watchdog } from '../watch/watchdog.js';
import type { MeasuredStore } from './measured-store.js';
import type { Models } from './models.js';

/** The loop and the alarm rules go round ten times a second, the other two are looked at once a second. */
const ROUND_DEADLINE_MS = 2000;
const LOOK_DEADLINE_MS = 10_000;
/** A write that the disk has not finished after this long will not end by itself. */
const HUNG_WRITE_MS = 60_000;
/** The runner sees to its host within seconds; beats that have waited this long wait for a runner that is stuck. */
const HUNG_INFERENCE_MS = 30_000;

/**
 * The heartbeats of the daemon's stages. A model host that hangs is the runner's business and no fault here, a broker
 * that is away or a sensor that is not worn neither: only what a restart of the daemon would mend may end the pings.
 */
export class Heartbeats {
  private lastAnswered = 0;
  private answeredAtMs: number;

  constructor(
    private readonly watchdog: Watchdog,
    private readonly clock: Clock,
    private readonly models: Pick<Models, 'beat' | 'stats'>,
    private readonly store: Pick<MeasuredStore, 'pendingMs'>,
  ) {
    this.answeredAtMs = clock.monotonicMs();
    watchdog.expect('event-loop', ROUND_DEADLINE_MS);
    watchdog.expect('alarms', ROUND_DEADLINE_MS);
    watchdog.expect('inference', LOOK_DEADLINE_MS);
    watchdog.expect('delivery', LOOK_DEADLINE_MS);
  }

  /** Ten times a second, around the round of the alarm rules. */
  round(alarms: () => void): void {
    this.watchdog.beat('event-loop');
    alarms();
    this.watchdog.beat('alarms');
  }

  /** Once a second: stages without a round of their own beat through what can be seen of them. */
  look(): void {
    const now = this.clock.monotonicMs();
    const { answered, queued } = this.inferenceProgress();
    if (queued === 0 || answered !== this.lastAnswered) {
      this.lastAnswered = answered;
      this.answeredAtMs = now;
    }
    const waitedMs = now - this.answeredAtMs;
    this.watchdog.beat(
      'inference',
      waitedMs > HUNG_INFERENCE_MS ? `beats have waited ${Math.round(waitedMs / 1000)} s for an answer` : null,
    );
    const writingMs = this.store.pendingMs();
    this.watchdog.beat(
      'delivery',
      writingMs > HUNG_WRITE_MS ? `the disk has not finished a write for ${Math.round(writingMs / 1000)} s` : null,
    );
  }

  /** Beats that got their word, a null included, and those that wait. A host that is down answers at once: with null. */
  private inferenceProgress(): { answered: number; queued: number } {
    if (!this.models.beat) return { answered: 0, queued: 0 };
    const { items, unavailable, lost, dropped, queued } = this.models.stats();
    return { answered: items + unavailable + lost + dropped, queued };
  }
}

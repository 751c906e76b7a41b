import type { Clock, Timers } from '../domain/clock.js';
import type { PublishOutcome } from './in-flight.js';
import type { DeliveryLog } from './log.js';
import { RetainedState } from './retained.js';
import { Throttle } from './throttle.js';

/** A state that the broker refuses (an access rule, as a rule) is said again after this, then ever more rarely. */
const REFUSED_AGAIN_MS = { everyMs: 30_000, longestMs: 3_600_000, late: true } as const;
/**
 * A connection that ends this soon after a refusal ended because of it (mosquitto 2.0.11 does so with
 * `max_queued_messages 0`): said again on the next one, it would end that, too.
 */
const HANGS_UP_WITHIN_MS = 2_000;
/** One that it seems to hang up on costs a connection each time. */
const TRY_SUSPECT_MS = { everyMs: 60_000, longestMs: 3_600_000, late: true } as const;

export interface StateSpeakerOptions {
  readonly clock: Clock;
  readonly timers: Timers;
  readonly log: DeliveryLog;
  /** Whether the broker takes a message of this size. */
  readonly fits: (topic: string, payload: string) => boolean;
  /** Hands a message that is to be kept to the broker; false where it takes none now. */
  readonly publish: (topic: string, payload: string, done: (outcome: PublishOutcome) => void) => boolean;
  /** Something is to be said that was not when `pump` was last called. */
  readonly onDue: () => void;
}

/**
 * Says the retained states to a broker that may refuse some, hang up on some, or have a limit they do not fit: each is tried
 * again, but never so that it costs the connection over and over.
 */
export class StateSpeaker {
  readonly states = new RetainedState((topic, bytes) => {
    this.options.log.error({ topic, bytes }, 'the broker hangs up on a message, as if it were too large; held back');
    this.suspectsAgain.ask();
  });
  private readonly refusedAgain: Throttle;
  private readonly suspectsAgain: Throttle;
  private refusedAtMs = Number.NEGATIVE_INFINITY;
  private refusalWasLast = false;
  private readonly toldTooLarge = new Set<string>();

  constructor(private readonly options: StateSpeakerOptions) {
    const { clock, timers, onDue } = options;
    this.refusedAgain = new Throttle({
      clock,
      timers,
      ...REFUSED_AGAIN_MS,
      run: () => {
        this.states.markRefused();
        onDue();
      },
    });
    this.suspectsAgain = new Throttle({
      clock,
      timers,
      ...TRY_SUSPECT_MS,
      run: () => {
        this.states.trySuspect();
        onDue();
      },
    });
  }

  /** @param isOther another broker than the last: what is known of the limits of one means nothing with another */
  connected(isOther: boolean): void {
    if (isOther) {
      this.states.forgive();
      this.toldTooLarge.clear();
    }
    if (!this.refusalWasLast) {
      this.states.markRefused();
      this.refusedAgain.reset();
    }
    this.states.markAll();
  }

  disconnected(): void {
    this.refusalWasLast = this.options.clock.monotonicMs() - this.refusedAtMs < HANGS_UP_WITHIN_MS;
  }

  /** Says what is due, as far as the broker takes it. Returns false when it takes no more. */
  pump(): boolean {
    const { fits, publish, clock } = this.options;
    return this.states.pump((topic, payload, done) => {
      if (!fits(topic, payload)) {
        this.tellTooLarge(topic, payload.length);
        // Later, as every other end of a message.
        queueMicrotask(() => done('refused'));
        return true;
      }
      return publish(topic, payload, (outcome) => {
        done(outcome);
        if (outcome === 'refused') {
          this.refusedAtMs = clock.monotonicMs();
          this.refusedAgain.ask();
        }
        if (!this.states.hasSuspects) this.suspectsAgain.reset();
      });
    });
  }

  /** No timer of ours runs after this. */
  stop(): void {
    this.refusedAgain.stop();
    this.suspectsAgain.stop();
  }

  private tellTooLarge(topic: string, bytes: number): void {
    if (this.toldTooLarge.has(topic)) return;
    this.toldTooLarge.add(topic);
    this.options.log.warn({ topic, bytes }, 'a state is larger than the broker allows; it is not said');
  }
}

import type { Clock } from '../domain/clock.js';
import type { OutboxItem } from './outbox.js';
import { finishAlertJson, withoutEvidence } from './payloads.js';

/**
 * After so many connections lost with an alert on its way, or so many refusals of it, the alert itself may be what the broker
 * minds (a size limit or a quota it does not announce); from then on every other try goes without its evidence.
 */
const STRIP_AFTER = { losses: 5, refusals: 3 } as const;
/** A size that was too large once is believed for so long. */
const TOO_LARGE_MS = 3_600_000;

/** How much of an alert goes to this broker: all of it, or all but its evidence where that is too much. */
export class AlertSize {
  /** From this size on alerts go without their evidence until then (monotonic): the broker hung up on one, and told no limit. */
  private tooLarge = { bytes: Number.POSITIVE_INFINITY, untilMs: 0 };

  constructor(
    private readonly clock: Clock,
    /** Whether the broker says that it takes a message of this size. */
    private readonly fits: (topic: string, payload: string) => boolean,
  ) {}

  /** Another broker. */
  forget(): void {
    this.tooLarge = { bytes: Number.POSITIVE_INFINITY, untilMs: 0 };
  }

  /**
   * @param latencyMs arrival of the bytes to now; null where none caused it
   * @returns what is sent, which may still be too large, and what to call when it was acknowledged
   */
  payloadOf(item: OutboxItem, latencyMs: number | null): { readonly payload: string; readonly onAcked: () => void } {
    const { topic, body, replayed, losses, refusals } = item;
    const whole = finishAlertJson(body, latencyMs, replayed);
    const asItIs = { payload: whole, onAcked: () => {} };
    if (item.class !== 'alert') return asItIs;
    const tryWithout =
      (losses >= STRIP_AFTER.losses && losses % 2 === 1) || (refusals >= STRIP_AFTER.refusals && refusals % 2 === 1);
    const { bytes, untilMs } = this.tooLarge;
    const isTooLarge = whole.length >= bytes && this.clock.monotonicMs() < untilMs;
    if (!tryWithout && !isTooLarge && this.fits(topic, whole)) return asItIs;
    return {
      payload: finishAlertJson(withoutEvidence(body), latencyMs, replayed),
      onAcked: () => {
        // Without its evidence it got through, which had cost connection after connection.
        if (tryWithout && losses > 0) this.learn(body.length);
      },
    };
  }

  private learn(bytes: number): void {
    const nowMs = this.clock.monotonicMs();
    const known = nowMs < this.tooLarge.untilMs ? this.tooLarge.bytes : Number.POSITIVE_INFINITY;
    this.tooLarge = { bytes: Math.min(known, bytes), untilMs: nowMs + TOO_LARGE_MS };
  }
}

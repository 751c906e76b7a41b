import type { Entry, OutboxClass } from './outbox-entry.js';

/** A refusal holds a sensor's messages for so long, twice as long each time in a row: an access rule does not change in seconds. */
const REFUSAL_HOLD_MS = { first: 5_000, longest: 60_000 } as const;

/** What waits to be sent for one sensor, in its order. All times are monotonic. */
export class SensorQueue {
  /** After a refusal: nothing goes out until then. */
  heldUntilMs = 0;
  /** Oldest first. */
  private readonly waiting: Entry[] = [];
  /** How many of `waiting` were added while the link was up. */
  private fresh = 0;
  /** Refusals in a row. */
  private refusals = 0;

  get length(): number {
    return this.waiting.length;
  }

  /** What goes next; undefined where nothing waits. */
  get head(): Entry | undefined {
    return this.waiting[0];
  }

  /** Something fresh waits; what is ahead of it goes with it, because order is kept. */
  get hasFresh(): boolean {
    return this.fresh > 0;
  }

  /**
   * Whether the head may go as far as the disk is concerned. One that waits for it goes all the same where an alarm stands
   * behind: that one waits for nobody's disk, and order is kept.
   */
  get isReady(): boolean {
    return !this.head?.awaitsDisk || this.waiting.some((entry) => !entry.awaitsDisk);
  }

  /** Something waits that neither the broker nor, as yet, the disk knows of. */
  get hasUnkept(): boolean {
    return this.waiting.some(({ awaitsDisk, onKept }) => awaitsDisk || onKept !== null);
  }

  isHeld(nowMs: number): boolean {
    return this.heldUntilMs > nowMs;
  }

  /** Puts an entry in its place: behind all that were added before it. */
  place(entry: Entry): void {
    let at = this.waiting.length;
    while (at > 0 && (this.waiting[at - 1] as Entry).seq > entry.seq) at--;
    this.waiting.splice(at, 0, entry);
    if (!entry.replayed) this.fresh++;
  }

  /** Takes the head out. */
  shift(): Entry | undefined {
    return this.removeAt(0);
  }

  /** Whether the body of something that waits has this in it. */
  includes(text: string): boolean {
    return this.waiting.some(({ body }) => body.includes(text));
  }

  /** Where the oldest of a class is; -1 where there is none. */
  oldestOf(kind: OutboxClass): number {
    return this.waiting.findIndex((entry) => entry.class === kind);
  }

  at(index: number): Entry | undefined {
    return this.waiting[index];
  }

  removeAt(index: number): Entry | undefined {
    const [entry] = this.waiting.splice(index, 1);
    if (entry && !entry.replayed) this.fresh--;
    return entry;
  }

  /** The link is down: all that waits is late by the time it goes. */
  markReplayed(): void {
    for (const entry of this.waiting) entry.replayed = true;
    this.fresh = 0;
  }

  /** The broker said no to a message. @returns for how long nothing more is sent, ms */
  refused(nowMs: number): number {
    const holdMs = Math.min(REFUSAL_HOLD_MS.longest, REFUSAL_HOLD_MS.first * 2 ** Math.min(this.refusals++, 10));
    this.heldUntilMs = nowMs + holdMs;
    return holdMs;
  }

  /** The broker took a message, or it can never be sent. */
  settled(): void {
    this.refusals = 0;
  }
}

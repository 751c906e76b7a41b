import type { Clock } from '../domain/clock.js';

/** So many things a second on average, and at most so many at once. */
export class TokenBucket {
  private tokens: number;
  private atMs: number;

  constructor(
    private readonly clock: Clock,
    private readonly perSecond: number,
    private readonly burst: number,
  ) {
    this.tokens = burst;
    this.atMs = clock.monotonicMs();
  }

  /** How long to wait for the next, ms; 0: one may be had now. */
  get waitMs(): number {
    this.fill();
    return this.tokens >= 1 ? 0 : ((1 - this.tokens) / this.perSecond) * 1000;
  }

  /** One is used up; to be called after `waitMs` said 0. */
  take(): void {
    this.tokens -= 1;
  }

  private fill(): void {
    const nowMs = this.clock.monotonicMs();
    this.tokens = Math.min(this.burst, this.tokens + ((nowMs - this.atMs) / 1000) * this.perSecond);
    this.atMs = nowMs;
  }
}

import type { StreamMs } from '../domain/clock.js';
import type { Quality } from '../domain/quality.js';
import { RateAgreement } from '../signal/rate-agreement.js';

/** One sensor's quality out of two: what the gate sees in the signal, and whether the device's rate agrees with ours. */
export class QualityMerge {
  private readonly agreement = new RateAgreement();
  private gate: Quality | null = null;

  constructor(private readonly tell: (quality: Quality) => void) {}

  /** The gate's word. */
  set(quality: Quality): void {
    this.gate = quality;
    this.tell(this.merged(quality));
  }

  /** The device's own rate; 0 or NaN: none. */
  deviceRate(bpm: number, tMs: StreamMs): void {
    this.agreement.told(bpm, tMs);
  }

  /** Our rate, at every tick. */
  ownRate(bpm: number | null, tMs: StreamMs): void {
    if (!this.agreement.compare(bpm, tMs) || this.gate?.state !== 'good') return;
    this.tell(this.merged({ ...this.gate, tMs }));
  }

  /** The signal broke: what was compared belongs to the past. */
  clear(): void {
    this.agreement.clear();
  }

  private merged(quality: Quality): Quality {
    if (quality.state !== 'good' || !this.agreement.disagrees) return quality;
    return { tMs: quality.tMs, state: 'poor', reasons: ['rate-disagreement'] };
  }
}

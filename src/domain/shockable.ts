import type { StreamMs } from './clock.js';

/** What the shockable model says of the last seconds of an ECG. */
export interface ShockableVerdict {
  /** Stream time of the window's end. */
  readonly tMs: StreamMs;
  readonly windowStartMs: StreamMs;
  /** Probabilities that sum to 1: another rhythm or none, fast ventricular tachycardia, fibrillation or flutter. */
  readonly scores: Readonly<Record<'other' | 'vt' | 'vf', number>>;
  /** Where the window's spectrum peaks, per minute: the rate of a tachycardia or flutter. */
  readonly ratePerMinute: number;
  /** How high the window is drawn, as a share of this sensor's usual height; left out where that is not known. */
  readonly heightShare?: number;
}

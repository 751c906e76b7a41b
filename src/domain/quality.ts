import type { StreamMs } from './clock.js';

/** `none`: there is no signal to judge yet. */
export type QualityState = 'good' | 'poor' | 'contact-off' | 'none';

export type QualityReason =
  | 'flat'
  | 'clipped'
  | 'noise'
  | 'mains'
  | 'baseline'
  | 'motion'
  | 'leads-off'
  | 'no-finger'
  | 'not-a-number'
  | 'gap'
  | 'rate-disagreement'
  | 'starting';

/** The state of a sensor's signal from `tMs` on. */
export interface Quality {
  readonly tMs: StreamMs;
  readonly state: QualityState;
  readonly reasons: readonly QualityReason[];
}

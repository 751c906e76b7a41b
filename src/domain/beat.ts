import type { StreamMs } from './clock.js';

/** AAMI EC57 beat classes: normal, supraventricular ectopic, ventricular ectopic, fusion, unclassifiable. */
export type BeatClass = 'N' | 'S' | 'V' | 'F' | 'Q';

export type BeatSource = 'ecg' | 'ppg' | 'rr';

/** One heart beat. */
export interface Beat {
  /** Stream time of the R peak (or of the pulse's foot, or of the beat the device reported). */
  readonly tMs: StreamMs;
  /** R peak as a count of samples from the stream's start, at the stream's rate; -1 where there is no waveform. */
  readonly sample: number;
  /** RR interval that ends at this beat; null for a first beat and after a gap. */
  readonly rrMs: number | null;
  /** Stream time up to which the detector had read when it decided. `decidedAtMs - tMs` is the detector's delay. */
  readonly decidedAtMs: StreamMs;
  /** 0 to 1: how far the signal around the beat can be trusted. */
  readonly quality: number;
  readonly source: BeatSource;
}

/** What the beat model says of a beat: probabilities that sum to 1 and the class they make, offsets included. */
export interface BeatScores {
  readonly class: BeatClass;
  readonly scores: Readonly<Record<'N' | 'S' | 'V', number>>;
}
